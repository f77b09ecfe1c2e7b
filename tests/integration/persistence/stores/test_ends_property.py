"""Starts and ends by their times: whatever the order in which batches arrive, SQL and Python tell a job's outcome alike."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from domain.pages import Window
from domain.ports import JobStore, LogWriter, TaskStore
from domain.requests import TaskPageRequest
from jobtail.events import Event, JobFinished, JobProgressed, JobStarted, JobStatus, Line, TaskChanged, TaskStatus
from persistence.database import Database
from persistence.stores.job_store import PostgresJobStore
from persistence.stores.log_store import PostgresLogStore
from persistence.stores.task_store import PostgresTaskStore
from tests.fakes import Memory, MemoryJobStore, MemoryLogStore, MemoryTaskStore, store

AT = datetime(2026, 11, 22, 20, 33, 58, tzinfo=UTC)
ENDS = st.sampled_from([JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED])


def at(seconds: int) -> datetime:
    return AT + timedelta(seconds=seconds)


MOMENTS = st.integers(0, 4).map(at)
STARTS = st.builds(
    JobStarted,
    job_id=st.just("job"),
    handler_name=st.just("ingest"),
    at=MOMENTS,
    parent_job_id=st.sampled_from([None, "one", "other"]),
)
FINISHES = st.builds(
    JobFinished,
    job_id=st.just("job"),
    status=ENDS,
    at=MOMENTS,
    error=st.sampled_from([None, "no text"]),
    result=st.sampled_from([None, "7"]),
)
CHANGES = st.builds(
    TaskChanged,
    job_id=st.just("job"),
    task_id=st.just("C_1"),
    stage=st.just("score"),
    status=st.sampled_from(TaskStatus),
    result=st.sampled_from([None, "7"]),
    at=MOMENTS,
)
LINES = st.builds(Line, job_id=st.just("job"), message=st.just("x"), stage=st.just("score"), at=MOMENTS)
PROGRESS = st.builds(JobProgressed, job_id=st.just("job"), current=st.integers(0, 3))


def batches(*events: st.SearchStrategy[Any]) -> st.SearchStrategy[list[list[Event]]]:
    return st.lists(st.lists(st.one_of(events), min_size=1, max_size=3), min_size=2, max_size=5)


async def outcome(
    logs: LogWriter, jobs: JobStore, tasks: TaskStore, batches: list[list[Event]]
) -> tuple[list[Any], list[Any]]:
    """Store the batches one after the other; tell what is known of the job and of its tasks then."""
    job_id = str(uuid4())
    for batch in batches:
        await store(logs, *(replace(event, job_id=job_id) for event in batch))
    job = (await jobs.get([job_id]))[job_id]
    window: Window[tuple[int, datetime, str]] = Window(limit=10)
    (page,) = await tasks.pages([TaskPageRequest(job_id=job_id, stage="score", window=window)])
    told = [(each.task_id, each.stated, each.result, each.finished_at) for each in page.items]
    return [job.status, job.started_at, job.finished_at, job.error, job.result, job.progress, job.parent_job_id], told


@given(
    batches=st.one_of(batches(STARTS, FINISHES), batches(CHANGES), batches(STARTS, FINISHES, CHANGES, LINES, PROGRESS))
)
async def test_any_order_of_starts_and_ends_has_the_same_outcome_in_sql_and_in_python(
    database: Database, batches: list[list[Event]]
) -> None:
    memory = Memory()
    # What carries no time of its own is dated by the clock, so each batch tells a time.
    batches = [[*batch, Line(job_id="job", message="x", stage="score", at=AT)] for batch in batches]
    expected = await outcome(MemoryLogStore(memory), MemoryJobStore(memory), MemoryTaskStore(memory), batches)
    found = await outcome(PostgresLogStore(database), PostgresJobStore(database), PostgresTaskStore(database), batches)
    assert found == expected


@st.composite
def runs(draw: st.DrawFn) -> tuple[list[list[list[Event]]], JobFinished | None]:
    """Draw runs of a job, one after the other, each as the batches of its writer; and the end of the last, if it has one."""
    count, writers, end = draw(st.integers(1, 3)), [], None
    for run in range(count):
        events: list[Event] = [JobStarted(job_id="job", handler_name="ingest", at=at(10 * run))]
        end = JobFinished(job_id="job", status=draw(ENDS), error=f"of run {run}", at=at(10 * run + 5))
        if run == count - 1 and draw(st.booleans()):
            end = None
        events += [Line(job_id="job", message="x", at=at(10 * run + 1)), *([] if end is None else [end])]
        cuts = sorted(draw(st.sets(st.integers(1, len(events) - 1))))
        writers.append([events[begin:stop] for begin, stop in zip([0, *cuts], [*cuts, len(events)], strict=True)])
    return writers, end


@given(drawn=runs(), data=st.data())
async def test_however_the_batches_of_several_runs_meet_the_latest_run_says_how_the_job_stands(
    drawn: tuple[list[list[list[Event]]], JobFinished | None], data: st.DataObject
) -> None:
    writers, end = drawn
    turns = data.draw(st.permutations([writer for writer in writers for _ in writer]))
    waiting = [(id(writer), iter(writer)) for writer in writers]
    batches = [next(dict(waiting)[id(writer)]) for writer in turns]
    memory = Memory()
    (status, _, finished_at, error, *_), _ = await outcome(
        MemoryLogStore(memory), MemoryJobStore(memory), MemoryTaskStore(memory), batches
    )
    expected = (JobStatus.RUNNING, None, None) if end is None else (end.status, end.at, end.error)
    assert (status, finished_at, error) == expected
