"""The ports: what the domain asks of the world around it. Adapters live in persistence/, fakes beside the contract tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol, TypeAlias

from domain.batches import AlreadyAt, Appended, JobBatch
from domain.executions import Execution, ExecutionLine
from domain.filters import ExecutionFilter, JobFilter, LogFilter
from domain.histogram import TimeCount
from domain.jobs import Job
from domain.logs import TaskLog
from domain.pages import MAX_PAGE_BYTES, Page, Window
from domain.stages.job_stages import Hierarchy
from domain.stages.stage_status import StageRecord, TaskRecord
from domain.written_lines import Members
from jobtail.events import JobStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """What the doorbell says after a commit: a job has changed, and which lines are new."""

    job_id: str
    first_seq: int
    last_seq: int
    """The job's newest seq after the commit; below `first_seq` where no line was stored."""
    status: JobStatus
    rows: tuple[TaskLog, ...] = ()
    """The new lines, all of them or, where they are too large to carry, none."""


@dataclass(frozen=True, slots=True)
class Resync:
    """The channel was away: announcements may have been missed, so look at the database."""


class LogChannel(Protocol):
    """Carries announcements between processes. One that is lost, doubled or late costs time, never a line."""

    @property
    def is_healthy(self) -> bool:
        """Whether announcements are flowing now."""

    def publish(self, announcement: Announcement) -> None:
        """Hand it over for sending. Never blocks and never raises; over its bound the oldest are forgotten."""

    def signals(self) -> AsyncIterator[Announcement | Resync]:
        """Everything announced by any process, this one too. For one consumer in a process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPageRequest:
    """Jobs by creation, the newest first; the key is (created_at, job_id)."""

    window: Window[tuple[datetime, str]]
    filter: JobFilter


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


@dataclass(frozen=True, slots=True)
class JobPosition:
    """How far a job is."""

    last_seq: int
    status: JobStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPageRequest:
    """Tasks of a stage by first occurrence; the key is (first_seq, started_at, task_id)."""

    job_id: str
    stage: str
    window: Window[tuple[int, datetime, str]]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class LogScope:
    """Where lines are looked for: a job, or a stage or a task of it."""

    job_id: str
    stage: str | None = None
    task_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPageRequest:
    """Lines of a job in order of seq; the key is the seq."""

    scope: LogScope
    window: Window[int]
    filter: LogFilter
    max_bytes: int = MAX_PAGE_BYTES
    """Where the lines are larger together, the page ends early and says that there is more. One line it holds at least."""
    may_be_empty: bool = False
    """Whether it may hold none where the first one is larger by itself."""
    written_as: Members | None = None
    """If it is given, the items may be `WrittenLines` with these members; where they are not, they are lines as ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogCount:
    """A question for how many lines match."""

    scope: LogScope
    filter: LogFilter


class LogStore(Protocol):
    async def append(self, batch: JobBatch) -> Appended | AlreadyAt:
        """Store a job's batch, all or nothing, and commit."""

    async def pages(self, requests: Sequence[LogPageRequest]) -> Sequence[Page[TaskLog]]:
        """Load pages in one statement, in the order of the requests."""

    async def counts(self, requests: Sequence[LogCount]) -> Sequence[int]:
        """Count lines, from the kept counters where the filters allow it: those who ask alike in one statement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionPageRequest:
    """Executions by the creation of their roots, the newest first; the key is the root's (created_at, job_id)."""

    window: Window[tuple[datetime, str]]
    filter: ExecutionFilter


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionLogPageRequest:
    """Lines of all jobs of an execution, job by job; the key is (created_at and job_id of the job, seq)."""

    execution_id: str
    window: Window[tuple[datetime, str, int]]
    filter: LogFilter
    max_bytes: int = MAX_PAGE_BYTES
    """As of a `LogPageRequest`."""
    may_be_empty: bool = False
    job_prefix: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionLogCount:
    """A question for how many lines of an execution match."""

    execution_id: str
    filter: LogFilter
    job_prefix: str | None = None


class ExecutionStore(Protocol):
    """With a `job_prefix` an execution is what the jobs make of it whose ids begin so."""

    async def get(self, execution_ids: Sequence[str], *, job_prefix: str | None = None) -> Mapping[str, Execution]:
        """Load executions by id. Ids that no job has are left out."""

    async def pages(self, requests: Sequence[ExecutionPageRequest]) -> Sequence[Page[Execution]]:
        """Load pages in one statement, in the order of the requests."""

    async def count(self, execution_filter: ExecutionFilter) -> int:
        """Count the executions that match."""

    async def log_pages(self, requests: Sequence[ExecutionLogPageRequest]) -> Sequence[Page[ExecutionLine]]:
        """Load pages of lines in one statement, in the order of the requests."""

    async def log_counts(self, requests: Sequence[ExecutionLogCount]) -> Sequence[int]:
        """Count lines in one statement, from the kept counters where the filters allow it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogExtent:
    """Between which numbers and times the lines of a job lie."""

    first_seq: int
    """Of the first line that is still there."""
    last_seq: int
    first_at: datetime
    """No line was said before, by its worker's clock. Where the first lines were pruned, when the first one left was said."""
    last_at: datetime
    """No line was said later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeCountRequest:
    """Lines of a job to be counted by time and level."""

    job_id: str
    filter: LogFilter
    after: int = 0
    """A seq, exclusive."""
    upto: int = 0
    """A seq, inclusive."""
    width: int = 1
    """In microseconds."""


class LogTimes(Protocol):
    async def extent(self, job_id: str) -> LogExtent | None:
        """Tell where the lines of a job lie, None where it has none."""

    async def counts(self, request: TimeCountRequest) -> Sequence[TimeCount]:
        """Count lines that match, in one statement of bounded time.

        Raises:
            OutOfTime: if it takes longer.
        """


class SaidMessage(NamedTuple):
    """A line, but for what a fingerprint does not need."""

    seq: int
    level: int
    stage: str
    message: str
    """Clipped as `domain.analysis.message_templates` has it."""


class LogMessages(Protocol):
    async def said(self, job_id: str, *, after: int, upto: int) -> Sequence[SaidMessage]:
        """Load what the lines of a job say from one seq, exclusive, to another one, inclusive; ascending."""


NewestKey: TypeAlias = tuple[datetime, str, int]
"""A place among the lines of all jobs: recorded_at, job_id, seq, all descending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewestLogRequest:
    """Lines of all jobs that match, the newest first by the time of their storing."""

    limit: int
    after: NewestKey | None = None
    filter: LogFilter
    job_filter: JobFilter
    max_bytes: int = MAX_PAGE_BYTES
    """As of a `LogPageRequest`."""
    may_be_empty: bool = False


LATEST_CLOCK = timedelta(days=1)
"""How far a worker's clock may be ahead: what was stored this long before a filter's `since` is not looked at."""


class NewestLogStore(Protocol):
    """Every call looks at a bounded number of lines and batches, however few there are that match."""

    async def page(self, request: NewestLogRequest) -> Page[TaskLog]:
        """Load a page. One that ends before the list does, for what was looked at, says so by `scanned_to`."""

    async def count(self, log_filter: LogFilter, job_filter: JobFilter) -> int:
        """Count the lines that match, from the kept counters where the filter allows it.

        Raises:
            InvalidInput: where they do not, and more lines would have to be read than a call may.
        """
