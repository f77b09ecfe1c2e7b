"""Table sizes: read now and then, and remembered, since reading takes a while with many partitions."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from domain.errors import JobtailError
from persistence.database import Database
from persistence.sql import statement
from persistence.tables import metadata

LOOK_EVERY_S = 60.0

log = logging.getLogger(__name__)


class TableSizes:
    """The sizes of one database."""

    def __init__(self, database: Database, *, look_every_s: float = LOOK_EVERY_S) -> None:
        self.bytes: Mapping[str, int] = {}
        """By table; as they were at the last look, empty before the first."""
        self._database = database
        self._look_every_s = look_every_s

    async def keep(self) -> None:
        """Look again and again, for as long as the service runs."""
        while True:
            try:
                self.bytes = await table_sizes(self._database)
            except JobtailError as error:
                log.warning(
                    "the sizes of the tables cannot be had, trying again in %d s: %s", self._look_every_s, error
                )
            await asyncio.sleep(self._look_every_s)


async def table_sizes(database: Database) -> Mapping[str, int]:
    """Ask how many bytes each table takes, partitions, indexes and long values included."""
    rows = await database.fetch(statement("table_sizes"), {"names": sorted(metadata.tables)})
    return {row["name"]: row["bytes"] for row in rows}
