"""The form of the database: all that migrations made, what of it a restore has lost, and whether texts sort as they did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, Constraint, PrimaryKeyConstraint, text
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.schema import AddConstraint, CreateIndex, DropIndex

from persistence.database import Database
from persistence.errors import translated
from persistence.queries.log_filters import SEARCH_FOLD
from persistence.sql import statement
from persistence.tables import metadata

FUNCTIONS = ("played_line", "played_text", "shown_text", "task_logs_drop_week", "task_logs_ensure_week")
MIGRATION_LOCK = 7_062_837_465_201
"""The key of the advisory lock under which the form is changed; any number that nothing else in the database uses."""
MAKE_COLLATION = f"CREATE COLLATION IF NOT EXISTS {SEARCH_FOLD} (provider = {{provider}}, locale = 'C.UTF-8')"
BUILTIN_SINCE = 170_000


class Part(NamedTuple):
    """A table, an index, a constraint, a function or a collation."""

    kind: str
    name: str
    of_table: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def parts() -> Iterator[Part]:
    """List all that there should be."""
    yield Part("collation", SEARCH_FOLD)
    yield from (Part("function", name) for name in FUNCTIONS)
    for table in metadata.sorted_tables:
        yield Part("table", table.name)
        yield from (Part("constraint", str(each.name), table.name) for each in table.constraints)
        yield from (Part("index", str(index.name), table.name) for index in table.indexes)


async def missing_parts(database: Database) -> Sequence[Part]:
    """Find what is not there, or not valid."""
    kinds, names, tables = zip(*parts(), strict=True)
    wanted = {"kinds": kinds, "names": names, "tables": tables}
    return sorted(Part(*row) for row in await database.fetch(statement("missing_parts"), wanted))


def needed(missing: Iterable[Part]) -> list[Part]:
    """Choose those without which no line can be stored."""
    keys = {str(each.name) for table in metadata.tables.values() for each in _keys(table.constraints)}
    return [part for part in missing if part.kind in {"table", "function"} or part.name in keys]


async def mend(engine: AsyncEngine, missing: Iterable[Part]) -> None:
    """Make what is missing again, one process at a time. Tables and functions are not: their rows would be gone.

    Raises:
        UnstorableContent: if rows are there that a constraint forbids.
    """
    with translated():
        async with engine.begin() as connection:
            await connection.run_sync(_mend, [part for part in missing if part.kind not in {"table", "function"}])


def _mend(connection: Connection, missing: Iterable[Part]) -> None:
    connection.execute(text("SET LOCAL statement_timeout = '15min'"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
    for part in missing:
        if part.kind == "collation":
            version = connection.execute(text("SELECT current_setting('server_version_num')::int")).scalar_one()
            provider = "builtin" if version >= BUILTIN_SINCE else "libc"
            connection.execute(text(MAKE_COLLATION.format(provider=provider)))
        elif part.kind == "index":
            (index,) = (each for each in metadata.tables[part.of_table].indexes if each.name == part.name)
            connection.execute(DropIndex(index, if_exists=True))  # one that was not finished is there, and not valid
            connection.execute(CreateIndex(index))
        else:
            (constraint,) = (each for each in metadata.tables[part.of_table].constraints if each.name == part.name)
            connection.execute(AddConstraint(constraint, isolate_from_table=False))


async def changed_collations(database: Database) -> Sequence[str]:
    """Say of the database, and of our collation, when another version sorts than built its indexes."""
    rows = await database.fetch(statement("changed_collations"), {"collation": SEARCH_FOLD})
    return [
        f"{row['name']} was indexed by version {row['built']} of its collation, and this server has {row['present']}: "
        f"lines may not be found, so run REINDEX DATABASE and ALTER {row['name'].upper().partition(' ')[0]} "
        f"{row['name'].partition(' ')[2]} REFRESH COLLATION VERSION"
        for row in rows
    ]


def _keys(constraints: Iterable[Constraint]) -> Iterator[Constraint]:
    return (each for each in constraints if isinstance(each, PrimaryKeyConstraint))
