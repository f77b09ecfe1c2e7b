"""The contract of every ExecutionStore."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from domain.executions import UNKNOWN_SCHEDULE, Execution, ExecutionLine, ExecutionStatus, root_key
from domain.filters import ANY_EXECUTION, EVERYTHING, ExecutionFilter, LogFilter
from domain.pages import Page, Window
from domain.requests import ExecutionLogCount, ExecutionLogPageRequest, ExecutionPageRequest
from jobtail.events import Event, JobFinished, JobStarted, JobStatus, Line, LogLevel
from tests.contract.conftest import Stores
from tests.fakes import execution_matches, store

AT = datetime(2026, 11, 22, 20, 33, 58, 123456, tzinfo=UTC)
Key = tuple[datetime, str]
LineKey = tuple[datetime, str, int]
WHOLE: Window[LineKey] = Window(limit=1000)


async def start(stores: Stores, job_id: str, run: str | None, schedule: str | None = None, *more: Event) -> None:
    started = JobStarted(job_id=job_id, handler_name="scrape", execution_id=run, schedule_id=schedule, at=AT)
    await store(stores.logs, started, *more)


async def execution(stores: Stores, execution_id: str = "run") -> Execution:
    return (await stores.executions.get([execution_id]))[execution_id]


async def page(
    stores: Stores, window: Window[Key], execution_filter: ExecutionFilter = ANY_EXECUTION
) -> Page[Execution]:
    (found,) = await stores.executions.pages([ExecutionPageRequest(window=window, filter=execution_filter)])
    return found


async def lines(
    stores: Stores,
    window: Window[LineKey] = WHOLE,
    log_filter: LogFilter = EVERYTHING,
    execution_id: str = "run",
) -> Page[ExecutionLine]:
    request = ExecutionLogPageRequest(execution_id=execution_id, window=window, filter=log_filter)
    (found,) = await stores.executions.log_pages([request])
    return found


async def count(stores: Stores, log_filter: LogFilter, execution_id: str = "run") -> int:
    (found,) = await stores.executions.log_counts([ExecutionLogCount(execution_id=execution_id, filter=log_filter)])
    return found


def ids(executions: Sequence[Execution]) -> list[str]:
    return [each.execution_id for each in executions]


def key_of(line: ExecutionLine) -> LineKey:
    return line.job_created_at, line.log.job_id, line.log.seq


async def test_an_execution_is_what_its_root_is(stores: Stores) -> None:
    await start(stores, "job", "run", "hourly")
    await start(stores, "child", "run")
    found = await execution(stores)
    assert found.root == (await stores.jobs.get(["job"]))["job"]
    assert (found.failed_jobs, found.running_jobs, found.last_end) == (0, 2, None)
    assert (found.schedule_id, found.status, found.started_at) == ("hourly", ExecutionStatus.RUNNING, AT)
    end = AT + timedelta(seconds=2)
    seen = JobFinished(job_id="child", status=JobStatus.FAILED, error="no text", at=AT + timedelta(seconds=1))
    await store(stores.logs, seen)
    await store(stores.logs, JobFinished(job_id="job", status=JobStatus.COMPLETED, result="8 found", at=end))
    found = await execution(stores)
    assert (found.status, found.finished_at, found.result_summary, found.error_message) == (
        ExecutionStatus.COMPLETED,
        end,
        "8 found",
        None,
    )
    assert (found.failed_jobs, found.running_jobs) == (1, 0)


async def test_an_execution_whose_root_merely_started_others_fails_with_one_of_them(stores: Stores) -> None:
    await start(stores, "job", "run", "hourly")
    await store(stores.logs, JobFinished(job_id="job", status=JobStatus.COMPLETED, at=AT))
    await start(stores, "child", "run")
    await start(stores, "of-another-run", "other")
    assert (await execution(stores)).status is ExecutionStatus.RUNNING
    end = AT + timedelta(seconds=2)
    await store(stores.logs, JobFinished(job_id="child", status=JobStatus.FAILED, error="no text", at=end))
    found = await execution(stores)
    assert (found.status, found.finished_at, found.error_message) == (
        ExecutionStatus.FAILED,
        end,
        "1 of its jobs failed",
    )
    assert (found.failed_jobs, found.running_jobs) == (1, 0)


async def test_an_execution_of_the_jobs_with_a_prefix_counts_those_alone(stores: Stores) -> None:
    await start(stores, "a-1", "run")
    await store(stores.logs, JobFinished(job_id="a-1", status=JobStatus.COMPLETED, at=AT))
    await start(stores, "b-1", "run")
    end = JobFinished(job_id="b-2", status=JobStatus.FAILED, at=AT + timedelta(seconds=1))
    await start(stores, "b-2", "run", None, end)
    found = (await stores.executions.get(["run"], job_prefix="a-"))["run"]
    assert (found.status, found.failed_jobs, found.running_jobs, found.last_end) == (
        ExecutionStatus.COMPLETED,
        0,
        0,
        AT,
    )
    for status in ExecutionStatus:
        wanted = ExecutionFilter(statuses=frozenset({status}), job_prefix="a-")
        assert ids((await page(stores, Window(limit=10), wanted)).items) == (["run"] if status == found.status else [])


async def test_a_job_that_a_schedule_started_is_the_root_whenever_it_comes(stores: Stores) -> None:
    await start(stores, "a-child", "run")
    await start(stores, "b-child", "run")
    assert (await execution(stores)).root.job_id == "a-child"
    assert (await execution(stores)).schedule_id == UNKNOWN_SCHEDULE
    await start(stores, "scheduled", "run", "hourly")
    await start(stores, "again", "run", "daily")
    assert (await execution(stores)).root.job_id == "scheduled"
    assert ids((await page(stores, Window(limit=10))).items) == ["run"]


async def test_jobs_that_start_at_once_make_one_execution_with_one_root(stores: Stores) -> None:
    for run in range(5):
        job_ids = [f"{run}-{n}" for n in range(8)]
        schedules = [None, None, "hourly", None, "hourly", None, None, None]
        starts = [start(stores, job_id, f"run-{run}", each) for job_id, each in zip(job_ids, schedules, strict=True)]
        await asyncio.gather(*starts)
        jobs = await stores.jobs.get(job_ids)
        found = await execution(stores, f"run-{run}")
        assert found.root == min(jobs.values(), key=root_key)
        assert found.root.schedule_id == "hourly"
    assert ids((await page(stores, Window(limit=10))).items) == [f"run-{run}" for run in reversed(range(5))]
    assert await stores.executions.count(ANY_EXECUTION) == 5


async def test_executions_that_are_unknown_are_left_out(stores: Stores) -> None:
    await start(stores, "job", "run")
    await start(stores, "other", "other-run")
    await start(stores, "alone", None, "hourly")
    assert set(await stores.executions.get(["run", "unheard-of", "other-run", "run"])) == {"run", "other-run"}
    assert await stores.executions.get([]) == {}
    assert await stores.executions.count(ANY_EXECUTION) == 2


FILTERS = [
    ANY_EXECUTION,
    ExecutionFilter(schedule_id="hourly"),
    ExecutionFilter(schedule_id=UNKNOWN_SCHEDULE),
    ExecutionFilter(schedule_id="never"),
    ExecutionFilter(statuses=frozenset({ExecutionStatus.FAILED})),
    ExecutionFilter(statuses=frozenset({ExecutionStatus.RUNNING, ExecutionStatus.COMPLETED})),
    *(ExecutionFilter(statuses=frozenset({status})) for status in ExecutionStatus),
    ExecutionFilter(statuses=frozenset()),
    ExecutionFilter(schedule_id="daily", statuses=frozenset({ExecutionStatus.RUNNING})),
]


async def test_pages_in_both_directions_make_up_the_filtered_list(stores: Stores) -> None:
    schedules = ["hourly", "daily", None, UNKNOWN_SCHEDULE]
    ends = [None, JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED, None]
    for n in range(20):
        job_id, end = f"job-{n}", ends[n % 5]
        finished = [JobFinished(job_id=job_id, status=end)] if end else []
        await start(stores, f"early-{n}", f"run-{n}")
        await start(stores, job_id, f"run-{n}", schedules[n % 4], *finished)
        child_end = ends[n % 4 + 1]
        late = AT + timedelta(days=-1 if n % 3 else 1000)
        ended = [JobFinished(job_id=f"child-{n}", status=child_end, at=late)] if child_end else []
        await start(stores, f"child-{n}", f"run-{n}", None, *ended)
        if n % 2:
            await store(stores.logs, JobFinished(job_id=f"early-{n}", status=JobStatus.COMPLETED, at=AT))
    every = (await page(stores, Window(limit=100))).items
    assert len(every) == 20
    assert [each.root.created_at for each in every] == sorted((each.root.created_at for each in every), reverse=True)
    for execution_filter in FILTERS:
        wanted = [each for each in every if execution_matches(each, execution_filter)]
        assert list((await page(stores, Window(limit=100), execution_filter)).items) == wanted, execution_filter
        assert await stores.executions.count(execution_filter) == len(wanted), execution_filter
        found: list[Execution] = []
        has_next = True
        while has_next:
            after = (found[-1].root.created_at, found[-1].root.job_id) if found else None
            part = await page(stores, Window(limit=3, after=after), execution_filter)
            assert part.has_previous == bool(found)
            found, has_next = [*found, *part.items], part.has_next
        assert found == wanted, execution_filter


async def test_many_pages_come_in_the_order_of_their_requests(stores: Stores) -> None:
    for n in range(4):
        await start(stores, f"job-{n}", f"run-{n % 3}", f"schedule-{n % 3}", Line(job_id=f"job-{n}", message="x"))
    requests = [
        ExecutionPageRequest(window=Window(limit=9), filter=ExecutionFilter(schedule_id=f"schedule-{n % 4}"))
        for n in range(130)
    ]
    pages = await stores.executions.pages(requests)
    assert [ids(found.items) for found in pages] == [[f"run-{n % 4}"] if n % 4 < 3 else [] for n in range(130)]
    counts = [ExecutionLogCount(execution_id=f"run-{n % 4}", filter=EVERYTHING) for n in range(130)]
    assert await stores.executions.log_counts(counts) == [[2, 1, 1, 0][n % 4] for n in range(130)]
    wanted = [
        ExecutionLogPageRequest(execution_id=f"run-{n % 4}", window=Window(limit=9), filter=EVERYTHING)
        for n in range(130)
    ]
    found = [[line.log.job_id for line in each.items] for each in await stores.executions.log_pages(wanted)]
    assert found == [[["job-0", "job-3"], ["job-1"], ["job-2"], []][n % 4] for n in range(130)]


JOBS = ["z-first", "m-silent", "a-second", "q-third", "b-fourth"]


async def say(stores: Stores) -> None:
    """Let five jobs speak in turns, one of them not at all, and one of another execution."""
    for job_id in JOBS:
        await start(stores, job_id, "run", "hourly" if job_id == "z-first" else None)
    await start(stores, "foreign", "other-run")
    for n in range(60):
        job_id = ["z-first", "a-second", "q-third", "b-fourth", "foreign"][n % 5]
        line = Line(
            job_id=job_id,
            message=f"line {n}",
            level=list(LogLevel)[n % 6],
            stage=["fetch", "store"][n % 2],
            task_id=f"task-{n % 3}" if n % 4 else None,
            at=AT + timedelta(seconds=n),
            metadata={"attempt": n % 2} if n % 3 else None,
        )
        await store(stores.logs, line)


LOG_FILTERS = [
    EVERYTHING,
    LogFilter(min_level=LogLevel.ERROR),
    LogFilter(levels=frozenset()),
    LogFilter(levels=frozenset({LogLevel.INFO, LogLevel.TRACE}), stages=frozenset({"fetch"})),
    LogFilter(task_ids=frozenset({"task-1", "fetch"})),
    LogFilter(stages=frozenset({"unheard_of"})),
    LogFilter(search="LINE 3"),
    LogFilter(since=AT + timedelta(seconds=20), until=AT + timedelta(seconds=40)),
    LogFilter(since_seq=3, until_seq=6),
    LogFilter(metadata={"attempt": 1}, min_level=LogLevel.INFO),
    LogFilter(execution_id="run"),
    LogFilter(execution_id="other-run"),
]


@pytest.mark.parametrize("log_filter", LOG_FILTERS)
async def test_lines_of_all_jobs_are_paged_job_by_job(stores: Stores, log_filter: LogFilter) -> None:
    await say(stores)
    every = list((await lines(stores)).items)
    assert len(every) == 48
    jobs = [job_id for job_id in JOBS if job_id != "m-silent"]
    assert [line.log.job_id for line in every] == [job_id for job_id in jobs for _ in range(12)]
    assert [line.log.seq for line in every] == [*range(1, 13)] * 4
    wanted = [line for line in every if log_filter.matches(line.log)]
    assert list((await lines(stores, log_filter=log_filter)).items) == wanted
    assert await count(stores, log_filter) == len(wanted)
    assert await read_forward(stores, log_filter) == wanted
    assert await read_backward(stores, log_filter) == wanted


async def read_forward(stores: Stores, log_filter: LogFilter) -> list[ExecutionLine]:
    found: list[ExecutionLine] = []
    while True:
        after = key_of(found[-1]) if found else None
        part = await lines(stores, Window(limit=5, after=after), log_filter)
        assert part.has_previous == bool(found)
        found += part.items
        if not part.has_next:
            return found


async def read_backward(stores: Stores, log_filter: LogFilter) -> list[ExecutionLine]:
    found: list[ExecutionLine] = []
    while True:
        before = key_of(found[0]) if found else None
        part = await lines(stores, Window(limit=5, before=before, backward=True), log_filter)
        assert part.has_next == bool(found)
        found = [*part.items, *found]
        if not part.has_previous:
            return found


async def test_jobs_of_one_line_each_fill_their_pages(stores: Stores) -> None:
    for n in range(11):
        await start(stores, f"job-{n:02}", "run", None, *([Line(job_id=f"job-{n:02}", message="x")] if n % 5 else []))
    wanted = list((await lines(stores)).items)
    assert len(wanted) == 8
    for log_filter in (EVERYTHING, LogFilter(search="x")):
        for limit in (1, 3):
            after: LineKey | None = None
            for place in range(0, 8, limit):
                part = await lines(stores, Window(limit=limit, after=after), log_filter)
                assert (list(part.items), part.has_next) == (wanted[place : place + limit], place + limit < 8)
                after = key_of(part.items[-1])
    await store(stores.logs, Line(job_id="job-10", message="needle", stage="late"))
    for log_filter in (LogFilter(search="needle"), LogFilter(stages=frozenset({"late"}))):
        found = (await lines(stores, Window(limit=1), log_filter)).items
        assert [line.log.message for line in found] == ["needle"]


async def test_a_window_on_lines_has_two_ends(stores: Stores) -> None:
    await say(stores)
    every = list((await lines(stores)).items)
    for begin, end in ((3, 8), (3, 20), (10, 40), (11, 12), (20, 10)):
        after, before = key_of(every[begin]), key_of(every[end])
        for limit in (4, 100):
            first = await lines(stores, Window(limit=limit, after=after, before=before))
            assert list(first.items) == every[begin + 1 : end][:limit]
            last = await lines(stores, Window(limit=limit, after=after, before=before, backward=True))
            assert list(last.items) == every[begin + 1 : end][-limit:]
    nothing = await lines(stores, Window(limit=0))
    assert (list(nothing.items), nothing.has_next, nothing.has_previous) == ([], True, False)


async def test_lines_from_before_the_execution_was_known_are_among_its_lines(stores: Stores) -> None:
    await store(stores.logs, Line(job_id="job", message="early"))
    await start(stores, "job", "run", "hourly", Line(job_id="job", message="late"))
    found = [(line.log.message, line.log.execution_id) for line in (await lines(stores)).items]
    assert found == [("early", None), ("late", "run")]
    assert await count(stores, EVERYTHING) == 2


async def test_an_execution_that_does_not_exist_has_no_lines(stores: Stores) -> None:
    assert await lines(stores) == Page([], has_next=False, has_previous=False)
    assert await count(stores, EVERYTHING) == 0
    assert await count(stores, LogFilter(stages=frozenset({"a"}))) == 0
    assert await count(stores, LogFilter(search="a")) == 0
