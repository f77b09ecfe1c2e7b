"""An execution: a run of a schedule, or whatever else jobs name as what they are part of.

It has no row of its own. It is what its jobs are: the root of them, which a schedule started, tells how it goes.
"""

from __future__ import annotations

from collections.abc import Iterable
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


_STATUSES = {
    JobStatus.QUEUED: ExecutionStatus.RUNNING,
    JobStatus.RUNNING: ExecutionStatus.RUNNING,
    JobStatus.PAUSED: ExecutionStatus.RUNNING,
    JobStatus.COMPLETED: ExecutionStatus.COMPLETED,
    JobStatus.FAILED: ExecutionStatus.FAILED,
    JobStatus.CANCELLED: ExecutionStatus.FAILED,
}


@dataclass(frozen=True, slots=True)
class Execution:
    """All that is known of it, by its root: the first of its jobs, one with a schedule before those without."""

    execution_id: str
    root: Job

    @property
    def schedule_id(self) -> str:
        return UNKNOWN_SCHEDULE if self.root.schedule_id is None else self.root.schedule_id

    @property
    def status(self) -> ExecutionStatus:
        return _STATUSES[self.root.status]

    @property
    def started_at(self) -> datetime:
        return self.root.started_at or self.root.created_at

    @property
    def finished_at(self) -> datetime | None:
        return self.root.finished_at

    @property
    def result_summary(self) -> str | None:
        return self.root.result

    @property
    def error_message(self) -> str | None:
        if self.root.error is None and self.root.status is JobStatus.CANCELLED:
            return "cancelled"
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


def job_statuses(statuses: Iterable[ExecutionStatus]) -> frozenset[JobStatus]:
    """List the statuses of a root whose execution has one of these."""
    wanted = set(statuses)
    return frozenset(status for status, own in _STATUSES.items() if own in wanted)
