"""An execution: a run of a schedule, or whatever else jobs name as what they are part of.

It has no row of its own. It is what its jobs are.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.jobs import Job
from domain.logs import TaskLog
from jobtail.events import JobStatus

UNKNOWN_SCHEDULE = "unknown"
"""The schedule of an execution for which none was named."""


class ExecutionStatus(StrEnum):
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    """Cancelled too."""


FAILED_STATUSES = frozenset({JobStatus.FAILED, JobStatus.CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """All that is known of it: its root, the first of its jobs (one with a schedule before those without), and sums over all."""

    execution_id: str
    root: Job
    failed_jobs: int
    """The cancelled ones included."""
    running_jobs: int
    """Those that have not ended, the queued ones included."""
    last_end: datetime | None
    """When the latest of the jobs that have ended did."""

    @property
    def schedule_id(self) -> str:
        return UNKNOWN_SCHEDULE if self.root.schedule_id is None else self.root.schedule_id

    @property
    def status(self) -> ExecutionStatus:
        """Tell how it goes. A root that ended last has seen how the others did: its status is that of the whole.

        One that ended before others merely started them: then each of them counts.
        """
        if self.root.status in FAILED_STATUSES:
            return ExecutionStatus.FAILED
        if not self.root.status.is_final:
            return ExecutionStatus.RUNNING
        if self.failed_jobs and not self._has_seen_all:
            return ExecutionStatus.FAILED
        return ExecutionStatus.RUNNING if self.running_jobs else ExecutionStatus.COMPLETED

    @property
    def _has_seen_all(self) -> bool:
        return not self.running_jobs and self.last_end == self.root.finished_at

    @property
    def started_at(self) -> datetime:
        return self.root.started_at or self.root.created_at

    @property
    def finished_at(self) -> datetime | None:
        return None if self.status is ExecutionStatus.RUNNING else self.last_end

    @property
    def result_summary(self) -> str | None:
        return self.root.result

    @property
    def error_message(self) -> str | None:
        """Tell what the root says is wrong, or that it was cancelled, or how many of its jobs failed after all."""
        if self.root.error is None and self.root.status is JobStatus.CANCELLED:
            return "cancelled"
        if self.root.status is JobStatus.COMPLETED and self.status is ExecutionStatus.FAILED:
            return f"{self.failed_jobs} of its jobs failed"
        return self.root.error


@dataclass(frozen=True, slots=True)
class ExecutionLine:
    """A line among those of all jobs of an execution."""

    log: TaskLog
    job_created_at: datetime
    """The jobs' lines follow each other in the order of this, and then of the job ids."""


def root_key(job: Job) -> tuple[bool, datetime, str]:
    """Order the jobs of an execution: the least is its root."""
    return job.schedule_id is None, job.created_at, job.job_id
