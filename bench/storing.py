"""Storing batches beside a plain INSERT of the same rows into the same table.

`storing` is the store alone: its statement, which keeps numbers, counters and positions too, and the making of its
arrays. `recording` is the recorder's whole path from a writer's batch: folding and announcing come on top.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from statistics import median
from uuid import uuid4

import orjson

from bench.figures import Figure
from domain.announcements import Announcement, Resync
from domain.batches import fold
from domain.recorder import Recorder
from jobtail.events import Batch, Line, LogLevel, NumberedEvent
from persistence.database import Database
from persistence.prepared_statements import Statement
from persistence.stores.log_store import PostgresLogStore

BATCHES = 400
LINES_A_TASK = 20

PLAIN = Statement(
    """
INSERT INTO task_logs (job_id, seq, execution_id, stage, task_id, timestamp, recorded_at, level, message, metadata)
SELECT $1::text, $2::bigint + line.ordinality, NULL, line.stage, line.task_id, line.at, now(), line.level, line.message,
    line.metadata::jsonb
FROM unnest($3::text[], $4::text[], $5::timestamptz[], $6::smallint[], $7::text[], $8::text[])
    WITH ORDINALITY AS line (stage, task_id, at, level, message, metadata, ordinality)
""",
    ("job_id", "start", "stages", "task_ids", "times", "levels", "messages", "metadata"),
    {},
    {},
)


Way = Callable[[Database, int], AsyncIterator[None]]


class Silent:
    """A channel that tells nobody: what is measured here is storing."""

    is_healthy = True

    def publish(self, announcement: Announcement) -> None:
        del announcement

    async def signals(self) -> AsyncIterator[Announcement | Resync]:
        return
        yield


def lines(job_id: str, count: int) -> list[Line]:
    """Make lines as working code writes them: 20 a task, some 90 characters each, every tenth with metadata."""
    at = datetime.now(UTC)
    return [
        Line(
            job_id=job_id,
            message=f"Scored candidate for requirement {number % LINES_A_TASK}: 0.{number % 97:02} of 1, evidence found in the resume",
            level=LogLevel.WARNING if number % 50 == 0 else LogLevel.INFO,
            stage="score_candidates",
            task_id=f"CNT_{number // LINES_A_TASK:05}",
            at=at,
            metadata={"score": number % 97, "requirement": number} if number % 10 == 0 else None,
        )
        for number in range(count)
    ]


async def measure(database: Database) -> list[Figure]:
    stored = [await _compare(database, _store, "storing", size) for size in (10, 100, 500)]
    return [*stored, await _compare(database, _record, "recording", 100)]


async def _compare(database: Database, way: Way, what: str, size: int) -> Figure:
    """Store batch after batch by turns, so that both ways meet the same machine, and compare the medians."""
    times: tuple[list[float], list[float]] = ([], [])
    ways = (way(database, size), _insert(database, lines(f"JB_{uuid4()}", BATCHES * size), size))
    for _ in range(BATCHES):
        for steps, spent in zip(ways, times, strict=True):
            start = time.perf_counter()
            await anext(steps)
            spent.append(time.perf_counter() - start)
    ours, plain = (size / median(spent) for spent in times)
    return Figure(what=f"{what}, {size} lines a batch", ours=ours, raw=plain, unit="rows/s")


async def plain_rate(database: Database, count: int, size: int) -> float:
    """Insert as many lines plainly, and tell how many a second."""
    said = lines(f"JB_{uuid4()}", count)
    start = time.perf_counter()
    async for _ in _insert(database, said, size):
        pass
    return count / (time.perf_counter() - start)


async def _store(database: Database, size: int) -> AsyncIterator[None]:
    """Store a folded batch at every step."""
    store, writer_id, now = PostgresLogStore(database), uuid4(), datetime.now(UTC)
    job_id = f"JB_{uuid4()}"
    events = [NumberedEvent(n, line) for n, line in enumerate(lines(job_id, BATCHES * size), 1)]
    folded = [fold(job_id, writer_id, events[n : n + size], now) for n in range(0, len(events), size)]
    for batch in folded:
        await store.append(batch)
        yield


async def _record(database: Database, size: int) -> AsyncIterator[None]:
    """Record a writer's batch at every step."""
    recorder = Recorder(PostgresLogStore(database), Silent())
    events = [NumberedEvent(n, line) for n, line in enumerate(lines(f"JB_{uuid4()}", BATCHES * size), 1)]
    writer_id = uuid4()
    for start in range(0, len(events), size):
        await recorder.record(Batch(writer_id, tuple(events[start : start + size])))
        yield


async def _insert(database: Database, said: Sequence[Line], size: int) -> AsyncIterator[None]:
    """Make arrays of the same lines at every step, as any program must that has lines, and insert them."""
    for start in range(0, len(said), size):
        part = said[start : start + size]
        columns = {
            "stages": [line.stage for line in part],
            "task_ids": [line.task_id for line in part],
            "times": [line.at for line in part],
            "levels": [line.level for line in part],
            "messages": [line.message for line in part],
            "metadata": [None if line.metadata is None else orjson.dumps(line.metadata).decode() for line in part],
        }
        await database.write(PLAIN, {"job_id": said[0].job_id, "start": start, **columns})
        yield
