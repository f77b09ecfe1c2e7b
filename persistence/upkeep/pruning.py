"""Deletes lines that are too old: week by week where all of a week is, else step by step in the order of their storing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeAlias

import asyncpg

from domain.logs import EARLIEST
from domain.retention import DroppedWeek, Pruned, PrunedLevels, Retention, Span
from domain.storage import Partition
from jobtail.events import LogLevel
from persistence.database import Database
from persistence.sql import statement
from persistence.tables import level_bits
from persistence.upkeep.storage import COUNTED_BYTES, partition_of

Driver: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

LOCK_S = 1.2
"""How long a drop waits for who uses the partition, while all others wait behind it. After deadlock_timeout, a second,
Postgres ends an autovacuum that is in the way."""
DROP_TRIES = 10
DROP_PAUSE_S = 3.0
"""Together they outlast any statement of ours."""
PAUSE_S = 0.05
"""The least time between two steps. It is as long as the step was, if that is more: half of the time is the requests'."""
STEP_LINES = 5_000
STEP_BATCHES = 5_000
ANY_NUMBER = 2**62

BEGIN_RUN = "SELECT pg_try_advisory_lock(hashtext('jobtail_prune'))"
END_RUN = "SELECT pg_advisory_unlock(hashtext('jobtail_prune'))"
BY_KEYS = [
    f"SET LOCAL {way} = off" for way in ("enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin")
]
"""Postgres takes tables that were never analysed for small, and would read all of them at every step."""


class PostgresLogPruner:
    """Satisfies `domain.retention.LogPruner`. A run has one connection from its beginning to its end."""

    def __init__(self, database: Database, *, pause_s: float = PAUSE_S) -> None:
        self._database = database
        self._pause_s = pause_s

    async def pruned_levels(self) -> PrunedLevels:
        return _levels(await self._database.fetch(statement("pruned_levels"), {}))

    async def prune(
        self, retention: Retention, now: datetime, *, whole_weeks: bool = False, is_dry: bool = False
    ) -> Pruned | None:
        async def run(driver: Driver) -> Pruned | None:
            if not await driver.fetchval(BEGIN_RUN):
                return None
            try:
                run = _Run(driver, self._pause_s, is_dry=is_dry)
                await run.prune(retention, now, whole_weeks=whole_weeks)
            finally:
                if not driver.is_closed():
                    await driver.execute(END_RUN)
            return run.pruned

        return await self._database.driven(run)


def _levels(rows: Iterable[asyncpg.Record]) -> PrunedLevels:
    return {LogLevel(row["level"]): row["before"] for row in rows}


class BatchKey(NamedTuple):
    """A place among the batches, as their key has it."""

    recorded_at: datetime
    job_id: str = ""
    first_seq: int = 0


class _Run:
    """One way through everything that is too old."""

    def __init__(self, driver: Driver, pause_s: float, *, is_dry: bool) -> None:
        self.pruned = Pruned()
        self._driver = driver
        self._pause_s = pause_s
        self._is_dry = is_dry

    async def prune(self, retention: Retention, now: datetime, *, whole_weeks: bool) -> None:
        known = _levels(await self._fetch("pruned_levels"))
        whole, *parts = retention.spans(now)
        reached = await self._prune_all(_until_monday(whole) if whole_weeks else whole)
        for span in parts:
            begun = min(known.get(level, EARLIEST) for level in span.levels)
            await self._prune_lines(span, max(begun, reached), STEP_LINES)
            reached = span.before

    async def _prune_all(self, span: Span) -> datetime:
        """Prune what is too old for every level; tell up to when.

        It begins with the first batch there is: an earlier run may have been ended between a week and its batches.
        """
        dropped, before = EARLIEST, span.before
        for week in await self._weeks(span):
            if not await self._drop(week, span.levels):
                assert week.since is not None, "a week has bounds"
                before = week.since
                break
            dropped = week.until or dropped
        if not self._is_dry:
            await self._prune_lines(Span(levels=span.levels, before=dropped), EARLIEST, ANY_NUMBER)
        await self._prune_lines(Span(levels=span.levels, before=before), dropped, STEP_LINES)
        return before

    async def _weeks(self, span: Span) -> Sequence[Partition]:
        """List the partitions all of which is too old."""
        rows = await self._fetch("partitions", counted_bytes=COUNTED_BYTES)
        weeks = [partition_of(row) for row in rows]
        return [week for week in weeks if week.until is not None and week.until <= span.before]

    async def _drop(self, week: Partition, levels: Iterable[LogLevel]) -> bool:
        """Drop a partition; tell whether that could be done."""
        if not self._is_dry and not await self._could_drop(week, levels):
            self.pruned.in_use = week.name
            return False
        self.pruned.weeks.append(DroppedWeek(name=week.name, lines=week.lines, size=week.size))
        return True

    async def _could_drop(self, week: Partition, levels: Iterable[LogLevel]) -> bool:
        for attempt in range(DROP_TRIES):
            if attempt:
                await asyncio.sleep(DROP_PAUSE_S)
            try:
                async with self._driver.transaction():
                    await self._driver.execute(f"SET LOCAL lock_timeout = {round(1000 * LOCK_S)}")
                    await self._fetch("drop_week", week=week.name)
                    await self._mark(levels, week.until)
            except asyncpg.LockNotAvailableError:
                continue
            return True
        return False

    async def _mark(self, levels: Iterable[LogLevel], before: datetime | None) -> None:
        await self._fetch("mark_pruned", levels=sorted(levels), before=before)

    async def _prune_lines(self, span: Span, begun: datetime, most_lines: int) -> None:
        """Delete the lines of a span, step by step from a time on."""
        place: BatchKey | None = BatchKey(begun)
        while place is not None and place.recorded_at < span.before:
            started = time.monotonic()
            async with self._driver.transaction():
                for setting in BY_KEYS:
                    await self._driver.execute(setting)
                place = await self._step(span, place, most_lines)
            if place is not None:
                await asyncio.sleep(max(self._pause_s, time.monotonic() - started))
        if not self._is_dry and begun < span.before:
            await self._mark(span.levels, span.before)

    async def _step(self, span: Span, place: BatchKey, most_lines: int) -> BatchKey | None:
        """Go one step; tell the place that it came to, None at the end."""
        rows = await self._fetch(
            "prune_lines",
            **place._asdict(),
            before=span.before,
            levels=sorted(span.levels),
            level_bits=level_bits(span.levels),
            most_batches=STEP_BATCHES,
            most_lines=most_lines,
            is_dry=self._is_dry,
        )
        for row in rows:
            if row["level"] is not None:
                self.pruned.add(LogLevel(row["level"]), row["lines"], row["size"])
        return BatchKey(*rows[0][:3]) if rows else None

    async def _fetch(self, name: str, **values: Any) -> Sequence[asyncpg.Record]:
        asked = statement(name)
        return await self._driver.fetch(asked.text, *asked.arguments(values))


def _until_monday(span: Span) -> Span:
    """Leave what was stored in the week that is not too old yet as a whole."""
    midnight = span.before.replace(hour=0, minute=0, second=0, microsecond=0)
    return Span(levels=span.levels, before=midnight - timedelta(days=midnight.weekday()))
