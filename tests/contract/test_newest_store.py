"""The contract of every store of the lines of all jobs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.filters import ANY_JOB, EVERYTHING, JobFilter, LogFilter
from domain.logs import TaskLog
from domain.pages import Page
from domain.requests import NewestKey, NewestLogRequest
from jobtail.events import JobFinished, JobStarted, JobStatus, Line, LogLevel
from tests.contract.conftest import Stores
from tests.fakes import store

AT = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
JOBS = {"import": "ingest", "score": "score", "export": "export"}


def _line(job_id: str, n: int, **more: Any) -> Line:
    level = LogLevel.ERROR if n % 7 == 0 else LogLevel.INFO
    said: dict[str, Any] = {
        "message": f"line {n}",
        "level": level,
        "stage": f"stage-{n % 2}",
        "at": AT + timedelta(hours=n),
    }
    return Line(job_id=job_id, **(said | more))


async def _fill(stores: Stores) -> list[TaskLog]:
    """Let three jobs speak by turns, in batches of 1 to 4 lines; give all lines, the newest first."""
    for job_id, handler in JOBS.items():
        await store(stores.logs, JobStarted(job_id=job_id, handler_name=handler, execution_id=f"of-{handler}"))
    n = 0
    for turn in range(12):
        job_id = list(JOBS)[turn % len(JOBS)]
        size = turn % 4 + 1
        await store(stores.logs, *(_line(job_id, number) for number in range(n, n + size)))
        n += size
    await store(stores.logs, JobFinished(job_id="score", status=JobStatus.FAILED, error="why"))
    every = await _all(stores)
    assert len(every) == n
    return every


async def _page(
    stores: Stores,
    limit: int = 100,
    after: NewestKey | None = None,
    log_filter: LogFilter = EVERYTHING,
    job_filter: JobFilter = ANY_JOB,
) -> Page[TaskLog]:
    request = NewestLogRequest(limit=limit, after=after, filter=log_filter, job_filter=job_filter)
    return await stores.newest.page(request)


async def _all(
    stores: Stores, limit: int = 100, log_filter: LogFilter = EVERYTHING, job_filter: JobFilter = ANY_JOB
) -> list[TaskLog]:
    lines: list[TaskLog] = []
    while True:
        after = _key(lines[-1]) if lines else None
        page = await _page(stores, limit, after, log_filter, job_filter)
        assert page.has_previous == bool(lines)
        assert len(page.items) <= limit
        lines += page.items
        if not page.has_next:
            return lines
        assert len(page.items) == limit


def _key(line: TaskLog) -> NewestKey:
    return line.recorded_at, line.job_id, line.seq


async def test_nothing_is_a_page_of_nothing(stores: Stores) -> None:
    assert await _page(stores) == Page([], has_next=False, has_previous=False)
    assert await stores.newest.count(EVERYTHING, ANY_JOB) == 0


async def test_lines_of_all_jobs_come_the_newest_first(stores: Stores) -> None:
    lines = await _fill(stores)
    assert [line.message for line in lines] == [f"line {n}" for n in reversed(range(len(lines)))]
    assert [_key(line) for line in lines] == sorted(map(_key, lines), reverse=True)
    assert await stores.newest.count(EVERYTHING, ANY_JOB) == len(lines)


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 29, 30, 31])
async def test_pages_of_any_size_make_up_the_whole(stores: Stores, limit: int) -> None:
    lines = await _fill(stores)
    assert await _all(stores, limit) == lines


async def test_a_page_of_nothing_tells_whether_there_is_more(stores: Stores) -> None:
    lines = await _fill(stores)
    for after, has_next in ((None, True), (_key(lines[-2]), True), (_key(lines[-1]), False)):
        page = await _page(stores, 0, after)
        assert (list(page.items), page.has_next, page.has_previous) == ([], has_next, after is not None)


async def test_what_is_stored_meanwhile_does_not_move_the_pages(stores: Stores) -> None:
    lines = await _fill(stores)
    first = await _page(stores, 10)
    await store(stores.logs, *(_line("import", n) for n in range(5)))
    await store(stores.logs, _line("later", 1))
    rest = await _page(stores, 100, _key(first.items[-1]))
    assert [*first.items, *rest.items] == lines


FILTERS: list[tuple[LogFilter, JobFilter]] = [
    (LogFilter(min_level=LogLevel.ERROR), ANY_JOB),
    (LogFilter(levels=frozenset({LogLevel.INFO})), ANY_JOB),
    (LogFilter(levels=frozenset()), ANY_JOB),
    (LogFilter(stages=frozenset({"stage-1"})), ANY_JOB),
    (LogFilter(stages=frozenset({"stage-1"}), min_level=LogLevel.ERROR), JobFilter(handler_names=frozenset({"score"}))),
    (LogFilter(task_ids=frozenset({"stage-0"})), JobFilter(execution_id="of-ingest")),
    (LogFilter(execution_id="of-score"), ANY_JOB),
    (LogFilter(search="LINE 1"), ANY_JOB),
    (LogFilter(search="line 2", min_level=LogLevel.ERROR), JobFilter(has_errors=True)),
    (LogFilter(since=AT + timedelta(hours=9)), ANY_JOB),
    (LogFilter(until=AT + timedelta(hours=9)), ANY_JOB),
    (LogFilter(since=AT + timedelta(hours=3), until=AT + timedelta(hours=20)), JobFilter(search="sco")),
    (LogFilter(since_seq=4), ANY_JOB),
    (LogFilter(until_seq=4), ANY_JOB),
    (LogFilter(since_seq=2, until_seq=4), JobFilter(search="sco")),
    (EVERYTHING, JobFilter(handler_names=frozenset({"ingest", "export"}))),
    (EVERYTHING, JobFilter(statuses=frozenset({JobStatus.FAILED}))),
    (EVERYTHING, JobFilter(statuses=frozenset())),
    (EVERYTHING, JobFilter(created_since=AT, created_until=AT + timedelta(days=36_500))),
    (EVERYTHING, JobFilter(created_until=AT - timedelta(days=3650))),
    (EVERYTHING, JobFilter(parent_job_id="nobody")),
]


@pytest.mark.parametrize(("log_filter", "job_filter"), FILTERS)
async def test_both_filters_hold(stores: Stores, log_filter: LogFilter, job_filter: JobFilter) -> None:
    every = await _fill(stores)
    jobs = {job.job_id for job in await stores.jobs.matching(list(JOBS), job_filter)}
    wanted = [line for line in every if line.job_id in jobs and log_filter.matches(line)]
    assert await _all(stores, 100, log_filter, job_filter) == wanted
    assert await _all(stores, 2, log_filter, job_filter) == wanted
    assert await stores.newest.count(log_filter, job_filter) == len(wanted)


@pytest.mark.parametrize("year", [1000, 2026, 9000])
async def test_times_of_distant_years_are_found_as_exactly_as_they_are_stored(stores: Stores, year: int) -> None:
    await store(stores.logs, Line(job_id="job", message="m", at=datetime(year, 5, 17, 3, 4, 5, 123457, tzinfo=UTC)))
    (line,) = await _all(stores)
    after = line.timestamp + timedelta(microseconds=1)
    assert await _all(stores, 100, LogFilter(until=after)) == [line]
    assert await _all(stores, 100, LogFilter(until=line.timestamp)) == []
    assert await _all(stores, 100, LogFilter(since=after)) == []
    found = await _all(stores, 100, LogFilter(since=line.timestamp))
    assert found == ([] if year == 9000 else [line])  # no clock is so far ahead that this is looked for
