"""Plans of the queries for executions on tables that were just loaded and never analysed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.executions import ExecutionStatus
from domain.filters import ANY_EXECUTION, EVERYTHING, ExecutionFilter, JobFilter, LogFilter
from domain.pages import Window
from domain.requests import ExecutionLogCount, ExecutionLogPageRequest, ExecutionPageRequest, JobPageRequest
from jobtail.events import LogLevel
from persistence.database import Database
from persistence.stores.execution_store import PostgresExecutionStore
from persistence.stores.job_store import PostgresJobStore
from tests.conftest import CloneDatabase
from tests.loading import load_unanalysed
from tests.query_plans import Node, of_table, run

LOAD = [
    "SELECT task_logs_ensure_week('2030-07-01'::date + 7 * week) FROM generate_series(0, 4) AS week",
    # Three jobs of 5,000 lines each go through all weeks one after the other, then one that fails after 10.
    """
    INSERT INTO task_logs (job_id, seq, stage, task_id, timestamp, recorded_at, level, message, metadata)
    SELECT 'long-' || job, n, 'stage', 'task-' || n % 50, at, at, CASE WHEN job = 4 THEN 40 ELSE 20 END, 'line ' || n, NULL
    FROM generate_series(1, 4) AS job, generate_series(1, CASE WHEN job = 4 THEN 10 ELSE 5000 END) AS n,
        LATERAL (SELECT '2030-07-01'::timestamptz + job * interval '7 days' + n * interval '2 minutes') AS t(at)
    """,
    # 2,000 jobs of an execution say 5 lines each.
    """
    INSERT INTO task_logs (job_id, seq, stage, task_id, timestamp, recorded_at, level, message, metadata)
    SELECT 'wide-' || job, n, 'stage', 'stage', at, at, 20, 'line ' || n, NULL
    FROM generate_series(1, 2000) AS job, generate_series(1, 5) AS n,
        LATERAL (SELECT '2030-07-01'::timestamptz + job * interval '1 minute' + n * interval '1 second') AS t(at)
    """,
    """
    INSERT INTO jobs (
        job_id, handler_name, execution_id, schedule_id, status, last_seq, first_recorded_at, last_recorded_at,
        count_info, count_error, created_at
    )
    SELECT job_id, 'h', split_part(job_id, '-', 1), CASE WHEN job_id IN ('long-1', 'wide-1') THEN 'yearly' END,
        'COMPLETED', max(seq), min(recorded_at), max(recorded_at),
        count(*) FILTER (WHERE level = 20), count(*) FILTER (WHERE level = 40), min(recorded_at)
    FROM task_logs GROUP BY job_id
    """,
    # 8,000 executions of 20 schedules have two children each, and as many jobs belong to none.
    """
    INSERT INTO jobs (job_id, handler_name, execution_id, schedule_id, status, created_at)
    SELECT CASE part WHEN 0 THEN 'root-' WHEN 3 THEN 'alone-' ELSE 'child-' || part || '-' END || n, 'h',
        CASE WHEN part < 3 THEN 'run-' || n END, CASE WHEN part = 0 THEN 'schedule-' || n % 20 END,
        CASE WHEN n % 10 = 0 THEN 'FAILED' ELSE 'COMPLETED' END, at + part * interval '1 second'
    FROM generate_series(1, 8000) AS n, generate_series(0, 3) AS part,
        LATERAL (SELECT '2031-07-01'::timestamptz + n * interval '1 minute') AS t(at)
    """,
    """
    INSERT INTO job_tasks (job_id, stage, task_id, first_seq, first_at, last_at, count_info)
    SELECT job_id, stage, task_id, min(seq), min(timestamp), max(timestamp), count(*)
    FROM task_logs GROUP BY job_id, stage, task_id
    """,
]


@pytest.fixture(scope="module")
def loaded_template(new_database: CloneDatabase, migrated_template: str) -> str:
    return load_unanalysed(new_database(migrated_template), LOAD)


@pytest.fixture
async def loaded(new_database: CloneDatabase, loaded_template: str) -> AsyncIterator[Database]:
    url = await asyncio.to_thread(new_database, loaded_template)
    async with Database(url) as database:
        yield database


def assert_scans(plan: Sequence[Node], most_rows: int) -> set[str]:
    """Check that jobs were read by indexes only, few of them and none sorted; tell by which."""
    scans = of_table(plan, "jobs")
    assert {node.kind for node in scans} <= {"Index Scan", "Index Only Scan", "Bitmap Heap Scan"}, plan
    assert not [node for node in plan if "Sort" in node.kind], plan
    assert sum(node.rows + node.dropped for node in scans) <= most_rows, scans
    return {node.index for node in plan if node.index}


SUMS = {"jobs_failed_of_execution", "jobs_active_of_execution", "jobs_ended_of_execution"}
DEEP = (datetime(2031, 7, 1, 12, tzinfo=UTC), "root-720")


@pytest.mark.parametrize("after", [None, DEEP])
async def test_the_newest_executions_are_read_by_their_index(
    loaded: Database, after: tuple[datetime, str] | None
) -> None:
    request = ExecutionPageRequest(window=Window(limit=20, after=after), filter=ANY_EXECUTION)
    (page,), plan = await run(loaded, PostgresExecutionStore(loaded).pages([request]))
    newest = 8000 if after is None else 719
    assert [found.execution_id for found in page.items] == [f"run-{n}" for n in range(newest, newest - 20, -1)]
    # Each of three jobs an execution is looked at, and asked for its root; a tenth of the executions have three that failed.
    indexes = assert_scans(plan, most_rows=2 * 3 * 21 + 4 * 3)
    assert indexes == {"jobs_newest_of_executions", "jobs_root_of_execution", *SUMS}


OF_SCHEDULE = {"jobs_newest_of_schedule", "jobs_root_of_execution"}


async def test_the_executions_of_a_schedule_are_read_by_their_index(loaded: Database) -> None:
    request = ExecutionPageRequest(window=Window(limit=10), filter=ExecutionFilter(schedule_id="schedule-0"))
    (page,), plan = await run(loaded, PostgresExecutionStore(loaded).pages([request]))
    assert [found.execution_id for found in page.items] == [f"run-{n}" for n in range(8000, 7800, -20)]
    assert assert_scans(plan, most_rows=2 * 11 + 3 * 11) == OF_SCHEDULE | SUMS


@pytest.mark.parametrize("after", [None, DEEP])
async def test_few_of_a_schedule_are_chosen_from_its_own_alone(
    loaded: Database, after: tuple[datetime, str] | None
) -> None:
    chosen = ExecutionFilter(schedule_id="schedule-0", statuses=frozenset({ExecutionStatus.FAILED}))
    request = ExecutionPageRequest(window=Window(limit=10, after=after), filter=chosen)
    (page,), plan = await run(loaded, PostgresExecutionStore(loaded).pages([request]))
    newest = 8000 if after is None else 700
    assert [found.execution_id for found in page.items] == [f"run-{n}" for n in range(newest, newest - 200, -20)]
    assert {node.index for node in plan if node.index} == OF_SCHEDULE | SUMS
    # Postgres expects so few of them that it may as well sort all 400.
    assert sum(node.rows + node.dropped for node in of_table(plan, "jobs")) <= 2 * 400 + 10 * 4


async def test_the_root_of_an_execution_is_one_step_into_an_index_however_wide_it_is(loaded: Database) -> None:
    found, plan = await run(loaded, PostgresExecutionStore(loaded).get(["wide", "long", "run-7", "unheard-of"]))
    assert {each.root.job_id for each in found.values()} == {"wide-1", "long-1", "root-7"}
    assert assert_scans(plan, most_rows=3) == {"jobs_root_of_execution", *SUMS}


async def test_the_jobs_of_an_execution_are_read_by_their_index(loaded: Database) -> None:
    request = JobPageRequest(window=Window(limit=20), filter=JobFilter(execution_id="wide"))
    (page,), plan = await run(loaded, PostgresJobStore(loaded).pages([request]))
    assert page.items[0].job_id == "wide-2000"
    assert assert_scans(plan, most_rows=21) == {"jobs_of_execution"}


def log_page(database: Database, execution_id: str, window: Window[Any], log_filter: LogFilter = EVERYTHING) -> Any:
    request = ExecutionLogPageRequest(execution_id=execution_id, window=window, filter=log_filter)
    return PostgresExecutionStore(database).log_pages([request])


def at(job: int) -> datetime:
    return datetime(2030, 7, 1 + 7 * job, 0, 2, tzinfo=UTC)


WINDOWS: list[tuple[Window[Any], list[tuple[str, int]]]] = [
    (Window(limit=100), [("long-1", seq) for seq in range(1, 101)]),
    (Window(limit=100, after=(at(2), "long-2", 3000)), [("long-2", seq) for seq in range(3001, 3101)]),
    (
        Window(limit=100, after=(at(1), "long-1", 4960)),
        [*(("long-1", seq) for seq in range(4961, 5001)), *(("long-2", seq) for seq in range(1, 61))],
    ),
    (
        Window(limit=100, backward=True),
        [*(("long-3", seq) for seq in range(4911, 5001)), *(("long-4", seq) for seq in range(1, 11))],
    ),
    (
        Window(limit=100, before=(at(3), "long-3", 31), backward=True),
        [*(("long-2", seq) for seq in range(4931, 5001)), *(("long-3", seq) for seq in range(1, 31))],
    ),
]


@pytest.mark.parametrize(("window", "expected"), WINDOWS, ids=str)
async def test_a_page_anywhere_among_long_logs_is_read_by_the_primary_key(
    loaded: Database, window: Window[Any], expected: list[tuple[str, int]]
) -> None:
    (page,), plan = await run(loaded, log_page(loaded, "long", window))
    assert [(line.log.job_id, line.log.seq) for line in page.items] == expected
    scans = of_table(plan, "task_logs")
    assert {node.kind for node in scans} == {"Index Scan"}
    assert all(node.index and node.index.endswith("_pkey") for node in scans), scans
    # No job is read further than the page could go, nor are its lines of all weeks.
    assert sum(node.rows + node.dropped for node in scans) <= 3 * 101 + 10 + 2


async def test_a_page_of_a_wide_execution_reads_the_lines_of_few_jobs(loaded: Database) -> None:
    windows: list[tuple[Window[Any], str]] = [
        (Window(limit=100), "wide-1"),
        (Window(limit=100, after=(datetime(2030, 7, 1, 0, 3, 1, tzinfo=UTC), "wide-3", 5)), "wide-4"),
        (Window(limit=100, backward=True), "wide-1981"),
    ]
    for window, first in windows:
        (page,), plan = await run(loaded, log_page(loaded, "wide", window))
        assert (len(page.items), page.items[0].log.job_id) == (100, first)
        # Those of as many jobs as the page has places at the most, and of two more.
        assert sum(node.rows for node in of_table(plan, "task_logs")) <= 102 * 5


async def test_jobs_without_a_line_of_the_level_are_passed_over(loaded: Database) -> None:
    (page,), plan = await run(loaded, log_page(loaded, "long", Window(limit=5), LogFilter(min_level=LogLevel.ERROR)))
    assert {line.log.job_id for line in page.items} == {"long-4"}
    assert sum(node.rows + node.dropped for node in of_table(plan, "task_logs")) <= 6


async def test_a_count_that_is_kept_reads_no_line(loaded: Database) -> None:
    executions = PostgresExecutionStore(loaded)
    for log_filter, expected in (
        (EVERYTHING, 15_010),
        (LogFilter(min_level=LogLevel.ERROR), 10),
        (LogFilter(task_ids=frozenset({"task-7"})), 301),
    ):
        asked = executions.log_counts([ExecutionLogCount(execution_id="long", filter=log_filter)])
        counts, plan = await run(loaded, asked)
        if log_filter.task_ids is None:
            assert counts == [expected]
        assert of_table(plan, "task_logs") == []
        assert "Seq Scan" not in {node.kind for node in plan}, plan
