"""Brings the tables to this version's form, and tells whether they are."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import TYPE_CHECKING

from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.errors import InvalidInput
from persistence.errors import translated

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0011"
"""The newest revision; a test holds it equal to Alembic's, which is not imported to start a migrated service."""

OLDEST_SERVER = 150_000
"""As server_version_num says PostgreSQL 15.0."""

SERVER = text("""
SELECT
    current_setting('server_version_num')::int AS version,
    current_setting('server_encoding') AS encoding,
    to_regclass('alembic_version') IS NOT NULL AS is_migrated
""")


async def revision_of(engine: AsyncEngine) -> str | None:
    """Tell the revision of the database's tables, None where there are none.

    Raises:
        InvalidInput: if Jobtail cannot use this database.
        Unavailable: if it is away.
    """
    with translated():
        async with engine.connect() as connection:
            server = (await connection.execute(SERVER)).one()
            if server.version < OLDEST_SERVER:
                raise InvalidInput(f"Jobtail needs PostgreSQL 15 or later; this server is {server.version // 10_000}")
            if server.encoding != "UTF8":
                raise InvalidInput(f"Jobtail needs a database in UTF8; this one is in {server.encoding}")
            if not server.is_migrated:
                return None
            found = await connection.execute(text("SELECT version_num FROM alembic_version"))
            return found.scalar_one_or_none()


async def upgrade(engine: AsyncEngine, revision: str = "head") -> None:
    """Migrate forward. Several processes may do so at once: one works, the others wait for it.

    Raises:
        InvalidInput: if Jobtail cannot use this database, or a newer version has migrated it.
    """
    from alembic import command  # noqa: PLC0415 - costs memory that a migrated service does not need

    await _migrate(engine, lambda config: command.upgrade(config, revision))


async def downgrade(engine: AsyncEngine, revision: str = "base") -> None:
    """Migrate back. Whatever the later tables held is lost.

    Raises:
        InvalidInput: as `upgrade`.
    """
    from alembic import command  # noqa: PLC0415 - as above

    await _migrate(engine, lambda config: command.downgrade(config, revision))


async def _migrate(engine: AsyncEngine, command: Callable[[Config], None]) -> None:
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - as above

    found = await revision_of(engine)

    def run(connection: Connection) -> None:
        config = _config(connection)
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        if found is not None and found not in known:
            raise InvalidInput(f"the database is at revision {found!r}, made by a newer version: update Jobtail")
        command(config)

    with translated():
        async with engine.connect() as connection:
            await connection.run_sync(run)


def _config(connection: Connection) -> Config:
    from alembic.config import Config  # noqa: PLC0415 - as above

    config = Config()
    config.set_main_option("script_location", str(files("migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
