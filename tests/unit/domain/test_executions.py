"""The status of an execution by its root."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.executions import Execution, ExecutionStatus, job_statuses, root_key
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
    execution = Execution("run", replace(ROOT, status=status, error=error))
    assert (execution.status, execution.error_message) == (expected, message)
    assert status in job_statuses({expected})


def test_every_status_of_a_root_is_one_of_an_execution() -> None:
    each = [job_statuses({status}) for status in ExecutionStatus]
    assert frozenset().union(*each) == frozenset(JobStatus)
    assert sum(map(len, each)) == len(JobStatus)
    assert job_statuses(()) == frozenset()


def test_it_started_when_its_root_did_or_was_heard_of() -> None:
    assert Execution("run", ROOT).started_at == AT
    earlier = AT - timedelta(seconds=1)
    assert Execution("run", replace(ROOT, started_at=earlier)).started_at == earlier


def test_its_schedule_is_unknown_where_the_root_has_none() -> None:
    assert Execution("run", ROOT).schedule_id == "hourly"
    assert Execution("run", replace(ROOT, schedule_id=None)).schedule_id == "unknown"


def test_the_root_is_the_first_with_a_schedule_or_the_first_of_all() -> None:
    plain = replace(ROOT, schedule_id=None)
    late, later = AT + timedelta(seconds=1), AT + timedelta(seconds=2)
    first, twin = replace(plain, job_id="b"), replace(plain, job_id="c")
    scheduled, again = replace(ROOT, job_id="z", created_at=late), replace(ROOT, job_id="a", created_at=later)
    assert sorted([again, twin, scheduled, first], key=root_key) == [scheduled, again, first, twin]
