"""A followed job: how far its log is known to be, and the next of its lines for every reader.

Readers pull. A process keeps one `JobTail` a followed job, with a ring of its newest rows; every reader has a cursor of
its own and no queue. What is not in the ring is read from the store, so a reader may be as slow as it likes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from time import monotonic

from domain.announcements import Announcement
from domain.filters import EVERYTHING, LogFilter
from domain.jobs import Job, JobPosition
from domain.live.ring import BATCH_BYTES, BATCH_ROWS, RING_ROWS, Ring
from domain.live.shared_batches import SharedBatch, SharedBatches
from domain.logs import TaskLog
from domain.pages import Page, Window
from domain.ports import JobStore, LogReader
from domain.requests import LogPageRequest, LogScope
from domain.sliced_search import SLICE_LINES
from jobtail.events import JobStatus


@dataclass(slots=True, eq=False)
class Follower:
    """A reader of a job's lines, and how far it is."""

    cursor: int
    had_all_at: float | None
    """When it last had all that stood, by the monotonic clock; None while it waits for news."""


@dataclass(frozen=True, slots=True)
class Lag:
    """How far behind the readers are, those furthest behind."""

    lines: int = 0
    seconds: float = 0.0
    """Since it last had all that stood."""


class JobTail:
    """One followed job in this process: how far it is known to be, and its newest rows."""

    def __init__(self, job_id: str, logs: LogReader, jobs: JobStore) -> None:
        self.job_id = job_id
        self.last_seq = 0
        self.status: JobStatus | None = None
        """None until the job exists."""
        self.readers = 0
        self._followers: set[Follower] = set()
        self._logs = logs
        self._jobs = jobs
        self._ring: Ring | None = None
        self._job: Job | None = None
        self._version = 0
        self._job_version = -1
        self._stretches = SharedBatches()
        self._loads: dict[Hashable, asyncio.Event] = {}
        self._lock = asyncio.Lock()
        self._changed = asyncio.Event()

    async def refresh(self) -> None:
        """Ask the store where the job is. Announcements that come meanwhile are heard already."""
        position = (await self._jobs.positions([self.job_id], active_since=None)).get(self.job_id)
        if self._ring is None:
            self._ring = Ring(position.last_seq if position else 0)
        if position:
            self.learn(position)

    @property
    def changed(self) -> asyncio.Event:
        """Set at the next change. Take it before looking, then wait for it: no change falls between."""
        return self._changed

    @property
    def has_ended(self) -> bool:
        return self.status is not None and self.status.is_final

    def hear(self, announcement: Announcement) -> None:
        if self._ring is not None:
            self._ring.extend(announcement.rows)
        has_lines = announcement.first_seq <= announcement.last_seq
        if has_lines and announcement.last_seq <= self.last_seq and announcement.status is self.status:
            return  # heard already: whatever was stored along with its lines was looked at since
        self._set(announcement.last_seq, announcement.status, is_newer=announcement.last_seq >= self.last_seq)

    def learn(self, position: JobPosition) -> None:
        """Take over what the database says."""
        if (position.last_seq, position.status) != (self.last_seq, self.status):
            self._set(position.last_seq, position.status, is_newer=position.last_seq >= self.last_seq)

    def _set(self, last_seq: int, status: JobStatus, *, is_newer: bool) -> None:
        """A message that was overtaken says nothing of the status any more."""
        self.last_seq = max(self.last_seq, last_seq)
        if is_newer:
            self.status = status
        self._version += 1
        self._changed.set()
        self._changed = asyncio.Event()

    @contextmanager
    def following(self, cursor: int) -> Iterator[Follower]:
        """Count a reader of the lines among those that may lag, for as long as the context lasts."""
        follower = Follower(cursor, monotonic())
        self._followers.add(follower)
        try:
            yield follower
        finally:
            self._followers.discard(follower)

    def lag(self) -> Lag:
        """Look how far behind the readers of the lines are, by the lines that are known of."""
        behind = [follower for follower in self._followers if follower.cursor < self.last_seq]
        lines = max((self.last_seq - follower.cursor for follower in behind), default=0)
        since = min((follower.had_all_at for follower in behind if follower.had_all_at is not None), default=None)
        return Lag(lines, 0.0 if since is None else monotonic() - since)

    async def job(self) -> Job | None:
        """Load the job as it is now, once for all who ask after the same change."""
        async with self._lock:
            if self._job_version != self._version:
                version = self._version
                self._job = (await self._jobs.get([self.job_id])).get(self.job_id)
                self._job_version = version
            return self._job

    async def next(self, cursor: int, log_filter: LogFilter, filter_key: str) -> SharedBatch:
        """Give the next rows behind a cursor that match, or none, and the same cursor, where they are not to be had yet.

        Readers who ask for the same get the same. What has to be loaded for several is loaded by the first of them.
        """
        while cursor < self.last_seq:
            shared = self._stretches.find(filter_key, cursor, self.last_seq)
            if shared is not None:
                return shared
            assert self._ring is not None, "a tail is opened before it is read"
            if self._ring.start <= cursor < self._ring.end:
                rows = self._ring.after(cursor, _length(cursor))
                found = [row for row in rows if log_filter.matches(row)]
                return self._share(SharedBatch(found, rows[-1].seq), cursor, filter_key)
            if cursor < self._ring.start:
                async with self._loading((filter_key, cursor)) as is_first:
                    if is_first:
                        return self._share(await self._read(cursor, log_filter, self._ring.start), cursor, filter_key)
            else:
                end = self._ring.end
                async with self._loading(None) as is_first:
                    if is_first:
                        await self._fill()
                if self._ring.end == end:
                    break
        return SharedBatch((), cursor)

    def _share(self, stretch: SharedBatch, after: int, filter_key: str) -> SharedBatch:
        if self.readers > 1:
            self._stretches.keep(filter_key, after, stretch)
        return stretch

    @asynccontextmanager
    async def _loading(self, what: Hashable) -> AsyncIterator[bool]:
        """Let one reader load something; the others wait until it has, or has failed, and then look for themselves."""
        loaded = self._loads.get(what)
        if loaded is not None:
            await loaded.wait()
            yield False
            return
        loaded = self._loads[what] = asyncio.Event()
        try:
            yield True
        finally:
            del self._loads[what]
            loaded.set()

    async def _fill(self) -> None:
        """Bring into the ring what is known to stand in the store.

        Where lines were pruned before anybody read them the ring begins anew behind: readers pass that place by the store.
        """
        assert self._ring is not None, "a tail is opened before it is read"
        if (known := self.last_seq) - self._ring.end > RING_ROWS:
            self._ring.skip_to(known - BATCH_ROWS)
        page = await self._page(Window(limit=BATCH_ROWS, after=self._ring.end), EVERYTHING)
        self._ring.extend(page.items)
        reached = page.items[-1].seq if page.has_next else known
        if self._ring.end < reached:
            self._ring.skip_to(reached)

    async def _read(self, cursor: int, log_filter: LogFilter, end: int) -> SharedBatch:
        if log_filter.has_pattern:
            end = min(end, cursor + SLICE_LINES)
        limit = _length(cursor) if log_filter == EVERYTHING else BATCH_ROWS
        page = await self._page(Window(limit=limit, after=cursor, before=end + 1), log_filter)
        return SharedBatch(page.items, page.items[-1].seq if page.has_next else end)

    async def newest(self, count: int, log_filter: LogFilter) -> int:
        """Find the cursor before the newest `count` rows that match."""
        before, missing, has_more = self.last_seq + 1, count, True
        while missing and has_more:
            floor = max(before - 1 - SLICE_LINES, 0) if log_filter.has_pattern else 0
            page = await self._page(Window(limit=missing, after=floor, before=before, backward=True), log_filter)
            missing -= len(page.items)
            is_cut = page.has_previous or not missing
            before = page.items[0].seq if is_cut else floor + 1
            has_more = is_cut or floor > 0
        return before - 1

    async def _page(self, window: Window[int], log_filter: LogFilter) -> Page[TaskLog]:
        scope = LogScope(job_id=self.job_id)
        request = LogPageRequest(scope=scope, window=window, filter=log_filter, max_bytes=BATCH_BYTES)
        (page,) = await self._logs.pages([request])
        return page


def _length(cursor: int) -> int:
    """Tell how many lines a batch has at most: up to one of fixed places, where readers who are behind find together."""
    return BATCH_ROWS - cursor % BATCH_ROWS
