"""Folding a job's events into one batch."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from domain.batches import JobBatch, NewLine, fold
from domain.jobs import UNKNOWN_HANDLER, LogCounts
from domain.logs import EARLIEST, LATEST, MAX_LABEL_LENGTH
from jobtail.events import (
    Event,
    JobFinished,
    JobProgressed,
    JobStarted,
    JobStatus,
    Line,
    LogLevel,
    NumberedEvent,
    TaskChanged,
    TaskStatus,
)

NOW = datetime(2026, 11, 22, 20, 33, 58, 123456, tzinfo=UTC)
AT = NOW - timedelta(minutes=1)


def folded(*events: Event, first_n: int = 1) -> JobBatch:
    return fold("job", uuid4(), [NumberedEvent(n, event) for n, event in enumerate(events, first_n)], NOW)


def line(message: str = "x", stage: str | None = "score", task_id: str | None = None, n: int = 0) -> Line:
    return Line(job_id="job", message=message, stage=stage, task_id=task_id, at=AT + timedelta(seconds=n))


def test_a_batch_spans_the_numbers_of_its_events() -> None:
    batch = folded(line(), JobProgressed(job_id="job", current=1), line(), first_n=7)
    assert (batch.first_n, batch.last_n, len(batch.lines)) == (7, 9, 2)


def test_a_line_keeps_what_it_was_given() -> None:
    said = Line(
        job_id="job", message="", level=LogLevel.TRACE, stage="score", task_id="c-1", at=AT, metadata={"a": [1, None]}
    )
    assert folded(said).lines == [
        NewLine(stage="score", task_id="c-1", at=AT, level=LogLevel.TRACE, message="", metadata={"a": [1, None]}),
    ]


def test_what_carries_no_time_is_dated_by_the_clock() -> None:
    batch = folded(
        Line(job_id="job", message="x"),
        TaskChanged(job_id="job", stage="score", task_id="c-1", status=TaskStatus.COMPLETED),
        JobStarted(job_id="job", handler_name="ingest"),
    )
    assert batch.lines[0].at == batch.tasks["score", "c-1"].finished_at == batch.job.started_at == NOW


def test_a_line_without_a_stage_belongs_to_main_and_one_without_a_task_to_its_stage() -> None:
    batch = folded(line(stage=None), line(stage=""), line(stage="score"), line(stage="score", task_id=""))
    assert list(batch.tasks) == [("main", "main"), ("score", "score")]
    assert [(line.stage, line.task_id) for line in batch.lines] == [("main", None)] * 2 + [("score", None)] * 2


def test_a_task_named_as_its_stage_is_the_stage_itself() -> None:
    batch = folded(line(task_id="score"))
    assert batch.lines[0].task_id is None
    assert list(batch.tasks) == [("score", "score")]


def test_a_task_has_its_place_its_times_and_its_counts() -> None:
    batch = folded(line(n=9), line(task_id="c-1", n=5), line(task_id="c-1", n=2), line(task_id="c-1", n=7))
    task = batch.tasks["score", "c-1"]
    assert (task.first_line, task.first_at, task.last_at) == (1, AT + timedelta(seconds=2), AT + timedelta(seconds=7))
    assert task.counts[LogLevel.INFO] == 3
    assert sum(task.counts.values()) == 3
    assert batch.log_counts == LogCounts(info=4)


def test_the_same_task_id_in_two_stages_is_two_tasks() -> None:
    batch = folded(line(stage="score", task_id="c-1"), line(stage="mail", task_id="c-1"))
    assert list(batch.tasks) == [("score", "c-1"), ("mail", "c-1")]


def test_the_last_status_of_a_task_counts_and_its_name_and_result_stay() -> None:
    def changed(status: TaskStatus, n: int, **told: str) -> TaskChanged:
        at = AT + timedelta(seconds=n)
        return TaskChanged(job_id="job", stage="score", task_id="c-1", status=status, at=at, **told)

    failed = folded(changed(TaskStatus.RUNNING, 0, name="Zoë"), changed(TaskStatus.FAILED, 1, result="no CV")).tasks[
        "score", "c-1"
    ]
    assert (failed.name, failed.status, failed.result) == ("Zoë", TaskStatus.FAILED, "no CV")
    assert failed.finished_at == AT + timedelta(seconds=1)
    again = folded(changed(TaskStatus.FAILED, 1), changed(TaskStatus.RUNNING, 2)).tasks["score", "c-1"]
    assert (again.status, again.finished_at) == (TaskStatus.RUNNING, None)


def test_a_status_alone_makes_a_task_but_no_line() -> None:
    batch = folded(TaskChanged(job_id="job", stage="score", task_id="c-1", status=TaskStatus.RUNNING, at=AT))
    assert not batch.lines
    assert batch.tasks["score", "c-1"].first_line == 0
    assert batch.log_counts == LogCounts()


def test_the_job_changes_only_by_what_was_told() -> None:
    job = folded(line()).job
    assert (job.status, job.handler_name, job.started_at, job.progress_current, job.is_restarted) == (
        None,
        None,
        None,
        None,
        False,
    )


def test_a_start_clears_the_end_before_it_and_an_end_keeps_the_start() -> None:
    started = JobStarted(job_id="job", handler_name="ingest", at=AT)
    finished = JobFinished(job_id="job", status=JobStatus.FAILED, error="no text", result="r", at=NOW)
    again = folded(replace(finished, at=AT), started).job
    assert (again.status, again.finished_at, again.error, again.result) == (JobStatus.RUNNING, None, None, None)
    assert again.is_restarted
    ended = folded(started, finished).job
    assert (ended.status, ended.started_at, ended.finished_at) == (JobStatus.FAILED, AT, NOW)
    assert (ended.error, ended.result, ended.is_restarted) == ("no text", "r", True)


def test_what_comes_behind_a_later_end_is_no_news() -> None:
    failed = JobFinished(job_id="job", status=JobStatus.FAILED, error="no text", at=NOW)
    completed = JobFinished(job_id="job", status=JobStatus.COMPLETED, at=AT)
    started = JobStarted(job_id="job", handler_name="ingest", source="queue", at=AT)
    job = folded(failed, completed, started).job
    assert (job.status, job.error, job.finished_at) == (JobStatus.FAILED, "no text", NOW)
    assert (job.handler_name, job.source, job.is_restarted) == ("ingest", "queue", False)
    task_failed = TaskChanged(job_id="job", stage="score", task_id="c-1", status=TaskStatus.FAILED, at=NOW)
    task = folded(task_failed, replace(task_failed, status=TaskStatus.COMPLETED, at=AT)).tasks["score", "c-1"]
    assert (task.status, task.finished_at) == (TaskStatus.FAILED, NOW)


def test_progress_keeps_its_total_until_another_is_told() -> None:
    def progressed(current: int, total: int | None = None) -> JobProgressed:
        return JobProgressed(job_id="job", current=current, total=total)

    job = folded(JobStarted(job_id="job", handler_name="ingest", total=9), progressed(2), progressed(3)).job
    assert (job.progress_current, job.progress_total) == (3, 9)
    assert folded(progressed(2, 10), progressed(3, 5)).job.progress_total == 5


def test_what_cannot_be_stored_is_replaced_everywhere() -> None:
    bad, good = "a\x00\ud800b", "a\u2400\ufffdb"
    batch = folded(
        JobStarted(
            job_id="job",
            handler_name=bad,
            source=bad,
            execution_id=bad,
            schedule_id=bad,
            parent_job_id=bad,
            metadata={bad: [{bad: bad}]},
        ),
        Line(job_id="job", message=bad, stage=bad, task_id="c" + bad, metadata={bad: bad}),
        TaskChanged(job_id="job", stage=bad, task_id=bad, name=bad, result=bad, status=TaskStatus.FAILED),
    )
    job, task = batch.job, batch.tasks[good, good]
    assert (job.handler_name, job.source, job.execution_id, job.schedule_id, job.parent_job_id) == (good,) * 5
    assert job.metadata == {good: [{good: good}]}
    assert (task.name, task.result) == (good, good)
    (said,) = batch.lines
    assert (said.message, said.stage, said.task_id, said.metadata) == (good, good, "c" + good, {good: good})
    ended = folded(JobFinished(job_id="job", status=JobStatus.FAILED, error=bad, result=bad)).job
    assert (ended.error, ended.result) == (good, good)


def test_what_is_assumed_of_the_job_is_told_apart_from_what_it_was_told() -> None:
    numbered = [NumberedEvent(1, line())]
    job = fold("job", None, numbered, NOW, execution_id="a\x00b", handler_name="shop").job
    assert (job.execution_id, job.handler_name) == (None, None)
    assert (job.assumed_execution_id, job.assumed_handler_name) == ("a\u2400b", "shop")
    job = fold("job", None, numbered, NOW).job
    assert (job.assumed_execution_id, job.assumed_handler_name) == (None, UNKNOWN_HANDLER)


def test_labels_that_are_too_long_are_shortened_and_stay_apart() -> None:
    one, other = "s" * 300 + "1", "s" * 300 + "2"
    batch = folded(line(stage=one), line(stage=other), line(stage=one))
    assert len(batch.tasks) == 2
    assert all(len(stage) == MAX_LABEL_LENGTH for stage, _ in batch.tasks)
    assert [line.task_id for line in batch.lines] == [None] * 3


def test_a_line_from_a_clock_that_is_far_off_is_kept() -> None:
    times = [datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)]
    batch = folded(*[Line(job_id="job", message="", at=at) for at in times])
    assert [line.at for line in batch.lines] == [LATEST, EARLIEST]
