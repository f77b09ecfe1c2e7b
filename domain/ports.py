"""The ports: what the domain asks of the world around it. Adapters live in persistence/, fakes beside the contract tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from domain.announcements import Announcement, Resync
from domain.batches import AlreadyAt, Appended, JobBatch
from domain.executions import Execution, ExecutionLine
from domain.filters import ExecutionFilter, JobFilter, LogFilter
from domain.histogram import TimeCount
from domain.jobs import Job, JobPosition
from domain.logs import LogExtent, SaidMessage, TaskLog
from domain.pages import Page
from domain.requests import (
    ExecutionLogCount,
    ExecutionLogPageRequest,
    ExecutionPageRequest,
    JobPageRequest,
    LogCount,
    LogPageRequest,
    NewestLogRequest,
    TaskPageRequest,
    TimeCountRequest,
)
from domain.stages.job_stages import Hierarchy
from domain.stages.stage_status import StageRecord, TaskRecord


class LogChannel(Protocol):
    """Carries announcements between processes. One that is lost, doubled or late costs time, never a line."""

    @property
    def is_healthy(self) -> bool:
        """Whether announcements are flowing now."""

    def publish(self, announcement: Announcement) -> None:
        """Hand it over for sending. Never blocks and never raises; over its bound the oldest are forgotten."""

    def signals(self) -> AsyncIterator[Announcement | Resync]:
        """Everything announced by any process, this one too. For one consumer in a process."""


class JobStore(Protocol):
    async def get(self, job_ids: Sequence[str]) -> Mapping[str, Job]:
        """Load jobs by id. Ids that are unknown are left out."""

    async def pages(self, requests: Sequence[JobPageRequest]) -> Sequence[Page[Job]]:
        """Load pages in one statement, in the order of the requests."""

    async def matching(self, job_ids: Sequence[str], job_filter: JobFilter) -> Sequence[Job]:
        """Load those of the jobs that match, in order of creation, the oldest first."""

    async def counts(self, job_filters: Sequence[JobFilter]) -> Sequence[int]:
        """Count the jobs that match each filter, in one statement."""

    async def positions(self, job_ids: Sequence[str], *, active_since: datetime | None) -> Mapping[str, JobPosition]:
        """Tell how far jobs are: those named and, given a time, all that are unfinished or finished since then."""


class TaskStore(Protocol):
    async def hierarchies(self, job_ids: Sequence[str]) -> Mapping[str, Hierarchy]:
        """Load jobs with their tasks in one statement. Ids that are unknown are left out."""

    async def stages(self, job_ids: Sequence[str]) -> Mapping[str, Sequence[StageRecord]]:
        """Load all stages of each job, in order of first occurrence."""

    async def pages(self, requests: Sequence[TaskPageRequest]) -> Sequence[Page[TaskRecord]]:
        """Load pages in one statement, in the order of the requests."""

    async def get(self, job_id: str, stage: str, task_id: str) -> TaskRecord | None:
        """Load one task."""

    async def jobs_of(
        self, task_id: str, *, job_id: str | None = None, job_prefix: str | None = None, limit: int
    ) -> Sequence[str]:
        """List the jobs that have a task of that id, ascending; with `job_id` that job or none."""


class LogWriter(Protocol):
    """What a recorder stores with."""

    async def append(self, batch: JobBatch) -> Appended | AlreadyAt:
        """Store a job's batch, all or nothing, and commit."""


class LogReader(Protocol):
    """What pages of lines are read from."""

    async def pages(self, requests: Sequence[LogPageRequest]) -> Sequence[Page[TaskLog]]:
        """Load pages in one statement, in the order of the requests."""

    async def counts(self, requests: Sequence[LogCount]) -> Sequence[int]:
        """Count lines, from the kept counters where the filters allow it: those who ask alike in one statement."""


class ExecutionStore(Protocol):
    """With a `job_prefix` an execution is what the jobs make of it whose ids begin so."""

    async def get(self, execution_ids: Sequence[str], *, job_prefix: str | None = None) -> Mapping[str, Execution]:
        """Load executions by id. Ids that no job has are left out."""

    async def pages(self, requests: Sequence[ExecutionPageRequest]) -> Sequence[Page[Execution]]:
        """Load pages, in the order of the requests."""

    async def count(self, execution_filter: ExecutionFilter) -> int:
        """Count the executions that match."""

    async def log_pages(self, requests: Sequence[ExecutionLogPageRequest]) -> Sequence[Page[ExecutionLine]]:
        """Load pages of lines in one statement, in the order of the requests."""

    async def log_counts(self, requests: Sequence[ExecutionLogCount]) -> Sequence[int]:
        """Count lines in one statement, from the kept counters where the filters allow it."""


class LogTimes(Protocol):
    async def extent(self, job_id: str) -> LogExtent | None:
        """Tell where the lines of a job lie, None where it has none."""

    async def counts(self, request: TimeCountRequest) -> Sequence[TimeCount]:
        """Count lines that match, in one statement of bounded time.

        Raises:
            OutOfTime: if it takes longer.
        """


class LogMessages(Protocol):
    async def said(self, job_id: str, *, after: int, upto: int) -> Sequence[SaidMessage]:
        """Load what the lines of a job say from one seq, exclusive, to another one, inclusive; ascending."""


class NewestLogStore(Protocol):
    """Every call looks at a bounded number of lines and batches, however few there are that match."""

    async def page(self, request: NewestLogRequest) -> Page[TaskLog]:
        """Load a page. One that ends before the list does, for what was looked at, says so by `scanned_to`."""

    async def count(self, log_filter: LogFilter, job_filter: JobFilter) -> int:
        """Count the lines that match, from the kept counters where the filter allows it.

        Raises:
            InvalidInput: where they do not, and more lines would have to be read than a call may.
        """
