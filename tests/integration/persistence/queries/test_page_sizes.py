"""Pages of very large lines and jobs: bounded in bytes, and nothing left out."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from datetime import datetime

from domain.filters import ANY_EXECUTION, ANY_JOB, EVERYTHING, JobFilter, LogFilter
from domain.jobs import Job
from domain.live.tail_hub import TailHub
from domain.logs import TaskLog
from domain.pages import Page, Window
from domain.requests import ExecutionPageRequest, JobPageRequest, LogPageRequest, LogScope
from jobtail.events import JobFinished, JobStarted, JobStatus, Line
from persistence.database import Database
from persistence.stores.execution_store import PostgresExecutionStore
from persistence.stores.job_store import PostgresJobStore
from persistence.stores.log_store import PostgresLogStore
from tests.fakes import store

MB = 1024 * 1024


async def fill(logs: PostgresLogStore, lines: int) -> None:
    await store(logs, *(Line(job_id="job", message="x" * MB) for _ in range(lines)))


async def page(logs: PostgresLogStore, window: Window[int], max_bytes: int) -> Page[TaskLog]:
    request = LogPageRequest(scope=LogScope(job_id="job"), window=window, filter=EVERYTHING, max_bytes=max_bytes)
    alone, beside = (await logs.pages([request]))[0], (await logs.pages([request, request]))[1]
    assert alone == beside
    return alone


async def test_a_page_of_large_lines_ends_early_and_says_that_there_is_more(database: Database) -> None:
    logs = PostgresLogStore(database)
    await fill(logs, 5)
    first = await page(logs, Window(limit=10), max_bytes=2 * MB + 1)
    assert ([row.seq for row in first.items], first.has_next, first.has_previous) == ([1, 2], True, False)
    last = await page(logs, Window(limit=10, backward=True), max_bytes=2 * MB + 1)
    assert ([row.seq for row in last.items], last.has_next, last.has_previous) == ([4, 5], False, True)


async def test_a_page_holds_one_line_however_large(database: Database) -> None:
    logs = PostgresLogStore(database)
    await fill(logs, 2)
    first = await page(logs, Window(limit=10), max_bytes=1)
    assert ([row.seq for row in first.items], first.has_next) == ([1], True)


async def test_the_newest_lines_are_all_sent_though_they_fill_several_pages(database: Database) -> None:
    logs, jobs = PostgresLogStore(database), PostgresJobStore(database)
    await fill(logs, 6)
    await store(logs, JobFinished(job_id="job", status=JobStatus.COMPLETED))
    for log_filter in (EVERYTHING, LogFilter(search="X")):
        async with aclosing(TailHub(logs, jobs).follow("job", log_filter, last=4)) as batches:
            assert [row.seq async for batch in batches for row in batch.rows] == [3, 4, 5, 6]


async def fill_jobs(database: Database, jobs: int) -> None:
    for number in range(jobs):
        start = JobStarted(job_id=f"job-{number}", handler_name="h", execution_id=f"run-{number}", metadata={"a": 1})
        end = JobFinished(job_id=f"job-{number}", status=JobStatus.FAILED, error="x" * MB, result="y")
        await store(PostgresLogStore(database), start, end)


async def jobs_of(database: Database, window: Window[tuple[datetime, str]], large: set[str]) -> Page[Job]:
    request = JobPageRequest(window=window, filter=ANY_JOB, large=frozenset(large), max_bytes=2 * MB + 1000)
    beside = replace(request, filter=JobFilter(parent_job_id="nobody"))
    store_of_jobs = PostgresJobStore(database)
    (alone,) = await store_of_jobs.pages([request])
    again, _, nothing = await store_of_jobs.pages([request, beside, replace(beside, large=frozenset())])
    assert (again, nothing.items) == (alone, [])
    return alone


async def test_a_page_of_jobs_loads_the_large_parts_that_are_asked_for(database: Database) -> None:
    await fill_jobs(database, 4)
    page = await jobs_of(database, Window(limit=9), set())
    assert [(job.job_id, job.error, job.result, job.metadata) for job in page.items] == [
        (f"job-{number}", None, None, None) for number in (3, 2, 1, 0)
    ]
    page = await jobs_of(database, Window(limit=9), {"result", "metadata"})
    assert {(job.error, job.result, str(job.metadata)) for job in page.items} == {(None, "y", "{'a': 1}")}
    assert (len(page.items), page.has_next) == (4, False)


async def test_a_page_of_jobs_with_large_errors_ends_early_and_says_that_there_is_more(database: Database) -> None:
    await fill_jobs(database, 4)
    newest = await jobs_of(database, Window(limit=9), {"error"})
    assert ([job.job_id for job in newest.items], newest.has_next) == (["job-3", "job-2"], True)
    assert {len(job.error or "") for job in newest.items} == {MB}
    oldest = await jobs_of(database, Window(limit=9, backward=True), {"error"})
    assert ([job.job_id for job in oldest.items], oldest.has_previous) == (["job-1", "job-0"], True)


async def test_a_page_of_executions_is_bounded_as_one_of_jobs(database: Database) -> None:
    await fill_jobs(database, 4)
    request = ExecutionPageRequest(window=Window(limit=9), filter=ANY_EXECUTION, max_bytes=2 * MB + 1000)
    executions = PostgresExecutionStore(database)
    for asked in ([request], [request, request]):
        page = (await executions.pages(asked))[-1]
        assert ([each.execution_id for each in page.items], page.has_next) == (["run-3", "run-2"], True)
    (page,) = await executions.pages([replace(request, large=frozenset({"result"}))])
    assert [(each.root.error, each.root.result) for each in page.items] == [(None, "y")] * 4
