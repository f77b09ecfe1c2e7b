"""The job feed: one list of changed jobs for all who watch, which holds each job once, at its latest change."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from domain.announcements import Announcement
from domain.errors import Unavailable
from domain.filters import JobFilter
from domain.jobs import Job, JobPosition
from domain.ports import JobStore

MOST_CHANGES = 10_000
"""A watcher that sleeps through more changed jobs than this misses the oldest of them until they change again."""
PACE_S = 0.25
"""A job that changes faster than this is sent in its latest state only."""
LOOK_BACK = timedelta(minutes=10)
"""How long a finished job is looked at still: longer than any outage of the channel that goes unnoticed."""

log = logging.getLogger(__name__)


class JobFeed:
    """The changed jobs of this process. Nothing is kept while nobody watches."""

    def __init__(self, jobs: JobStore) -> None:
        self.watchers = 0
        self._jobs = jobs
        self._changes: OrderedDict[str, int] = OrderedDict()
        self._number = 0
        self._positions: dict[str, JobPosition] = {}
        self._changed = asyncio.Event()

    def hear(self, announcement: Announcement) -> None:
        if self.watchers:
            position = JobPosition(announcement.last_seq, announcement.status)
            self._positions[announcement.job_id] = position
            self._mark([announcement.job_id])

    async def look(self) -> None:
        """Find what no announcement told."""
        if not self.watchers:
            return
        found = await self._present()
        self._mark([job_id for job_id, position in found.items() if self._positions.get(job_id) != position])
        self._positions = dict(found)

    async def watch(self, job_filter: JobFilter) -> AsyncGenerator[Job, None]:
        """Send every matching job that is new or changes from now on."""
        with self._watching():
            seen = self._number
            if self.watchers == 1:
                self._positions = dict(await self._present())
            while True:
                changed = self._changed
                changes, seen_now = self._since(seen), self._number
                try:
                    jobs = await self._jobs.matching(changes, job_filter) if changes else ()
                except Unavailable as error:
                    log.warning("the feed of jobs waits for the database: %s", error)
                    await asyncio.sleep(PACE_S)
                    continue
                for job in jobs:
                    yield job
                seen = seen_now
                await (asyncio.sleep(PACE_S) if changes else changed.wait())

    async def _present(self) -> Mapping[str, JobPosition]:
        return await self._jobs.positions([], active_since=datetime.now(UTC) - LOOK_BACK)

    @contextmanager
    def _watching(self) -> Iterator[None]:
        self.watchers += 1
        try:
            yield
        finally:
            self.watchers -= 1
            if not self.watchers:
                self._changes.clear()
                self._positions = {}

    def _mark(self, job_ids: Sequence[str]) -> None:
        if not job_ids:
            return
        for job_id in job_ids:
            self._number += 1
            self._changes[job_id] = self._number
            self._changes.move_to_end(job_id)
        while len(self._changes) > MOST_CHANGES:
            self._changes.popitem(last=False)
        self._changed.set()
        self._changed = asyncio.Event()

    def _since(self, seen: int) -> list[str]:
        """List the jobs that changed after a number, the latest first."""
        found = []
        for job_id in reversed(self._changes):
            if self._changes[job_id] <= seen:
                break
            found.append(job_id)
        return found
