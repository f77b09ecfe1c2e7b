"""Lines are kept by the week, ahead of time, and no turn of a week or a year loses one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from domain.filters import EVERYTHING
from domain.pages import Window
from domain.requests import LogPageRequest, LogScope
from jobtail.events import Line
from persistence.database import Database
from persistence.migration import upgrade
from persistence.stores.log_store import PostgresLogStore
from persistence.upkeep.maintenance import WEEKS_AHEAD, ensure_partitions
from tests.announced import PATIENCE_S
from tests.conftest import CloneDatabase, connect
from tests.fakes import store

MONDAY = datetime(2030, 7, 1, tzinfo=UTC)
WEEK = timedelta(weeks=1)
TICK = timedelta(microseconds=1)

PARTITIONS = """
SELECT c.relname AS name, pg_get_expr(c.relpartbound, c.oid) AS bound
FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
WHERE inhparent = 'task_logs'::regclass
ORDER BY name
"""
INSERT = """
INSERT INTO task_logs (job_id, seq, stage, task_id, timestamp, recorded_at, level, message)
SELECT 'job', n, 'main', 'main', recorded_at, recorded_at, 20, 'x'
FROM unnest($1::timestamptz[]) WITH ORDINALITY AS line (recorded_at, n)
"""
JOB = """
INSERT INTO jobs (job_id, handler_name, status, last_seq, first_recorded_at, last_recorded_at, count_info)
SELECT 'job', 'h', 'RUNNING', count(*), min(recorded_at), max(recorded_at), count(*)
FROM task_logs
"""
BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
WHERE = "SELECT tableoid::regclass::text AS name, array_agg(seq ORDER BY seq) AS seqs FROM task_logs GROUP BY 1"


@pytest.fixture(scope="module")
def unpartitioned_template(new_database: CloneDatabase) -> str:
    """Make a migrated database whose weeks nobody has made."""
    url = new_database(None)

    async def migrate() -> None:
        async with Database(url) as database:
            await upgrade(database.engine)

    asyncio.run(migrate())
    name = make_url(url).database
    assert name is not None
    return name


@pytest.fixture
def empty_url(new_database: CloneDatabase, unpartitioned_template: str) -> str:
    return new_database(unpartitioned_template)


@pytest.fixture
async def empty(empty_url: str) -> AsyncIterator[Database]:
    async with Database(empty_url) as database:
        yield database


@pytest.fixture
async def driver(empty_url: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    connection = await connect(empty_url)
    yield connection
    await connection.close()


async def partitions(driver: asyncpg.Connection[Any]) -> list[str]:
    return [row["name"] for row in await driver.fetch(PARTITIONS)]


async def where_lines_are(driver: asyncpg.Connection[Any]) -> dict[str, list[int]]:
    return {row["name"]: row["seqs"] for row in await driver.fetch(WHERE)}


def of_week(monday: date) -> str:
    return f"task_logs_{monday:%Y%m%d}"


async def all_seqs(database: Database) -> list[int]:
    window: Window[int] = Window(limit=1000)
    request = LogPageRequest(scope=LogScope(job_id="job"), window=window, filter=EVERYTHING)
    (page,) = await PostgresLogStore(database).pages([request])
    return [row.seq for row in page.items]


async def test_this_week_and_those_ahead_are_made_once(
    empty: Database, driver: asyncpg.Connection[asyncpg.Record]
) -> None:
    assert await partitions(driver) == ["task_logs_default"]
    assert await ensure_partitions(empty, today=MONDAY) == WEEKS_AHEAD + 1
    made = [of_week(MONDAY + n * WEEK) for n in range(WEEKS_AHEAD + 1)]
    assert await partitions(driver) == [*made, "task_logs_default"]
    assert await ensure_partitions(empty, today=MONDAY) == 0
    assert await ensure_partitions(empty, today=MONDAY + WEEK) == 1
    assert await ensure_partitions(empty, today=MONDAY + 3 * WEEK, weeks_ahead=0) == 0


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Auckland", "America/Los_Angeles"])
async def test_a_week_is_from_monday_to_monday_in_utc_wherever_the_session_is(
    driver: asyncpg.Connection[asyncpg.Record], zone: str
) -> None:
    await driver.execute(f"SET timezone = '{zone}'")
    for day in range(7):
        await driver.execute("SELECT task_logs_ensure_week($1)", (MONDAY + timedelta(days=day)).date())
    await driver.execute("SET timezone = 'UTC'")
    (week, _) = await driver.fetch(PARTITIONS)
    assert week["name"] == "task_logs_20300701"
    assert week["bound"] == "FOR VALUES FROM ('2030-07-01 00:00:00+00') TO ('2030-07-08 00:00:00+00')"


async def test_without_a_day_the_present_week_is_meant(
    empty: Database, driver: asyncpg.Connection[asyncpg.Record]
) -> None:
    await ensure_partitions(empty)
    await store(PostgresLogStore(empty), Line(job_id="job", message="x"))
    (name,) = await where_lines_are(driver)
    today = datetime.now(UTC).date()
    assert name in {of_week(today - timedelta(days=today.weekday() + shift)) for shift in (0, 1)}
    assert name != "task_logs_default"


async def test_many_processes_make_the_weeks_at_once_while_lines_are_written(
    empty: Database, driver: asyncpg.Connection[asyncpg.Record]
) -> None:
    logs = PostgresLogStore(empty)

    async def write() -> None:
        for _ in range(20):
            await store(logs, Line(job_id="job", message="x"))

    *made, _, _ = await asyncio.gather(*(ensure_partitions(empty) for _ in range(4)), write(), write())
    assert sum(filter(None, made)) == WEEKS_AHEAD + 1
    assert len(await partitions(driver)) == WEEKS_AHEAD + 2
    assert await all_seqs(empty) == list(range(1, 41))


async def test_a_line_whose_week_nobody_made_is_caught_and_moves_when_it_is_made(
    empty: Database, driver: asyncpg.Connection[asyncpg.Record]
) -> None:
    times = [MONDAY - TICK, MONDAY, MONDAY + 3 * timedelta(days=1), MONDAY + WEEK - TICK, MONDAY + WEEK]
    await driver.execute(INSERT, times)
    await driver.execute(JOB)
    assert await where_lines_are(driver) == {"task_logs_default": [1, 2, 3, 4, 5]}
    assert await all_seqs(empty) == [1, 2, 3, 4, 5]
    await ensure_partitions(empty, today=MONDAY, weeks_ahead=0)
    assert await where_lines_are(driver) == {"task_logs_default": [1, 5], of_week(MONDAY): [2, 3, 4]}
    assert await all_seqs(empty) == [1, 2, 3, 4, 5]
    await ensure_partitions(empty, today=MONDAY - WEEK, weeks_ahead=2)
    assert await where_lines_are(driver) == {
        of_week(MONDAY - WEEK): [1],
        of_week(MONDAY): [2, 3, 4],
        of_week(MONDAY + WEEK): [5],
    }
    assert await all_seqs(empty) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "turn",
    [MONDAY, datetime(2031, 1, 1, tzinfo=UTC), datetime(2026, 12, 28, tzinfo=UTC), datetime(2024, 2, 29, tzinfo=UTC)],
    ids=str,
)
async def test_no_turn_of_a_week_or_year_loses_a_line(
    empty: Database, driver: asyncpg.Connection[asyncpg.Record], turn: datetime
) -> None:
    """One service makes partitions day by day as a job writes through the turn."""
    times = [turn + timedelta(days=day) + shift for day in range(-9, 10) for shift in (-TICK, timedelta(), TICK)]
    for day in range(-9, 10):
        await ensure_partitions(empty, today=turn + timedelta(days=day), weeks_ahead=1)
    await driver.execute(INSERT, times)
    await driver.execute(JOB)
    placed = await where_lines_are(driver)
    mondays = {time.date() - timedelta(days=time.weekday()) for time in times[1:]}
    first_week = of_week(min(mondays))
    assert set(placed) - {"task_logs_default"} == set(map(of_week, mondays))
    assert set(placed.get("task_logs_default", [])) <= {1}
    for name, seqs in placed.items():
        if name != "task_logs_default":
            assert {of_week(times[n - 1].date() - timedelta(days=times[n - 1].weekday())) for n in seqs} == {name}
    assert first_week in placed
    assert await all_seqs(empty) == list(range(1, len(times) + 1))


async def test_a_line_that_is_written_while_its_week_is_made_waits_and_is_kept(
    empty: Database, driver: asyncpg.Connection[asyncpg.Record]
) -> None:
    transaction = driver.transaction()
    await transaction.start()
    await driver.execute("SELECT task_logs_ensure_week(current_date)")
    writing = asyncio.create_task(store(PostgresLogStore(empty), Line(job_id="job", message="x")))
    async with asyncio.timeout(PATIENCE_S):
        while not await driver.fetchval(BLOCKED):
            await driver.execute("SELECT pg_stat_clear_snapshot()")
    await transaction.commit()
    assert (await writing).last_seq == 1
    assert await all_seqs(empty) == [1]
