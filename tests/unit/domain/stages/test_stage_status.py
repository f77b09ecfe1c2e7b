"""The statuses and ends of stages and tasks, as they follow from what was captured."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.jobs import Job, LogCounts
from domain.stages.stage_status import Stage, StageRecord, TaskRecord, stages_of, task_of
from jobtail.events import JobStatus, TaskStatus

AT = datetime(2026, 11, 22, 20, 33, 58, tzinfo=UTC)
RUNNING, COMPLETED, FAILED, CANCELLED = TaskStatus


def at(seconds: int) -> datetime:
    return AT + timedelta(seconds=seconds)


def job(status: JobStatus, finished_at: datetime | None = None) -> Job:
    return Job(
        job_id="job",
        handler_name="ingest",
        source=None,
        status=status,
        progress=None,
        error=None,
        result=None,
        parent_job_id=None,
        execution_id=None,
        schedule_id=None,
        metadata=None,
        created_at=AT,
        started_at=AT,
        finished_at=finished_at,
        last_seq=0,
        first_recorded_at=None,
        last_recorded_at=None,
        log_counts=LogCounts(),
    )


def stage(name: str, first: int, last: int, *, failures: int = 0, stated: TaskStatus | None = None) -> StageRecord:
    return StageRecord(
        job_id="job",
        name=name,
        first_seq=first,
        started_at=at(first),
        last_at=at(last),
        task_count=1,
        log_counts=LogCounts(),
        own_failures=failures,
        stated=stated,
    )


def task(task_id: str, *, errors: int = 0, stated: TaskStatus | None = None, ended: int | None = None) -> TaskRecord:
    return TaskRecord(
        job_id="job",
        stage="score",
        task_id=task_id,
        name=None,
        stated=stated,
        result=None,
        first_seq=1,
        started_at=AT,
        last_at=at(4),
        finished_at=None if ended is None else at(ended),
        log_counts=LogCounts(error=errors),
    )


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (JobStatus.QUEUED, RUNNING),
        (JobStatus.RUNNING, RUNNING),
        (JobStatus.PAUSED, RUNNING),
        (JobStatus.COMPLETED, COMPLETED),
        (JobStatus.FAILED, FAILED),
        (JobStatus.CANCELLED, CANCELLED),
    ],
)
def test_the_latest_stage_stands_as_its_job_and_those_before_are_completed(
    status: JobStatus, expected: TaskStatus
) -> None:
    ended = at(9) if status.is_final else None
    earlier, latest = stages_of(job(status, ended), [stage("read", 0, 2), stage("score", 3, 5)])
    assert (earlier.status, earlier.finished_at) == (COMPLETED, at(3))
    assert (latest.status, latest.finished_at) == (expected, ended)


def test_a_stage_with_an_error_of_its_own_has_failed_wherever_it_stands() -> None:
    records = [stage("read", 0, 2, failures=1), stage("score", 3, 5), stage("mail", 6, 7, failures=2)]
    found = stages_of(job(JobStatus.RUNNING), records)
    assert [one.status for one in found] == [FAILED, COMPLETED, FAILED]
    assert [one.finished_at for one in found] == [at(3), at(6), at(7)]


def test_what_a_job_states_of_a_stage_stands() -> None:
    records = [stage("read", 0, 2, stated=RUNNING), stage("score", 3, 5, stated=COMPLETED)]
    found = stages_of(job(JobStatus.RUNNING), records)
    assert [(one.status, one.finished_at) for one in found] == [(RUNNING, None), (COMPLETED, at(5))]
    found = stages_of(job(JobStatus.FAILED, at(9)), records)
    assert [(one.status, one.finished_at) for one in found] == [(COMPLETED, at(3)), (COMPLETED, at(9))]


@pytest.mark.parametrize("stated", [None, RUNNING, COMPLETED, FAILED])
@pytest.mark.parametrize("status", [JobStatus.RUNNING, JobStatus.COMPLETED])
def test_an_error_fails_its_stage_whether_or_not_the_job_stated_its_begin_and_end(
    status: JobStatus, stated: TaskStatus | None
) -> None:
    ended = at(9) if status.is_final else None
    (found,) = stages_of(job(status, ended), [stage("score", 3, 5, failures=1, stated=stated)])
    assert found.status is FAILED


def test_a_stage_that_was_cancelled_stays_so() -> None:
    (found,) = stages_of(job(JobStatus.RUNNING), [stage("score", 3, 5, failures=1, stated=CANCELLED)])
    assert found.status is CANCELLED


def test_a_stage_ends_no_earlier_than_its_last_line() -> None:
    first, last = stages_of(job(JobStatus.COMPLETED, at(6)), [stage("read", 0, 8), stage("score", 3, 7)])
    assert (first.finished_at, last.finished_at) == (at(8), at(7))


def test_a_job_without_stages_has_none() -> None:
    assert stages_of(job(JobStatus.COMPLETED, AT), []) == []


def of(status: TaskStatus) -> Stage:
    return Stage(stage("score", 0, 5), status, None if status is RUNNING else at(9))


@pytest.mark.parametrize("status", list(TaskStatus))
def test_the_task_that_is_the_stage_itself_stands_as_the_stage(status: TaskStatus) -> None:
    found = task_of(of(status), task("score", errors=1, stated=COMPLETED, ended=1))
    assert (found.status, found.finished_at) == (status, None if status is RUNNING else at(9))


@pytest.mark.parametrize(
    ("stage_status", "errors", "status", "finished_at"),
    [
        (RUNNING, 0, RUNNING, None),
        (RUNNING, 1, FAILED, at(4)),
        (COMPLETED, 0, COMPLETED, at(4)),
        (FAILED, 0, COMPLETED, at(4)),
        (CANCELLED, 0, CANCELLED, at(4)),
        (COMPLETED, 1, FAILED, at(4)),
    ],
)
def test_a_task_follows_from_its_lines_and_its_stage(
    stage_status: TaskStatus, errors: int, status: TaskStatus, finished_at: datetime | None
) -> None:
    found = task_of(of(stage_status), task("c-1", errors=errors))
    assert (found.status, found.finished_at) == (status, finished_at)


def test_what_a_job_states_of_a_task_stands() -> None:
    found = task_of(of(RUNNING), task("c-1", errors=3, stated=COMPLETED, ended=2))
    assert (found.status, found.finished_at) == (COMPLETED, at(2))


@pytest.mark.parametrize("end", [COMPLETED, FAILED, CANCELLED])
def test_a_task_that_was_stated_to_run_ends_as_its_job(end: TaskStatus) -> None:
    running = task("c-1", stated=RUNNING)
    assert task_of(of(RUNNING), running).status is RUNNING
    found = task_of(replace(of(end), job_end=end), running)
    assert (found.status, found.finished_at) == (end, at(4))
