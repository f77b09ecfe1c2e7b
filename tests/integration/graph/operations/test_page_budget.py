"""Pages of one operation: bounded in bytes together, and nothing left out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeAlias

import httpx
import pytest

from domain.errors import TooComplex
from domain.executions import ExecutionLine
from domain.filters import ANY_JOB, EVERYTHING, LogFilter
from domain.pages import Page, Window
from domain.requests import ExecutionLogPageRequest, LogPageRequest, LogScope, NewestLogRequest
from domain.sliced_search import SlicedSearch
from domain.written_lines import LineSelection
from graph.operations.page_budget import MAX_OPERATION_BYTES, PageBudget
from jobtail.events import JobStarted, Line
from persistence.database import Database
from persistence.stores.execution_store import PostgresExecutionStore
from persistence.stores.log_store import PostgresLogStore
from persistence.stores.newest_store import PostgresNewestLogStore
from tests.client import Api, worker
from tests.conftest import CloneDatabase, serving
from tests.fakes import store

KB, MB = 1024, 1024 * 1024
LINES = 24
PAGES = 5
Ask: TypeAlias = Callable[[PageBudget, list[Any]], Awaitable[list[Page[Any]]]]
"""Loads a page behind each key."""


async def fill(database: Database) -> None:
    """Store lines of 1 to 90 KiB, the large ones among small ones."""
    lines = [Line(job_id="job", message=f"{n} " + "x" * KB * (1 + n % 10 * 10)) for n in range(1, LINES + 1)]
    start = JobStarted(job_id="job", handler_name="h", execution_id="run")
    await store(PostgresLogStore(database), start, *lines)


def ways(database: Database) -> dict[str, Ask]:
    logs = SlicedSearch(PostgresLogStore(database), slice_lines=5)
    executions, newest = PostgresExecutionStore(database), PostgresNewestLogStore(database)

    def lines(log_filter: LogFilter, *, backward: bool = False, **more: Any) -> Ask:
        def asked(key: int | None) -> LogPageRequest:
            after, before = (None, key) if backward else (key, None)
            window = Window(10, after, before, backward)
            return LogPageRequest(scope=LogScope(job_id="job"), window=window, filter=log_filter, **more)

        return lambda room, keys: room.pages(list(map(asked, keys)), logs.pages)

    def of_execution(key: Any) -> ExecutionLogPageRequest:
        return ExecutionLogPageRequest(execution_id="run", window=Window(10, after=key), filter=EVERYTHING)

    def newest_one(key: Any) -> NewestLogRequest:
        return NewestLogRequest(limit=10, after=key, filter=EVERYTHING, job_filter=ANY_JOB)

    async def newest_pages(requests: list[NewestLogRequest]) -> list[Page[Any]]:
        return [await newest.page(request) for request in requests]

    return {
        "plain": lines(EVERYTHING),
        "written": lines(EVERYTHING, written_as=LineSelection((("seq", "seq"), ("message", "message")))),
        "backward": lines(EVERYTHING, backward=True),
        "pattern": lines(LogFilter(search="x+", regex=True)),
        "pattern backward": lines(LogFilter(search="x+", regex=True), backward=True),
        "execution": lambda room, keys: room.pages(list(map(of_execution, keys)), executions.log_pages),
        "newest": lambda room, keys: room.pages(list(map(newest_one, keys)), newest_pages),
    }


@pytest.fixture(scope="module")
def filled_url(new_database: CloneDatabase, migrated_template: str) -> str:
    url = new_database(migrated_template)

    async def filling() -> None:
        async with Database(url) as database:
            await fill(database)

    asyncio.run(filling())
    return url


def seq_of(line: Any) -> int:
    seq: int = line.log.seq if isinstance(line, ExecutionLine) else line.seq
    return seq


def key_of(line: Any, way: str) -> Any:
    if way == "execution":
        return line.job_created_at, line.log.job_id, line.log.seq
    return (line.recorded_at, line.job_id, line.seq) if way == "newest" else line.seq


@pytest.mark.parametrize("way", ["plain", "written", "backward", "pattern", "pattern backward", "execution", "newest"])
@pytest.mark.parametrize("most", [10 * MB, 700 * KB, 500 * KB])
async def test_pages_that_share_a_room_lose_no_line(filled_url: str, way: str, most: int) -> None:
    is_backward, rounds = "backward" in way, 0
    read: list[list[int]] = [[] for _ in range(PAGES)]
    keys: list[Any] = [None] * PAGES
    async with Database(filled_url) as database:
        ask, has_more = ways(database)[way], True
        while has_more:
            pages = await ask(PageBudget(most), keys)
            assert sum(len(str(line)) for page in pages for line in page.items) < most
            for seqs, page in zip(read, pages, strict=True):
                seqs.extend(map(seq_of, page.items[::-1] if is_backward else page.items))
            keys = [key_of(page.items[0 if is_backward else -1], way) for page in pages]
            has_more = pages[0].has_previous if is_backward else pages[0].has_next
            rounds += 1
    expected = list(range(1, LINES + 1))
    assert read == [expected[::-1] if is_backward or way == "newest" else expected] * PAGES
    assert rounds == 3 if most > MB else rounds > 5


async def test_lines_that_are_too_large_together_are_refused_with_how_much(filled_url: str) -> None:
    async with Database(filled_url) as database:
        ask = ways(database)["plain"]
        with pytest.raises(
            TooComplex, match=r"more than 200,000 bytes.* a line of 93,2\d\d bytes is 79,\d{3} too many"
        ):
            await ask(PageBudget(200_000), [8] * 3)


async def test_what_is_loaded_first_leaves_less_for_what_comes_later(filled_url: str) -> None:
    async with Database(filled_url) as database:
        room, ask = PageBudget(MB), ways(database)["written"]
        first, then = [await ask(room, [None] * 2) for _ in range(2)]
        assert [len(page.items) for page in (*first, *then)] == [6, 6, 4, 4]


@pytest.fixture(scope="module")
def api(new_database: CloneDatabase, migrated_template: str) -> Iterator[Api]:
    url = new_database(migrated_template)

    async def filling() -> None:
        async with worker(url) as recorder:
            for job_id, lines, size in (("WIDE", 1, 30 * MB), ("LONG", 40, MB)):
                start = JobStarted(job_id=job_id, handler_name="h", execution_id=f"RUN_{job_id}")
                said = [Line(job_id=job_id, message="x" * size, stage="read") for _ in range(lines)]
                await recorder.record_job(job_id, [start, *said])

    asyncio.run(filling())
    with serving(url) as service, Api(service) as api:
        yield api


def answer(api: Api, query: str) -> tuple[int, Any]:
    got = httpx.post(api.service.graphql_url, json={"query": query}, timeout=60)
    return len(got.content), got.json()


def aliased(count: int, field: str) -> str:
    return f"{{ {' '.join(f'a{n}: {field}' for n in range(count))} }}"


LOGS = "logs { nodes { seq message } pageInfo { hasNextPage } }"
EDGES = "logs { edges { cursor node { seq message } } pageInfo { hasNextPage } }"


@pytest.mark.parametrize("lines", [LOGS, EDGES], ids=["nodes", "edges"])
def test_many_pages_of_one_operation_share_what_one_may_hold(api: Api, lines: str) -> None:
    size, got = answer(api, aliased(30, f'job(jobId: "LONG") {{ {lines} }}'))
    assert 30 * MB < size < MAX_OPERATION_BYTES
    assert all(page["logs"]["pageInfo"]["hasNextPage"] for page in got["data"].values())


def test_pages_at_all_levels_share_it(api: Api) -> None:
    logs = LOGS.replace("logs", "logs(first: 50)")
    inner = f"{logs} stages {{ {logs} tasks(first: 5) {{ nodes {{ {logs} }} }} }} execution {{ {logs} }}"
    newest = " ".join(f"n{n}: {logs}" for n in range(5))
    size, got = answer(api, f'{{ a: job(jobId: "LONG") {{ {inner} }} b: job(jobId: "LONG") {{ {inner} }} {newest} }}')
    assert "errors" not in got, got["errors"]
    assert 16 * MB < size < MAX_OPERATION_BYTES


def test_an_operation_of_too_large_lines_says_by_how_much(api: Api) -> None:
    wide = f'job(jobId: "WIDE") {{ {LOGS} }}'
    for count in (1, 2):
        size, got = answer(api, aliased(count, wide))
        assert ("errors" in got, size > count * 30 * MB) == (False, True)
    _, got = answer(api, aliased(3, wide))
    for error in got["errors"]:
        assert error["extensions"]["code"] == "TOO_COMPLEX"
        assert error["message"].startswith("the query asks for lines of more than 67,108,864 bytes, ")
