"""The upkeep beside the requests: makes weeks ahead of the clock, deletes what is too old, watches the size."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta

from domain.errors import JobtailError
from domain.retention import LONG, Retention
from domain.storage import Storage
from persistence.database import Database
from persistence.sql import statement
from persistence.upkeep.pruning import PostgresLogPruner

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
        row = await database.write(statement("ensure_week"), {"day": (start + timedelta(weeks=week)).date()})
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


async def keep_retention(url: str, retention: Retention) -> None:
    """Delete what is too old every hour, unless another process does. It has a connection of its own while it works."""
    while True:
        try:
            await _prune(url, retention)
        except JobtailError as error:
            log.warning("pruning ended early, going on in %d s: %s", RETRY_AFTER_S, error)
            await asyncio.sleep(RETRY_AFTER_S)
            continue
        await asyncio.sleep(LOOK_EVERY_S)


async def _prune(url: str, retention: Retention) -> None:
    async with Database(url, pool_size=1) as database:
        pruned = await PostgresLogPruner(database).prune(
            retention, datetime.now(UTC), whole_weeks=retention.longest >= LONG
        )
    if pruned and (pruned.weeks or pruned.lines):
        weeks = ", ".join(week.name for week in pruned.weeks) or "no partition"
        log.info("dropped %s, and deleted %d lines", weeks, sum(pruned.lines.values()))
    if pruned and pruned.in_use:
        log.warning("partition %s is in use, so it is left to the next look", pruned.in_use)


async def watch_storage(storage: Storage) -> None:
    """Warn every hour while the tables are larger than they are to be."""
    limit = storage.warning_bytes
    while limit is not None:
        try:
            if (size := await storage.total_bytes()) >= limit:
                log.warning("storage takes %d bytes, and the warning is set to %d: see docs/operating.md", size, limit)
        except JobtailError as error:
            log.warning("the size of the storage could not be had: %s", error)
        await asyncio.sleep(LOOK_EVERY_S)
