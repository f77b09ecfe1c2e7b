"""The lines of all jobs in a full database: what is looked at is bounded, whatever is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.errors import InvalidInput
from domain.filters import ANY_JOB, EVERYTHING, JobFilter, LogFilter
from domain.pages import Page
from domain.requests import NewestKey, NewestLogRequest
from jobtail.events import Line, LogLevel
from persistence.database import Database
from persistence.stores.log_store import PostgresLogStore
from persistence.stores.newest_store import Bounds, PostgresNewestLogStore
from tests.conftest import CloneDatabase, connect
from tests.fakes import store
from tests.loading import load_unanalysed
from tests.many_batches import LOAD
from tests.query_plans import Node, of_table, run
from tests.statements import statements_of

SPOKEN = 100_000
SMALL = Bounds(batches=500, batches_read=50, lines_read=100, bytes_read=10_000)


@pytest.fixture(scope="module")
def loaded_template(new_database: CloneDatabase, migrated_template: str) -> str:
    return load_unanalysed(new_database(migrated_template), LOAD)


@pytest.fixture(scope="module")
def loaded_url(new_database: CloneDatabase, loaded_template: str) -> str:
    return new_database(loaded_template)


@pytest.fixture
async def loaded(loaded_url: str) -> AsyncIterator[Database]:
    """The loaded tables, which these tests share: they read only."""
    async with Database(loaded_url) as database:
        yield database


@pytest.fixture
async def loaded_copy(new_database: CloneDatabase, loaded_template: str) -> AsyncIterator[Database]:
    async with Database(await asyncio.to_thread(new_database, loaded_template)) as database:
        yield database


def _request(
    limit: int = 100,
    after: NewestKey | None = None,
    log_filter: LogFilter = EVERYTHING,
    job_filter: JobFilter = ANY_JOB,
) -> NewestLogRequest:
    return NewestLogRequest(limit=limit, after=after, filter=log_filter, job_filter=job_filter)


def _read(plan: list[Node], table: str) -> float:
    scans = of_table(plan, table)
    assert {node.kind for node in scans} <= {"Index Scan", "Index Only Scan"}, scans
    return sum(node.rows + node.dropped for node in scans)


DEEP = (datetime(2030, 7, 8, tzinfo=UTC), "job-9", 3)


@pytest.mark.parametrize("after", [None, DEEP], ids=["newest", "deep"])
async def test_a_page_anywhere_reads_little_more_than_its_lines(loaded: Database, after: NewestKey | None) -> None:
    page, plan = await run(loaded, PostgresNewestLogStore(loaded).page(_request(after=after)))
    assert (len(page.items), page.has_next, page.scanned_to) == (100, True, None)
    keys = [(line.recorded_at, line.job_id, line.seq) for line in page.items]
    assert keys == sorted(keys, reverse=True)
    assert _read(plan, "stored_batches") <= 102
    # The sort within batches takes some rows ahead.
    assert _read(plan, "task_logs") <= 200


async def test_the_newest_errors_are_found_without_passing_other_batches(loaded: Database) -> None:
    log_filter = LogFilter(min_level=LogLevel.ERROR)
    page, plan = await run(loaded, PostgresNewestLogStore(loaded).page(_request(log_filter=log_filter)))
    assert ([line.level for line in page.items], page.has_next) == ([LogLevel.ERROR] * 20, False)
    assert {node.index for node in of_table(plan, "stored_batches")} == {"stored_batches_grave"}
    assert _read(plan, "stored_batches") <= 3 * 20
    assert _read(plan, "task_logs") <= 20 * 5


async def test_the_lines_of_an_execution_are_found_while_its_jobs_spoke(loaded: Database) -> None:
    job_filter = JobFilter(execution_id="of-job-33")
    page, plan = await run(loaded, PostgresNewestLogStore(loaded).page(_request(1000, job_filter=job_filter)))
    assert ([line.seq for line in page.items], page.has_next) == (list(range(500, 0, -1)), False)
    assert _read(plan, "stored_batches") <= 3 * 1000
    assert _read(plan, "task_logs") <= 500


RARE: list[tuple[LogFilter, JobFilter]] = [
    (LogFilter(search="nothing like it"), ANY_JOB),
    (LogFilter(metadata={"a": 1}), ANY_JOB),
    (LogFilter(levels=frozenset({LogLevel.TRACE})), ANY_JOB),
    (LogFilter(until=datetime(2030, 7, 2, tzinfo=UTC)), ANY_JOB),
    (LogFilter(stages=frozenset({"nowhere"})), ANY_JOB),
    (EVERYTHING, JobFilter(handler_names=frozenset({"nobody"}))),
    (EVERYTHING, JobFilter(search="nothing like it")),
]


@pytest.mark.parametrize(("log_filter", "job_filter"), RARE, ids=str)
async def test_a_rare_search_stops_and_says_where(
    loaded: Database, log_filter: LogFilter, job_filter: JobFilter
) -> None:
    bounded = PostgresNewestLogStore(loaded, SMALL)
    page, plan = await run(loaded, bounded.page(_request(log_filter=log_filter, job_filter=job_filter)))
    assert (len(page.items), page.has_next) == (0, True)
    assert page.scanned_to < (datetime(2030, 7, 21, tzinfo=UTC), "", 0)
    assert _read(plan, "stored_batches") <= 3 * SMALL.batches
    assert _read(plan, "task_logs") <= SMALL.lines_read + 5


async def _all(newest: PostgresNewestLogStore, **asked: Any) -> tuple[list[int], int]:
    """Go through all pages; tell which lines were found, and how many pages were empty though there was more."""
    found: list[int] = []
    empty = 0
    after: NewestKey | None = None
    while True:
        page = await newest.page(_request(after=after, **asked))
        found += [line.seq for line in page.items]
        empty += not page.items
        if not page.has_next:
            return found, empty
        after = _end(page)


def _end(page: Page[Any]) -> NewestKey:
    if page.scanned_to is not None:
        stop: NewestKey = page.scanned_to
        return stop
    last = page.items[-1]
    return last.recorded_at, last.job_id, last.seq


@pytest.mark.parametrize(
    ("bounds", "least_empty"),
    [
        (Bounds(), 0),
        (SMALL, 20),
        (Bounds(lines_read=1), 300),
        (Bounds(bytes_read=1), 300),
        (Bounds(batches_read=1), 300),
    ],
    ids=["usual", "small", "line by line", "byte by byte", "batch by batch"],
)
async def test_who_goes_on_where_a_search_stopped_finds_all(loaded: Database, bounds: Bounds, least_empty: int) -> None:
    log_filter = LogFilter(search="line 50", since=datetime(2030, 7, 20, 12, tzinfo=UTC))
    found, empty = await _all(PostgresNewestLogStore(loaded, bounds), log_filter=log_filter)
    async with loaded.engine.connect() as connection:
        query = "SELECT count(*) FROM task_logs WHERE message LIKE '%line 50%' AND timestamp >= '2030-07-20T12:00Z'"
        assert len(found) == (await connection.exec_driver_sql(query)).scalar_one() > 0
    assert empty >= least_empty


async def test_who_goes_on_where_passing_stopped_finds_all(loaded: Database) -> None:
    few = Bounds(batches=300)
    found, empty = await _all(
        PostgresNewestLogStore(loaded, few), limit=1000, job_filter=JobFilter(handler_names=frozenset({"handler-3"}))
    )
    assert (len(found), empty) == (SPOKEN // 10, 0)
    few = Bounds(batches=30)
    log_filter = LogFilter(levels=frozenset({LogLevel.ERROR, LogLevel.TRACE}))
    found, empty = await _all(PostgresNewestLogStore(loaded, few), log_filter=log_filter)
    assert (len(found), empty > 500) == (20, True)


async def test_lines_that_are_gone_make_no_page_stop_short(loaded_copy: Database) -> None:
    async with loaded_copy.engine.begin() as connection:
        await connection.exec_driver_sql("DELETE FROM task_logs WHERE recorded_at >= '2030-07-10T00:00Z'")
    found, empty = await _all(PostgresNewestLogStore(loaded_copy), limit=1000)
    assert len(found) == 9 * 1000 * 5
    assert empty > 0


async def test_a_count_that_is_kept_reads_no_line(loaded: Database) -> None:
    newest = PostgresNewestLogStore(loaded)
    count, plan = await run(loaded, newest.count(LogFilter(min_level=LogLevel.ERROR), ANY_JOB))
    assert (count, of_table(plan, "task_logs"), of_table(plan, "stored_batches")) == (20, [], [])
    count, plan = await run(loaded, newest.count(EVERYTHING, JobFilter(execution_id="of-job-3")))
    assert (count, of_table(plan, "task_logs")) == (500, [])


async def test_what_no_count_is_kept_of_is_counted_within_bounds(loaded: Database) -> None:
    spoken = JobFilter(execution_id="of-job-3")
    assert await PostgresNewestLogStore(loaded).count(LogFilter(search="line 50"), spoken) == 2
    for bounds in (Bounds(batches=100), Bounds(batches_read=10), Bounds(lines_read=10), Bounds(bytes_read=10)):
        with pytest.raises(InvalidInput, match=r"too many lines would have to be read .* leave totalCount out"):
            await PostgresNewestLogStore(loaded, bounds).count(LogFilter(search="line 50"), spoken)


async def test_a_page_is_one_statement_after_that_which_sets_its_way(loaded: Database) -> None:
    with statements_of(loaded) as sent:
        await PostgresNewestLogStore(loaded).page(_request(log_filter=LogFilter(search="nothing like it")))
    assert ["stored_batches" in statement for statement, _ in sent] == [False, True]


async def test_a_later_line_of_a_job_is_never_dated_before_an_earlier_one(
    database_url: str, database: Database
) -> None:
    logs = PostgresLogStore(database)
    first = await store(logs, Line(job_id="job", message="first"))
    connection = await connect(database_url)
    try:  # as if the database's clock had been an hour ahead then
        ahead = first.recorded_at + timedelta(hours=1)
        await connection.execute("UPDATE jobs SET last_recorded_at = $1", ahead)
        await connection.execute("UPDATE task_logs SET recorded_at = $1", ahead)
        await connection.execute("UPDATE stored_batches SET recorded_at = $1", ahead)
    finally:
        await connection.close()
    second = await store(logs, Line(job_id="job", message="second"), Line(job_id="job", message="third"))
    assert second.recorded_at == ahead
    page = await PostgresNewestLogStore(database).page(_request())
    assert [line.message for line in page.items] == ["third", "second", "first"]
