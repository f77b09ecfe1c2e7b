"""The tail hub, which follows jobs: the existing lines, then new ones, without gap or repeat, until the job ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from time import monotonic

from domain.announcements import Announcement
from domain.errors import InvalidInput, Unavailable
from domain.filters import LogFilter
from domain.live.job_tail import Follower, JobTail
from domain.live.shared_batches import SharedBatch
from domain.logs import TaskLog
from domain.pages import MAX_PAGE_SIZE
from domain.ports import JobStore, LogReader
from jobtail.events import JobStatus

RETRY_S = 0.5
"""How long a reader waits before it asks a store again that was away."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TailBatch:
    """What a reader gets at a time."""

    rows: Sequence[TaskLog]
    """Ascending by seq; may be empty."""
    cursor: int
    """Everything up to this seq was sent or did not match."""
    caught_up: bool
    last_seq: int
    job_status: JobStatus | None
    """Set on the last batch."""
    stretch: SharedBatch | None = None
    """What the rows are shared by, with all readers who were given the same."""


class TailHub:
    """All followed jobs of this process."""

    def __init__(self, logs: LogReader, jobs: JobStore) -> None:
        self._logs = logs
        self._jobs = jobs
        self._tails: dict[str, JobTail] = {}

    @property
    def tails(self) -> Sequence[JobTail]:
        return list(self._tails.values())

    def hear(self, announcement: Announcement) -> None:
        tail = self._tails.get(announcement.job_id)
        if tail is not None:
            tail.hear(announcement)

    @asynccontextmanager
    async def tail(self, job_id: str) -> AsyncIterator[JobTail]:
        """Share the job's tail for as long as the context lasts; the last one to leave takes it down."""
        tail = self._tails.setdefault(job_id, JobTail(job_id, self._logs, self._jobs))
        tail.readers += 1
        try:
            await tail.refresh()
            yield tail
        finally:
            tail.readers -= 1
            if tail.readers == 0:
                self._tails.pop(job_id, None)

    async def follow(
        self,
        job_id: str,
        log_filter: LogFilter,
        *,
        after: int | None = None,
        last: int | None = None,
    ) -> AsyncGenerator[TailBatch, None]:
        """Send what stands behind `after`, or the newest `last` lines, or neither; then what comes, until the job ends.

        The first batch may be empty: it says that the reader is caught up. A job that does not exist yet is waited for.

        Raises:
            InvalidInput: for a cursor or a count that cannot be.
            Unavailable: if the store is away at the start. Later it is waited for.
        """
        if last is not None and not 0 <= last <= MAX_PAGE_SIZE:
            raise InvalidInput(f"last must be between 0 and {MAX_PAGE_SIZE}, not {last}")
        async with self.tail(job_id) as tail:
            standing = tail.last_seq
            if after is not None and not 0 <= after <= standing:
                raise InvalidInput(f"the log ends at line {standing}, so nothing is behind {after}")
            cursor = standing if after is None else after
            if last is not None:
                cursor = await tail.newest(last, log_filter)
            with tail.following(cursor) as follower:
                async with aclosing(_batches(tail, follower, standing, log_filter)) as batches:
                    async for batch in batches:
                        yield batch


async def _batches(
    tail: JobTail, follower: Follower, standing: int, log_filter: LogFilter
) -> AsyncGenerator[TailBatch, None]:
    said_caught_up = False
    filter_key = repr(log_filter)
    while True:
        changed, begun = tail.changed, monotonic()
        try:
            stretch = await tail.next(follower.cursor, log_filter, filter_key)
        except Unavailable as error:
            log.warning("the tail of job %s waits for the database: %s", tail.job_id, error)
            await asyncio.sleep(max(RETRY_S, monotonic() - begun))  # what takes long is not tried all the time
            continue
        moved, cursor = stretch.cursor > follower.cursor, stretch.cursor
        follower.cursor = cursor
        if cursor >= tail.last_seq:
            follower.had_all_at = monotonic()
        caught_up = cursor >= standing
        ended = tail.has_ended and cursor >= tail.last_seq
        if stretch.rows or ended or (caught_up and not said_caught_up):
            said_caught_up = caught_up
            yield TailBatch(stretch.rows, cursor, caught_up, tail.last_seq, tail.status if ended else None, stretch)
        if ended:
            return
        if not moved:
            await _wait(tail, follower, changed)


async def _wait(tail: JobTail, follower: Follower, changed: asyncio.Event) -> None:
    """Wait for news or, where something stands that was not to be had yet, for a moment."""
    if follower.cursor >= tail.last_seq:
        follower.had_all_at = None
        await changed.wait()
        follower.had_all_at = monotonic()
    else:
        await asyncio.sleep(RETRY_S / 10)
