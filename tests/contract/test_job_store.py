"""The contract of every JobStore."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.filters import ANY_JOB, JobFilter
from domain.jobs import UNKNOWN_HANDLER, Job, JobPosition, LogCounts, Progress
from domain.pages import Page, Window
from domain.recorder import Recorder
from domain.requests import JobPageRequest
from jobtail.events import Event, JobFinished, JobProgressed, JobStarted, JobStatus, Line, LogLevel
from tests.contract.conftest import Stores
from tests.fakes import MemoryChannel, job_matches, store

AT = datetime(2026, 11, 22, 20, 33, 58, 123456, tzinfo=UTC)
Key = tuple[datetime, str]


async def job_of(stores: Stores, job_id: str = "job") -> Job:
    return (await stores.jobs.get([job_id]))[job_id]


async def page(stores: Stores, window: Window[Key], job_filter: JobFilter = ANY_JOB) -> Page[Job]:
    (found,) = await stores.jobs.pages([JobPageRequest(window=window, filter=job_filter)])
    return found


def key(job: Job) -> Key:
    return job.created_at, job.job_id


async def some_jobs(stores: Stores) -> list[Job]:
    """Store a dozen jobs; the newest comes first."""
    for n in range(12):
        job_id = f"job-{n}"
        await store(
            stores.logs,
            JobStarted(
                job_id=job_id,
                handler_name=["ingest", "score_100%", "scrape"][n % 3],
                source=f"queue:ÄRZTE_{n}" if n % 2 else None,
                execution_id="run-1" if n % 4 == 0 else None,
                parent_job_id="job-0" if n > 8 else None,
            ),
            Line(job_id=job_id, message="x", level=list(LogLevel)[n % 6]),
        )
        if n % 3 == 0:
            await store(stores.logs, JobFinished(job_id=job_id, status=JobStatus.FAILED, error=f"Straße {n} fehlt"))
    jobs = await stores.jobs.get([f"job-{n}" for n in range(12)])
    return sorted(jobs.values(), key=key, reverse=True)


def filters_of(jobs: Sequence[Job]) -> list[JobFilter]:
    return [
        ANY_JOB,
        JobFilter(statuses=frozenset({JobStatus.FAILED})),
        JobFilter(statuses=frozenset()),
        JobFilter(handler_names=frozenset({"ingest", "scrape"})),
        JobFilter(execution_id="run-1"),
        JobFilter(parent_job_id="job-0"),
        JobFilter(created_since=jobs[4].created_at),
        JobFilter(created_until=jobs[4].created_at),
        JobFilter(search="SCORE_100%"),
        JobFilter(search="%"),
        JobFilter(search="ärzte_1"),
        JobFilter(search="STRAßE"),
        JobFilter(search="job-1"),
        JobFilter(search=""),
        JobFilter(has_errors=True),
        JobFilter(has_errors=False, statuses=frozenset({JobStatus.RUNNING}), search="ingest"),
    ]


async def test_pages_in_both_directions_make_up_the_filtered_list(stores: Stores) -> None:
    jobs = await some_jobs(stores)
    for job_filter in filters_of(jobs):
        wanted = [job for job in jobs if job_matches(job, job_filter)]
        assert list((await page(stores, Window(limit=100), job_filter)).items) == wanted
        assert await read_forward(stores, job_filter) == wanted
        assert await read_backward(stores, job_filter) == wanted
        assert await stores.jobs.counts([ANY_JOB, job_filter]) == [len(jobs), len(wanted)]
        chosen = [job.job_id for job in jobs[::2]]
        matching = await stores.jobs.matching([*chosen, "unheard-of"], job_filter)
        assert matching == [job for job in wanted if job.job_id in chosen][::-1]


async def read_forward(stores: Stores, job_filter: JobFilter) -> list[Job]:
    jobs: list[Job] = []
    while True:
        found = await page(stores, Window(limit=3, after=key(jobs[-1]) if jobs else None), job_filter)
        assert found.has_previous == bool(jobs)
        jobs += found.items
        if not found.has_next:
            return jobs


async def read_backward(stores: Stores, job_filter: JobFilter) -> list[Job]:
    jobs: list[Job] = []
    while True:
        before = key(jobs[0]) if jobs else None
        found = await page(stores, Window(limit=3, before=before, backward=True), job_filter)
        assert found.has_next == bool(jobs)
        jobs = [*found.items, *jobs]
        if not found.has_previous:
            return jobs


async def test_pages_of_several_filters_come_in_their_order(stores: Stores) -> None:
    jobs = await some_jobs(stores)
    requests = [JobPageRequest(window=Window(limit=2), filter=job_filter) for job_filter in filters_of(jobs)]
    found = await stores.jobs.pages(requests)
    assert found == [await page(stores, Window(limit=2), request.filter) for request in requests]


async def test_ids_that_are_unknown_are_left_out(stores: Stores) -> None:
    await store(stores.logs, Line(job_id="job", message="x"))
    assert set(await stores.jobs.get(["job", "unheard-of"])) == {"job"}
    assert await stores.jobs.get([]) == {}
    assert await stores.jobs.matching([], ANY_JOB) == []


async def test_an_unknown_job_is_registered_by_its_first_line(stores: Stores) -> None:
    stored = await store(stores.logs, Line(job_id="job", message="x", level=LogLevel.ERROR, at=AT))
    job = await job_of(stores)
    assert job == Job(
        job_id="job",
        handler_name=UNKNOWN_HANDLER,
        source=None,
        status=JobStatus.RUNNING,
        progress=None,
        error=None,
        result=None,
        parent_job_id=None,
        execution_id=None,
        schedule_id=None,
        metadata=None,
        created_at=job.created_at,
        started_at=AT,
        finished_at=None,
        last_seq=1,
        first_recorded_at=stored.recorded_at,
        last_recorded_at=stored.recorded_at,
        log_counts=LogCounts(error=1),
    )


async def test_a_start_after_the_first_line_tells_the_rest_and_keeps_the_earliest_start(stores: Stores) -> None:
    await store(stores.logs, Line(job_id="job", message="x", at=AT))
    await store(
        stores.logs,
        JobStarted(
            job_id="job",
            handler_name="ingest",
            source="queue",
            execution_id="run-1",
            parent_job_id="parent",
            metadata={"jd": [1, None, {"a": True}]},
            total=4,
            at=AT + timedelta(seconds=1),
        ),
    )
    job = await job_of(stores)
    assert (job.handler_name, job.source, job.execution_id, job.parent_job_id) == ("ingest", "queue", "run-1", "parent")
    assert job.metadata == {"jd": [1, None, {"a": True}]}
    assert (job.progress, job.started_at, job.status) == (Progress(0, 4), AT, JobStatus.RUNNING)


async def test_what_a_later_batch_does_not_tell_stays(stores: Stores) -> None:
    await store(stores.logs, JobStarted(job_id="job", handler_name="ingest", source="queue", total=4, metadata={}))
    before = await job_of(stores)
    await store(stores.logs, JobProgressed(job_id="job", current=3))
    job = await job_of(stores)
    assert job.progress == Progress(3, 4)
    assert (job.handler_name, job.source, job.metadata, job.started_at, job.created_at) == (
        before.handler_name,
        before.source,
        before.metadata,
        before.started_at,
        before.created_at,
    )


async def test_a_schedule_is_kept_as_it_was_told(stores: Stores) -> None:
    started = JobStarted(job_id="job", handler_name="ingest", execution_id="run-1", schedule_id="hourly")
    await store(stores.logs, started)
    await store(stores.logs, JobStarted(job_id="job", handler_name="ingest"), Line(job_id="job", message="x"))
    job = await job_of(stores)
    assert (job.execution_id, job.schedule_id) == ("run-1", "hourly")
    await store(stores.logs, JobStarted(job_id="job", handler_name="ingest", schedule_id="daily"))
    assert (await job_of(stores)).schedule_id == "daily"


async def test_what_is_assumed_of_a_job_holds_until_it_is_told(stores: Stores) -> None:
    line, recorder = Line(job_id="job", message="x"), Recorder(stores.logs, MemoryChannel())
    await recorder.record_job("job", [line])
    await recorder.record_job("job", [line], execution_id="trace-1", handler_name="shop")
    await recorder.record_job("job", [line], execution_id="trace-2", handler_name="other")
    await store(stores.logs, JobFinished(job_id="job", status=JobStatus.COMPLETED, at=AT))
    await recorder.record_job("job", [line], execution_id="trace-3")
    job = await job_of(stores)
    assert (job.execution_id, job.handler_name, job.status, job.last_seq) == (
        "trace-1",
        "shop",
        JobStatus.COMPLETED,
        4,
    )
    await store(stores.logs, JobStarted(job_id="job", handler_name="ingest", execution_id="run-1"))
    await recorder.record_job("job", [line], execution_id="trace-4", handler_name="late")
    job = await job_of(stores)
    assert (job.execution_id, job.handler_name) == ("run-1", "ingest")


async def test_a_job_is_registered_with_what_is_assumed_of_it(stores: Stores) -> None:
    recorder = Recorder(stores.logs, channel := MemoryChannel())
    await recorder.record_job("job", [Line(job_id="job", message="x")], execution_id="trace-1", handler_name="shop")
    job = await job_of(stores)
    assert (job.execution_id, job.handler_name) == ("trace-1", "shop")
    assert [row.execution_id for row in channel.announced[0].rows] == ["trace-1"]
    started = JobStarted(job_id="told", handler_name="ingest", execution_id="run-1")
    await recorder.record_job("told", [started], execution_id="trace-1", handler_name="shop")
    told = (await stores.jobs.get(["told"]))["told"]
    assert (told.execution_id, told.handler_name) == ("run-1", "ingest")


async def test_a_line_after_the_end_does_not_reopen_the_job(stores: Stores) -> None:
    await store(stores.logs, JobFinished(job_id="job", status=JobStatus.FAILED, error="no text", at=AT))
    await store(stores.logs, Line(job_id="job", message="late"))
    job = await job_of(stores)
    assert (job.status, job.error, job.finished_at, job.last_seq) == (JobStatus.FAILED, "no text", AT, 1)


async def test_a_restart_after_the_end_begins_anew(stores: Stores) -> None:
    await store(stores.logs, JobStarted(job_id="job", handler_name="ingest", at=AT, total=4))
    await store(stores.logs, Line(job_id="job", message="x"), JobProgressed(job_id="job", current=4))
    failed = JobFinished(job_id="job", status=JobStatus.FAILED, error="no text", result="nothing", at=AT)
    await store(stores.logs, failed)
    again = AT + timedelta(hours=1)
    await store(stores.logs, JobStarted(job_id="job", handler_name="ingest", at=again))
    job = await job_of(stores)
    assert (job.status, job.error, job.result, job.finished_at) == (JobStatus.RUNNING, None, None, None)
    assert (job.started_at, job.progress, job.last_seq) == (again, Progress(0, 4), 1)
    assert (await store(stores.logs, Line(job_id="job", message="y"))).last_seq == 2


@pytest.mark.parametrize("is_ended", [False, True])
async def test_a_start_that_comes_after_a_later_end_brings_nothing_back(stores: Stores, *, is_ended: bool) -> None:
    """The first attempt was at work while the service was away, and its spool is sent last."""
    earlier = AT - timedelta(minutes=1)
    await store(stores.logs, JobStarted(job_id="job", handler_name="ingest", at=AT), Line(job_id="job", message="x"))
    await store(stores.logs, JobProgressed(job_id="job", current=4))
    await store(stores.logs, JobFinished(job_id="job", status=JobStatus.COMPLETED, result="done", at=AT))
    late: list[Event] = [
        JobStarted(job_id="job", handler_name="ingest", source="queue", at=earlier),
        JobProgressed(job_id="job", current=1),
        Line(job_id="job", message="retry 1 of 3"),
    ]
    if is_ended:
        late.append(JobFinished(job_id="job", status=JobStatus.FAILED, error="no text", at=earlier))
    await store(stores.logs, *late)
    job = await job_of(stores)
    assert (job.status, job.error, job.result, job.finished_at) == (JobStatus.COMPLETED, None, "done", AT)
    assert (job.started_at, job.progress, job.last_seq, job.source) == (AT, Progress(4, None), 2, "queue")


async def test_an_end_from_before_the_one_that_is_known_is_no_news(stores: Stores) -> None:
    """The first machine was cut off: its start, its lines and its end arrive in batches of their own, after the second's."""
    start = JobStarted(job_id="job", handler_name="pipeline", at=AT)
    later = AT + timedelta(minutes=1)
    await store(stores.logs, replace(start, at=later))
    await store(stores.logs, JobFinished(job_id="job", status=JobStatus.FAILED, error="exit status 4", at=later))
    for late in (start, Line(job_id="job", message="1"), JobFinished(job_id="job", status=JobStatus.COMPLETED, at=AT)):
        await store(stores.logs, late)
    job = await job_of(stores)
    assert (job.status, job.error, job.finished_at) == (JobStatus.FAILED, "exit status 4", later)
    assert (job.started_at, job.last_seq) == (later, 1)


async def test_the_late_end_of_an_earlier_run_does_not_end_the_one_that_goes_on(stores: Stores) -> None:
    start = JobStarted(job_id="job", handler_name="ingest", at=AT)
    await store(stores.logs, replace(start, at=AT + timedelta(minutes=1)))
    await store(stores.logs, start)
    await store(stores.logs, JobFinished(job_id="job", status=JobStatus.FAILED, at=AT + timedelta(seconds=1)))
    assert (await job_of(stores)).status is JobStatus.RUNNING


async def test_a_job_that_was_started_once_ends_by_whatever_clock(stores: Stores) -> None:
    await store(stores.logs, JobStarted(job_id="job", handler_name="ingest", at=AT))
    behind = AT - timedelta(seconds=3)
    await store(stores.logs, JobFinished(job_id="job", status=JobStatus.COMPLETED, at=behind))
    job = await job_of(stores)
    assert (job.status, job.finished_at) == (JobStatus.COMPLETED, behind)


@pytest.mark.parametrize("length", [1, 2, 3, 12])
async def test_no_job_becomes_a_descendant_of_its_own(stores: Stores, length: int) -> None:
    """Each job is told of the next one as its parent, and the last one of the first."""
    names = [f"job-{number}" for number in range(length)]
    for job_id, parent in zip(names, [*names[1:], names[0]], strict=True):
        await store(stores.logs, JobStarted(job_id=job_id, handler_name="replaced", parent_job_id=parent))
    jobs = await stores.jobs.get(names)
    assert [jobs[name].parent_job_id for name in names] == [*names[1:], None]


async def test_the_first_parent_stays(stores: Stores) -> None:
    for parent in ("sender", "chain"):
        await store(stores.logs, JobStarted(job_id="job", handler_name="replaced", parent_job_id=parent))
    assert (await job_of(stores)).parent_job_id == "sender"


@pytest.mark.parametrize("status", [JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED])
async def test_an_end_is_kept_with_its_error_and_result(stores: Stores, status: JobStatus) -> None:
    await store(stores.logs, JobFinished(job_id="job", status=status, error="e", result="r", at=AT))
    job = await job_of(stores)
    assert (job.status, job.error, job.result, job.started_at, job.finished_at) == (status, "e", "r", AT, AT)


async def test_positions_are_of_the_named_the_active_and_the_lately_finished(stores: Stores) -> None:
    await store(stores.logs, Line(job_id="running", message="x"))
    for job_id, finished_at in (("old", AT), ("recent", AT + timedelta(hours=1))):
        await store(stores.logs, JobFinished(job_id=job_id, status=JobStatus.COMPLETED, at=finished_at))
    old, recent = JobPosition(0, JobStatus.COMPLETED), JobPosition(0, JobStatus.COMPLETED)
    running = JobPosition(1, JobStatus.RUNNING)
    positions = stores.jobs.positions
    assert await positions(["old", "unheard-of"], active_since=None) == {"old": old}
    since = AT + timedelta(minutes=1)
    assert await positions([], active_since=since) == {"running": running, "recent": recent}
    assert await positions(["old"], active_since=since) == {"running": running, "recent": recent, "old": old}
