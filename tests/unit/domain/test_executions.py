"""The status of an execution by its jobs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.executions import FAILED_STATUSES, Execution, ExecutionStatus, root_key
from domain.jobs import Job, LogCounts
from jobtail.events import JobStatus

AT = datetime(2026, 11, 22, 20, 33, 58, 123456, tzinfo=UTC)
ROOT = Job(
    job_id="job",
    handler_name="scrape",
    source=None,
    status=JobStatus.RUNNING,
    progress=None,
    error=None,
    result=None,
    parent_job_id=None,
    execution_id="run",
    schedule_id="hourly",
    metadata=None,
    created_at=AT,
    started_at=None,
    finished_at=None,
    last_seq=0,
    first_recorded_at=None,
    last_recorded_at=None,
    log_counts=LogCounts(),
)


def alone(root: Job) -> Execution:
    """Make an execution of one job."""
    return Execution(
        execution_id="run",
        root=root,
        failed_jobs=int(root.status in FAILED_STATUSES),
        running_jobs=int(not root.status.is_final),
        last_end=root.finished_at,
    )


@pytest.mark.parametrize(
    ("status", "error", "expected", "message"),
    [
        (JobStatus.QUEUED, None, ExecutionStatus.RUNNING, None),
        (JobStatus.RUNNING, None, ExecutionStatus.RUNNING, None),
        (JobStatus.PAUSED, None, ExecutionStatus.RUNNING, None),
        (JobStatus.COMPLETED, None, ExecutionStatus.COMPLETED, None),
        (JobStatus.FAILED, "no text", ExecutionStatus.FAILED, "no text"),
        (JobStatus.FAILED, None, ExecutionStatus.FAILED, None),
        (JobStatus.CANCELLED, "by Zoë", ExecutionStatus.FAILED, "by Zoë"),
        (JobStatus.CANCELLED, None, ExecutionStatus.FAILED, "cancelled"),
    ],
)
def test_it_stands_as_its_root_does(
    status: JobStatus, error: str | None, expected: ExecutionStatus, message: str | None
) -> None:
    execution = alone(replace(ROOT, status=status, error=error))
    assert (execution.status, execution.error_message) == (expected, message)


def at(seconds: int) -> datetime:
    return AT + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("what", "failed", "running", "last_end", "expected"),
    [
        ("a scraper that waited for the jobs that it started", 2, 0, at(5), ExecutionStatus.COMPLETED),
        ("a chain that failed in its second task", 1, 0, at(9), ExecutionStatus.FAILED),
        ("a group of which one failed and others go on", 1, 2, at(5), ExecutionStatus.FAILED),
        ("a chain that goes on", 0, 1, at(7), ExecutionStatus.RUNNING),
        ("a chain that went well", 0, 0, at(9), ExecutionStatus.COMPLETED),
    ],
)
def test_a_root_that_completed_speaks_for_the_whole_where_it_ended_last(
    what: str, failed: int, running: int, last_end: datetime, expected: ExecutionStatus
) -> None:
    root = replace(ROOT, status=JobStatus.COMPLETED, finished_at=at(5))
    execution = Execution(execution_id="run", root=root, failed_jobs=failed, running_jobs=running, last_end=last_end)
    assert execution.status is expected, what
    assert execution.finished_at == (None if expected is ExecutionStatus.RUNNING else last_end)
    assert execution.error_message == ("1 of its jobs failed" if expected is ExecutionStatus.FAILED else None)


@pytest.mark.parametrize("status", [JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.RUNNING])
def test_a_root_that_failed_or_goes_on_speaks_for_the_whole_whatever_the_others_do(status: JobStatus) -> None:
    root = replace(ROOT, status=status, finished_at=at(5) if status.is_final else None)
    execution = Execution(execution_id="run", root=root, failed_jobs=3, running_jobs=2, last_end=at(9))
    assert execution.status is (ExecutionStatus.FAILED if status.is_final else ExecutionStatus.RUNNING)


def test_it_started_when_its_root_did_or_was_heard_of() -> None:
    assert alone(ROOT).started_at == AT
    earlier = AT - timedelta(seconds=1)
    assert alone(replace(ROOT, started_at=earlier)).started_at == earlier


def test_its_schedule_is_unknown_where_the_root_has_none() -> None:
    assert alone(ROOT).schedule_id == "hourly"
    assert alone(replace(ROOT, schedule_id=None)).schedule_id == "unknown"


def test_the_root_is_the_first_with_a_schedule_or_the_first_of_all() -> None:
    plain = replace(ROOT, schedule_id=None)
    late, later = AT + timedelta(seconds=1), AT + timedelta(seconds=2)
    first, twin = replace(plain, job_id="b"), replace(plain, job_id="c")
    scheduled, again = replace(ROOT, job_id="z", created_at=late), replace(ROOT, job_id="a", created_at=later)
    assert sorted([again, twin, scheduled, first], key=root_key) == [scheduled, again, first, twin]
