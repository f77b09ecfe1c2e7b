"""The database that the settings name, opened: for the service, and for commands beside it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from domain.access import TokenStore
from domain.errors import InvalidInput
from domain.retention import LogPruner
from graph.http.health import Ailments
from graph.settings import Settings
from persistence.database import Database, Watch
from persistence.database_form import changed_collations, mend, missing_parts, needed
from persistence.embedded.embedded_server import DataDirectoryInUse, EmbeddedPostgres
from persistence.migration import HEAD, revision_of, upgrade
from persistence.stores.token_store import PostgresTokenStore
from persistence.upkeep.maintenance import ensure_partitions
from persistence.upkeep.pruning import PostgresLogPruner

AFTER_RESTORE = "a restore may have lost it: restore it again, or run `jobtail-server migrate`"

log = logging.getLogger(__name__)


@asynccontextmanager
async def open_database(
    settings: Settings, ailments: Ailments | None = None, *, watch: Watch | None = None
) -> AsyncIterator[tuple[str, Database]]:
    """Connect to the configured database, or start the embedded one, and make it if need be; yield its URL too."""
    async with AsyncExitStack() as stack:
        url = settings.database_url
        if url is None:
            server = await stack.enter_async_context(EmbeddedPostgres(settings.data_dir))
            url = server.url
            if ailments is not None:
                ailments.ask(lambda: server.needs_restart)
        yield url, await stack.enter_async_context(Database(url, pool_size=settings.pool_size, watch=watch))


@asynccontextmanager
async def existing_database(settings: Settings) -> AsyncIterator[Database]:
    """Connect to the service's database as it is, though the service may be running with its embedded one.

    Raises:
        InvalidInput: if there is none: only a service makes one.
    """
    async with AsyncExitStack() as stack:
        embedded = EmbeddedPostgres(settings.data_dir)
        if settings.database_url is None and not embedded.has_data:
            raise InvalidInput(
                f"there is no data in {embedded.directory}: set DATABASE_URL, or JOBTAIL_DATA_DIR to the directory of a "
                "service; `jobtail-server serve` makes a new one"
            )
        try:
            _, database = await stack.enter_async_context(open_database(settings))
        except DataDirectoryInUse:
            database = await stack.enter_async_context(Database(embedded.running_url, pool_size=1))
        yield database


@asynccontextmanager
async def beside_service(settings: Settings) -> AsyncIterator[Database]:
    """Connect to the service's database as this version needs it.

    Raises:
        InvalidInput: if there is none, or if it is not of this version.
    """
    async with existing_database(settings) as database:
        await prepare(database, is_embedded=settings.database_url is None)
        yield database


@asynccontextmanager
async def open_tokens(settings: Settings) -> AsyncIterator[TokenStore]:
    """Reach the tokens of a service, whether it is running or not."""
    async with beside_service(settings) as database:
        yield PostgresTokenStore(database)


@asynccontextmanager
async def open_pruner(settings: Settings) -> AsyncIterator[LogPruner]:
    """Reach the lines of a service, whether it is running or not."""
    async with beside_service(settings) as database:
        yield PostgresLogPruner(database)


async def prepare(database: Database, *, is_embedded: bool) -> None:
    """See to it that the tables are there. Only the embedded database, which is ours alone, is migrated unasked.

    Raises:
        InvalidInput: if another database has not been migrated, or not by this version.
    """
    revision = await revision_of(database.engine)
    if revision != HEAD and is_embedded:
        await upgrade(database.engine)
    elif revision != HEAD:
        found = f"at revision {revision}" if revision else "not set up for Jobtail yet"
        raise InvalidInput(
            f"the database is {found}, and this version needs {HEAD}: run `jobtail-server migrate` first"
        )
    await check_form(database, is_mended=is_embedded)
    await ensure_partitions(database)


async def check_form(database: Database, *, is_mended: bool) -> Sequence[str]:
    """See what a restore has lost, and make it again if that is wanted; name what was.

    Raises:
        InvalidInput: if something is missing without which no line can be stored.
    """
    missing = lost = await missing_parts(database)
    if lost and is_mended:
        await mend(database.engine, lost)
        missing = await missing_parts(database)
    if missing:
        said = f"the database lacks what migrations made there: {', '.join(map(str, missing))}; {AFTER_RESTORE}"
        if needed(missing):
            raise InvalidInput(said)
        log.warning("%s", said)
    for changed in await changed_collations(database):
        log.warning("%s", changed)
    return [str(part) for part in lost if part not in missing]
