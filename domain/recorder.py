"""The write use case: a batch is stored, committed, and only then announced."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from domain.announcements import Announcement
from domain.batches import Appended, JobBatch, fold
from domain.errors import InvalidInput
from domain.logs import TaskLog, storable_label
from domain.memory import memory_of
from domain.ports import LogChannel, LogWriter
from jobtail.events import Batch, Event, NumberedEvent

CARRIED_BYTES = 8_000
"""An announcement stays small: of rows larger than this in all it tells the range, and readers load them. What a channel can
carry is its own matter."""
CARRIED_METADATA_BYTES = 64 * 1024
"""What their metadata may take in memory: what is carried is held by every process that follows the job."""
ROW_BYTES = 150
"""What a row takes beside its message, at least."""

STATEMENT_EVENTS = 20_000
"""So many events of a job are stored at once: statements end in time, however large a batch is. What a fault leaves is sent
again, and what was stored of it is passed by its numbers."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """Events that were stored now, and those that had been before."""

    stored: int
    skipped: int


@dataclass(frozen=True, slots=True)
class SeqRange:
    """The numbers of a batch's lines; `last` is below `first` where it had none."""

    first: int
    last: int


def _now() -> datetime:
    return datetime.now(UTC)


class Recorder:
    """Stores what jobs say. Any number may work on the same jobs, in any number of processes."""

    def __init__(
        self,
        logs: LogWriter,
        channel: LogChannel,
        *,
        ring: Callable[[Announcement], None] | None = None,
        clock: Callable[[], datetime] = _now,
        statement_events: int = STATEMENT_EVENTS,
    ) -> None:
        """`ring` is told of stored lines at once: who follows the job in this process need not wait for the channel."""
        self._logs = logs
        self._ring = ring
        self._channel = channel
        self._clock = clock
        self._statement_events = statement_events

    async def record(self, batch: Batch, *, is_large: bool = False) -> Recorded:
        """Store a writer's batch, job by job, by statements of bounded size. It may be sent again after any fault.

        A large one, of megabytes, is folded in a thread: others must not wait for it.

        Raises:
            Unavailable: if not everything is known to be stored.
        """
        by_job: dict[str, list[NumberedEvent]] = {}
        for numbered in batch.events:
            by_job.setdefault(numbered.event.job_id, []).append(numbered)
        stored = 0
        for job_id, events in by_job.items():
            stored += await self._store_once(job_id, batch.writer_id, events, is_large=is_large)
        return Recorded(stored, len(batch.events) - stored)

    async def record_job(
        self,
        job_id: str,
        events: Sequence[Event],
        *,
        execution_id: str | None = None,
        handler_name: str | None = None,
    ) -> SeqRange:
        """Store events that no writer has numbered, as often as this is called, and tell the numbers of their lines.

        The execution and the handler become the job's where it has none yet, from whatever source; it does not start anew.

        Raises:
            Unavailable: if they are not known to be stored.
        """
        numbered = [NumberedEvent(n, event) for n, event in enumerate(events, 1)]
        now = self._clock()
        batch = fold(_key(job_id), None, numbered, now, execution_id=execution_id, handler_name=handler_name)
        outcome = await self._logs.append(batch)
        assert isinstance(outcome, Appended), "without a writer nothing can have been stored before"
        self._announce(batch, outcome)
        return SeqRange(outcome.last_seq - len(batch.lines) + 1, outcome.last_seq)

    async def _store_once(
        self, job_id: str, writer_id: UUID | None, events: Sequence[NumberedEvent], *, is_large: bool
    ) -> int:
        """Store what the writer's position has not passed yet, and tell how many events that were."""
        stored, key = 0, _key(job_id)
        while events:
            part = events[: self._statement_events] if writer_id is not None else events
            arguments = (key, writer_id, part, self._clock())
            batch = await asyncio.to_thread(fold, *arguments) if is_large else fold(*arguments)
            outcome = await self._logs.append(batch)
            if isinstance(outcome, Appended):
                self._announce(batch, outcome)
                stored, events = stored + len(part), events[len(part) :]
            else:
                events = [numbered for numbered in events if numbered.n > outcome.last_n]
        return stored

    def _announce(self, batch: JobBatch, appended: Appended) -> None:
        rows = tuple(_rows(batch, appended)) if _is_carried(batch) else ()
        announcement = Announcement(
            job_id=batch.job_id,
            first_seq=appended.last_seq - len(batch.lines) + 1,
            last_seq=appended.last_seq,
            status=appended.status,
            rows=rows,
        )
        if self._ring is not None and batch.lines:
            self._ring(announcement)
        self._channel.publish(announcement)


def _is_carried(batch: JobBatch) -> bool:
    count = len(batch.lines)
    if count * ROW_BYTES > CARRIED_BYTES or sum(len(line.message) for line in batch.lines) > CARRIED_BYTES:
        return False
    return sum(memory_of(line.metadata) for line in batch.lines if line.metadata) <= CARRIED_METADATA_BYTES


def _key(job_id: str) -> str:
    if not job_id:
        raise InvalidInput("a job id cannot be empty")
    return storable_label(job_id)


def _rows(batch: JobBatch, appended: Appended) -> Iterator[TaskLog]:
    for seq, line in enumerate(batch.lines, appended.last_seq - len(batch.lines) + 1):
        yield TaskLog(
            job_id=batch.job_id,
            seq=seq,
            execution_id=appended.execution_id,
            stage=line.stage,
            task_id=line.task_id,
            timestamp=line.at,
            recorded_at=appended.recorded_at,
            level=line.level,
            message=line.message,
            metadata=line.metadata,
        )
