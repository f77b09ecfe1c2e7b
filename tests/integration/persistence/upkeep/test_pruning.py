"""Lines of several weeks that become too old, while others are captured, read and followed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from domain.filters import ANY_JOB, EVERYTHING, LogFilter
from domain.live.tail_hub import TailHub
from domain.requests import NewestLogRequest
from domain.retention import Pruned, Retention, pruned_before, read_retention
from jobtail.events import JobFinished, JobStatus, Line, LogLevel
from persistence.database import Database
from persistence.stores.job_store import PostgresJobStore
from persistence.stores.log_store import PostgresLogStore
from persistence.stores.newest_store import PostgresNewestLogStore
from persistence.upkeep import pruning
from persistence.upkeep.maintenance import keep_retention
from persistence.upkeep.pruning import BEGIN_RUN, PostgresLogPruner
from tests.announced import PATIENCE_S
from tests.conftest import CloneDatabase, connect
from tests.fakes import store
from tests.loading import load_unanalysed
from tests.many_batches import LOAD
from tests.processes import until

SUNDAY = datetime(2030, 7, 21, tzinfo=UTC)
"""The lines were stored from Monday, July 1, on, 5,000 a day; every 1,000th batch of 5 lines has an error."""
WEEKS = ["task_logs_20300701", "task_logs_20300708", "task_logs_20300715"]
DROP_OTHERS = """
SELECT task_logs_drop_week(inhrelid) FROM pg_inherits
WHERE inhparent = 'task_logs'::regclass AND inhrelid::regclass::text < 'task_logs_2030'
"""
TEN_DAYS = read_retention("10d", {})


@pytest.fixture(scope="module")
def loaded_template(new_database: CloneDatabase, migrated_template: str) -> str:
    return load_unanalysed(new_database(migrated_template), [*LOAD, DROP_OTHERS])


@pytest.fixture
def loaded_url(new_database: CloneDatabase, loaded_template: str) -> str:
    return new_database(loaded_template)


@pytest.fixture
async def loaded(loaded_url: str) -> AsyncIterator[Database]:
    async with Database(loaded_url) as database:
        yield database


@pytest.fixture
async def driver(loaded_url: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection = await connect(loaded_url)
    yield connection
    await connection.close()


def pruner_of(database: Database) -> PostgresLogPruner:
    return PostgresLogPruner(database, pause_s=0.0)


async def prune(database: Database, retention: Retention, *, at: datetime = SUNDAY, **how: bool) -> Pruned:
    pruned = await pruner_of(database).prune(retention, at, **how)
    assert pruned is not None
    return pruned


async def oldest(driver: asyncpg.Connection[Any]) -> tuple[datetime, datetime]:
    """Tell when the first line that is left was stored, and the first batch."""
    return (
        await driver.fetchval("SELECT min(recorded_at) FROM task_logs"),
        await driver.fetchval("SELECT min(recorded_at) FROM stored_batches"),
    )


async def weeks_left(driver: asyncpg.Connection[Any]) -> list[str]:
    names = await driver.fetch("SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NOT NULL", WEEKS)
    return [row["name"] for row in names]


async def count(driver: asyncpg.Connection[Any], table: str) -> int:
    return int(await driver.fetchval(f"SELECT count(*) FROM {table}"))


async def test_whole_weeks_are_dropped_and_the_rest_is_deleted(
    loaded: Database, driver: asyncpg.Connection[Any]
) -> None:
    kept = await driver.fetch("SELECT * FROM jobs ORDER BY job_id")
    told = await prune(loaded, TEN_DAYS, is_dry=True)
    assert (await weeks_left(driver), await count(driver, "task_logs")) == (WEEKS, 100_000)
    pruned = await prune(loaded, TEN_DAYS)
    assert pruned == told
    assert [(week.name, week.lines) for week in pruned.weeks] == [(WEEKS[0], 35_000)]
    assert sum(pruned.lines.values()) == 15_000
    assert pruned.lines[LogLevel.ERROR] == 3
    assert await weeks_left(driver) == WEEKS[1:]
    assert await oldest(driver) == (SUNDAY - timedelta(days=10), SUNDAY - timedelta(days=10))
    assert (await count(driver, "task_logs"), await count(driver, "stored_batches")) == (50_000, 10_000)
    assert await driver.fetch("SELECT * FROM jobs ORDER BY job_id") == kept
    assert await prune(loaded, TEN_DAYS) == Pruned()


async def test_a_schedule_of_long_times_waits_for_whole_weeks(
    loaded: Database, driver: asyncpg.Connection[Any]
) -> None:
    pruned = await prune(loaded, TEN_DAYS, whole_weeks=True)
    assert [week.name for week in pruned.weeks] == WEEKS[:1]
    assert pruned.lines == {}
    assert await oldest(driver) == (datetime(2030, 7, 8, tzinfo=UTC),) * 2


async def test_levels_with_shorter_times_go_in_between(loaded: Database, driver: asyncpg.Connection[Any]) -> None:
    retention = read_retention("13d", {"info": "1d"})
    told = await prune(loaded, retention, is_dry=True)
    pruned = await prune(loaded, retention)
    assert pruned == told
    assert [week.name for week in pruned.weeks] == WEEKS[:1]
    assert pruned.lines == {LogLevel.INFO: 60_000 - 12}
    assert await count(driver, "task_logs") == 12 + 5_000
    assert await count(driver, "stored_batches WHERE levels = 16") == 12
    assert await count(driver, "stored_batches") == 12 + 1_000
    jobs = await PostgresJobStore(loaded).get(["job-7"])
    marks = await PostgresLogPruner(loaded).pruned_levels()
    assert pruned_before(jobs["job-7"], marks) == SUNDAY - timedelta(days=1)
    errors = LogFilter(min_level=LogLevel.ERROR)
    newest = await PostgresNewestLogStore(loaded).page(NewestLogRequest(limit=99, filter=errors, job_filter=ANY_JOB))
    assert ([line.level for line in newest.items], newest.has_next) == ([LogLevel.ERROR] * 13, False)
    assert (await prune(loaded, retention)).lines == {}


async def test_a_run_that_was_ended_early_is_finished_by_the_next(
    loaded: Database, driver: asyncpg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether between a week and its batches, or amid the steps."""
    monkeypatch.setattr(pruning, "STEP_LINES", 1_000)
    with monkeypatch.context() as patched:
        for steps in (0, 1, 6):
            left = iter(range(steps))
            patched.setattr(asyncio, "sleep", lambda _, left=left: _turn(left))
            with pytest.raises(StopAsyncIteration):
                await prune(loaded, TEN_DAYS)
    assert (await prune(loaded, TEN_DAYS)).weeks == []
    assert await oldest(driver) == (SUNDAY - timedelta(days=10), SUNDAY - timedelta(days=10))
    assert (await count(driver, "task_logs"), await count(driver, "stored_batches")) == (50_000, 10_000)


async def _turn(left: Iterator[int]) -> None:
    """Sleep so often, and then die."""
    if next(left, None) is None:
        raise StopAsyncIteration


async def test_lines_without_a_week_go_too(loaded: Database, driver: asyncpg.Connection[Any]) -> None:
    await driver.execute("CREATE TABLE moved AS SELECT * FROM task_logs WHERE recorded_at < '2030-07-08Z'")
    await driver.execute(f"DROP TABLE {WEEKS[0]}")
    await driver.execute("INSERT INTO task_logs SELECT * FROM moved")
    assert await count(driver, "task_logs_default") == 35_000
    pruned = await prune(loaded, TEN_DAYS)
    assert (pruned.weeks, sum(pruned.lines.values())) == ([], 50_000)
    assert await count(driver, "task_logs_default") == 0


async def test_a_week_that_somebody_uses_is_left_with_what_is_newer(
    loaded: Database, driver: asyncpg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "LOCK_S", 0.05)
    monkeypatch.setattr(pruning, "DROP_PAUSE_S", 0.0)
    async with driver.transaction():
        await driver.execute(f"SELECT FROM {WEEKS[0]} LIMIT 1")
        logs = PostgresLogStore(loaded)
        pruned, _ = await asyncio.gather(prune(loaded, TEN_DAYS), store(logs, Line(job_id="new", message="m")))
        assert (pruned.in_use, pruned.weeks) == (WEEKS[0], [])
        assert await count(driver, "task_logs WHERE recorded_at >= '2030-07-01Z'") == 100_000
    pruned = await prune(loaded, TEN_DAYS)
    assert ([week.name for week in pruned.weeks], sum(pruned.lines.values())) == (WEEKS[:1], 15_000)


async def test_one_process_prunes_at_a_time(loaded: Database, driver: asyncpg.Connection[Any]) -> None:
    assert await driver.fetchval(BEGIN_RUN)
    assert await pruner_of(loaded).prune(TEN_DAYS, SUNDAY) is None
    await driver.execute("SELECT pg_advisory_unlock_all()")
    runs = await asyncio.gather(*(pruner_of(loaded).prune(TEN_DAYS, SUNDAY) for _ in range(3)))
    assert len([pruned for pruned in runs if pruned is not None and pruned.weeks]) == 1


async def test_capture_and_followers_go_on_while_lines_are_pruned(database: Database, database_url: str) -> None:
    """Whatever was young is there, in the log and at who followed it."""
    hub = TailHub(PostgresLogStore(database), PostgresJobStore(database))
    followed: list[int] = []

    async def follow() -> None:
        async with aclosing(hub.follow("job", EVERYTHING, after=0)) as batches:
            async for batch in batches:
                followed.extend(line.seq for line in batch.rows)

    async with asyncio.timeout(PATIENCE_S):
        following = asyncio.create_task(follow())
        writing = asyncio.create_task(_write(database))
        before = await _prune_meanwhile(database, hub, writing)
        stored = await writing
        await _look(hub)
        await following
    assert followed == sorted(set(followed))
    connection = await connect(database_url)
    try:
        left = [row["seq"] for row in await connection.fetch("SELECT seq FROM task_logs ORDER BY seq")]
        batches = await connection.fetch("SELECT last_seq - first_seq + 1 AS lines FROM stored_batches")
    finally:
        await connection.close()
    last_seq = max(stored)
    assert left == list(range(last_seq - len(left) + 1, last_seq + 1))
    assert sum(row["lines"] for row in batches) == len(left)
    young = {seq for seq, recorded_at in stored.items() if recorded_at >= before}
    assert young <= set(left)
    assert young <= set(followed)


async def _write(database: Database) -> dict[int, datetime]:
    """Store batches of 50 lines until a job ends; tell which line was stored last in each, and when."""
    logs, stored = PostgresLogStore(database), {}
    for _ in range(60):
        told = await store(logs, *[Line(job_id="job", message="m", level=level) for level in [*LogLevel] * 10])
        stored[told.last_seq] = told.recorded_at
    await store(logs, JobFinished(job_id="job", status=JobStatus.COMPLETED))
    return stored


async def _prune_meanwhile(database: Database, hub: TailHub, writing: asyncio.Task[Any]) -> datetime:
    """Prune again and again what is there, as if a minute had passed; tell before when all is gone."""
    pruned = 0
    while not (writing.done() and pruned):
        at = datetime.now(UTC) + timedelta(minutes=1)
        pruned += sum((await prune(database, read_retention("1m", {}), at=at)).lines.values())
        await _look(hub)
    return at - timedelta(minutes=1)


async def _look(hub: TailHub) -> None:
    """Do what the doorbell does every few seconds."""
    for tail in hub.tails:
        await tail.refresh()


async def test_the_service_prunes_by_itself(loaded: Database, loaded_url: str, driver: asyncpg.Connection[Any]) -> None:
    """All lines of the database are from a later year than this one, so they are moved to an earlier one."""
    past = "timestamptz '2030-07-21Z' - timestamptz '2020-07-20Z'"
    await driver.execute(
        "SELECT task_logs_ensure_week(d::date) FROM generate_series(timestamp '2020-06-29', '2020-07-20', '7 days') d"
    )
    for table in ("task_logs", "stored_batches"):
        await driver.execute(f"UPDATE {table} SET recorded_at = recorded_at - ({past})")
    pruning_on = asyncio.create_task(keep_retention(loaded_url, read_retention("1d", {})))
    try:

        async def is_done() -> bool:
            return not await count(driver, "stored_batches")

        await until(is_done)
        assert await count(driver, "task_logs") == 0
        assert not pruning_on.done()
    finally:
        pruning_on.cancel()
        await asyncio.wait([pruning_on])
