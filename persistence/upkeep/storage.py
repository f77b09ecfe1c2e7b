"""The storage report: how much room the tables take in Postgres."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg

from domain.storage import HandlerStorage, Partition
from persistence.database import Database
from persistence.sql import statement
from persistence.upkeep.table_sizes import table_sizes

COUNTED_BYTES = 16 * 1024 * 1024
"""The lines of a partition up to this size are counted."""
LINE_BYTES = 150
"""About what a line takes beside its content: its other columns, its row's header, its index entry."""
MOST_HANDLERS = 1_000
PATIENCE_S = 8.0


class PostgresStorage:
    """Satisfies `domain.storage.Storage`."""

    def __init__(self, database: Database, *, warning_bytes: int | None = None) -> None:
        self._database = database
        self.warning_bytes = warning_bytes

    async def total_bytes(self) -> int:
        return sum((await table_sizes(self._database)).values())

    async def partitions(self) -> Sequence[Partition]:
        return [partition_of(row) for row in await self._rows("partitions", counted_bytes=COUNTED_BYTES)]

    async def handlers(self) -> Sequence[HandlerStorage]:
        return [
            HandlerStorage(
                handler_name=row["handler_name"],
                jobs=row["jobs"],
                lines=row["lines"],
                size=round(row["share"] * row["size_of_all"]),
            )
            for row in await self._rows("handlers", line_bytes=LINE_BYTES, most=MOST_HANDLERS)
        ]

    async def _rows(self, name: str, **values: Any) -> Sequence[asyncpg.Record]:
        return await self._database.fetch(statement(name), values, within_s=PATIENCE_S)


def partition_of(row: asyncpg.Record) -> Partition:
    return Partition(
        name=row["name"],
        since=row["since"],
        until=row["until"],
        size=row["size"],
        lines=row["lines"],
        oldest=row["oldest"],
        newest=row["newest"],
    )
