"""Use cases as those see them who call: each is worked by one class, which a view may stand before."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from domain.analysis.message_profiles import MessageProfile
from domain.filters import JobFilter, LogFilter
from domain.histogram import LogBucket
from domain.jobs import Job
from domain.live.job_tail import JobTail
from domain.live.tail_hub import TailBatch
from domain.recorder import Recorded, SeqRange
from jobtail.events import Batch, Event


class LogFollower(Protocol):
    """What sends the lines of a job as they come: a `TailHub`, or a view of it."""

    def tail(self, job_id: str) -> AbstractAsyncContextManager[JobTail]:
        """Share the job's tail for as long as the context lasts."""

    def follow(
        self, job_id: str, log_filter: LogFilter, *, after: int | None = None, last: int | None = None
    ) -> AsyncGenerator[TailBatch, None]:
        """Send the existing lines, then new ones."""


class JobWatcher(Protocol):
    """What tells of changed jobs: a `JobFeed`, or a view of it."""

    def watch(self, job_filter: JobFilter) -> AsyncGenerator[Job, None]:
        """Send every matching job that is new or changes from now on."""


class HistogramReader(Protocol):
    """What counts lines by time: `Timelines`, or a view of it."""

    async def histogram(self, job_id: str, buckets: int, log_filter: LogFilter) -> Sequence[LogBucket]:
        """Count lines in equal parts of their time."""


class ProfileReader(Protocol):
    """What tells what jobs say: `Profiles`, or a view of it."""

    async def profile(self, job_id: str) -> MessageProfile:
        """Count the messages of a job by fingerprint."""


class EventRecorder(Protocol):
    """What stores events: a `Recorder`, or a view of it."""

    async def record(self, batch: Batch, *, is_large: bool = False) -> Recorded:
        """Store a writer's batch."""

    async def record_job(
        self, job_id: str, events: Sequence[Event], *, execution_id: str | None = None, handler_name: str | None = None
    ) -> SeqRange:
        """Store events that no writer has numbered."""
