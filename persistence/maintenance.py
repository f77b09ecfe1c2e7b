"""Keeps the weekly partitions ahead of the clock."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta

from domain.errors import JobtailError
from persistence.database import Database
from persistence.sql import statement

WEEKS_AHEAD = 4
LOOK_EVERY_S = 3600.0
RETRY_AFTER_S = 10.0

log = logging.getLogger(__name__)


async def ensure_partitions(
    database: Database, *, today: datetime | None = None, weeks_ahead: int = WEEKS_AHEAD
) -> int:
    """Make the partitions of this week and of those ahead that are missing; tell how many were."""
    start = today or datetime.now(UTC)
    made = 0
    for week in range(weeks_ahead + 1):
        row = await database.write(statement("ensure_week"), (start + timedelta(weeks=week)).date())
        made += bool(row and row["is_made"])
    return made


async def keep_partitions(database: Database) -> None:
    """Look every hour, for as long as the service runs. The default partition catches what a fault leaves without one."""
    while True:
        try:
            made = await ensure_partitions(database)
        except JobtailError as error:
            log.warning("partitions could not be made, trying again in %d s: %s", RETRY_AFTER_S, error)
            await asyncio.sleep(RETRY_AFTER_S)
            continue
        if made:
            log.info("made %d weekly partitions", made)
        await asyncio.sleep(LOOK_EVERY_S)
