"""Pages of very large lines: bounded in bytes, and nothing left out."""

from __future__ import annotations

from contextlib import aclosing

from domain.filters import EVERYTHING, LogFilter
from domain.live.tail_hub import TailHub
from domain.logs import TaskLog
from domain.pages import Page, Window
from domain.requests import LogPageRequest, LogScope
from jobtail.events import JobFinished, JobStatus, Line
from persistence.database import Database
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
