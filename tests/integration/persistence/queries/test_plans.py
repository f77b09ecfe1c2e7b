"""Plans of the hot queries on tables that were just loaded and never analysed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.filters import ANY_JOB, EVERYTHING, LogFilter
from domain.pages import Window
from domain.requests import JobPageRequest, LogCount, LogPageRequest, LogScope, TaskPageRequest, TimeCountRequest
from jobtail.events import LogLevel
from persistence.database import Database
from persistence.stores.job_store import PostgresJobStore
from persistence.stores.log_messages import PostgresLogMessages
from persistence.stores.log_store import PostgresLogStore
from persistence.stores.log_times import PostgresLogTimes
from persistence.stores.task_store import PostgresTaskStore
from tests.conftest import CloneDatabase, connect
from tests.loading import load_unanalysed
from tests.query_plans import Node, of_table, run

LOAD = [
    "SELECT task_logs_ensure_week('2030-07-01'::date + 7 * week) FROM generate_series(0, 4) AS week",
    # One job of 20,000 lines goes through all weeks, 30 jobs of 1,000 lines take a day each.
    """
    INSERT INTO task_logs (job_id, seq, stage, task_id, timestamp, recorded_at, level, message, metadata)
    SELECT 'long', n, 'stage-' || n % 5, 'task-' || n % 50, at, at, 20, 'line ' || n, '{"attempt": 1}'
    FROM generate_series(1, 20000) AS n, LATERAL (SELECT '2030-07-01'::timestamptz + n * interval '2.5 minutes') AS t(at)
    """,
    """
    INSERT INTO task_logs (job_id, seq, stage, task_id, timestamp, recorded_at, level, message, metadata)
    SELECT 'job-' || job, n, 'stage-' || n % 5, 'task-' || n % 50, at, at, 20, 'line ' || n, '{"attempt": 1}'
    FROM generate_series(1, 30) AS job, generate_series(1, 1000) AS n,
        LATERAL (SELECT '2030-07-01'::timestamptz + job * interval '1 day' + n * interval '1 minute') AS t(at)
    """,
    # One job of 20,000 lines through all weeks, stage after stage, with 10 lines of each other level, the last ones in stage-3.
    """
    INSERT INTO task_logs (job_id, seq, stage, task_id, timestamp, recorded_at, level, message, metadata)
    SELECT 'rare', n, 'stage-' || n / 5000, 'task-' || n / 1000, at, at,
        CASE n % 2000 WHEN 100 THEN 5 WHEN 101 THEN 10 WHEN 102 THEN 30 WHEN 103 THEN 40 WHEN 104 THEN 50 ELSE 20 END,
        'line ' || n, '{"attempt": 1}'
    FROM generate_series(1, 20000) AS n, LATERAL (SELECT '2030-07-01'::timestamptz + n * interval '2.5 minutes') AS t(at)
    """,
    """
    INSERT INTO jobs (job_id, handler_name, status, last_seq, first_recorded_at, last_recorded_at, count_info, created_at)
    SELECT job_id, 'h', 'COMPLETED', max(seq), min(recorded_at), max(recorded_at), count(*), min(recorded_at)
    FROM task_logs GROUP BY job_id
    """,
    """
    INSERT INTO jobs (job_id, handler_name, status, finished_at, created_at)
    SELECT 'silent-' || n, 'h', 'COMPLETED', at, at
    FROM generate_series(1, 5000) AS n, LATERAL (SELECT '2029-07-01'::timestamptz + n * interval '1 minute') AS t(at)
    """,
    """
    INSERT INTO job_tasks (job_id, stage, task_id, first_seq, last_seq, first_at, last_at, count_info)
    SELECT job_id, stage, task_id, min(seq), max(seq), min(timestamp), max(timestamp), count(*)
    FROM task_logs GROUP BY job_id, stage, task_id
    """,
]


@pytest.fixture(scope="module")
def loaded_template(new_database: CloneDatabase, migrated_template: str) -> str:
    return load_unanalysed(new_database(migrated_template), LOAD)


@pytest.fixture
def loaded_url(new_database: CloneDatabase, loaded_template: str) -> str:
    return new_database(loaded_template)


@pytest.fixture
async def loaded(loaded_url: str) -> AsyncIterator[Database]:
    async with Database(loaded_url) as database:
        yield database


def week(number: int) -> str:
    return [
        "task_logs_20300701",
        "task_logs_20300708",
        "task_logs_20300715",
        "task_logs_20300722",
        "task_logs_20300729",
    ][number]


ALL_WEEKS = {week(number) for number in range(5)}


def assert_reads_by_key(plan: Sequence[Node], most_rows: int) -> set[str]:
    """Check that lines were read by the primary key only, and few of them; tell from which partitions."""
    scans = of_table(plan, "task_logs")
    assert scans
    assert {node.kind for node in scans} == {"Index Scan"}
    assert all(node.index and node.index.endswith("_pkey") for node in scans), scans
    assert not [node for node in plan if "Sort" in node.kind], plan
    assert sum(node.rows + node.dropped for node in scans) <= most_rows
    return {node.table for node in scans if node.table}


def pages_of(
    database: Database, job_id: str, window: Window[int], log_filter: LogFilter = EVERYTHING
) -> Awaitable[Any]:
    request = LogPageRequest(scope=LogScope(job_id=job_id), window=window, filter=log_filter)
    return PostgresLogStore(database).pages([request])


async def test_the_tables_were_loaded_and_never_analysed(loaded_url: str) -> None:
    connection = await connect(loaded_url)
    try:
        assert await connection.fetchval("SELECT count(*) FROM task_logs") == 70_000
        known = await connection.fetch(
            "SELECT tablename FROM pg_stats WHERE tablename LIKE 'task_logs%' OR tablename IN ('jobs', 'job_tasks')"
        )
        assert known == []
    finally:
        await connection.close()


WINDOWS: list[tuple[Window[int], range]] = [
    (Window(limit=100), range(1, 101)),
    (Window(limit=100, backward=True), range(19_901, 20_001)),
    (Window(limit=100, after=10_000), range(10_001, 10_101)),
    (Window(limit=100, before=10_000, backward=True), range(9_900, 10_000)),
    (Window(limit=100, after=19_950), range(19_951, 20_001)),
    (Window(limit=100, after=500, before=520), range(501, 520)),
]


@pytest.mark.parametrize(("window", "expected"), WINDOWS, ids=str)
async def test_a_page_anywhere_in_a_long_log_is_read_by_the_primary_key(
    loaded: Database, window: Window[int], expected: range
) -> None:
    (page,), plan = await run(loaded, pages_of(loaded, "long", window))
    assert [row.seq for row in page.items] == list(expected)
    assert assert_reads_by_key(plan, most_rows=101 + 2 * len(ALL_WEEKS)) <= ALL_WEEKS


BOTH_ENDS: list[Window[int]] = [Window(limit=100), Window(limit=100, after=400, backward=True)]


@pytest.mark.parametrize("window", BOTH_ENDS, ids=str)
async def test_partitions_outside_the_times_of_a_job_are_left_out(loaded: Database, window: Window[int]) -> None:
    (page,), plan = await run(loaded, pages_of(loaded, "job-10", window))
    assert len(page.items) == 100
    assert assert_reads_by_key(plan, most_rows=101) == {week(1)}


@pytest.mark.parametrize(
    "log_filter",
    [
        LogFilter(min_level=LogLevel.INFO, search="LINE 1"),
        LogFilter(stages=frozenset({"stage-1", "stage-2"}), metadata={"attempt": 1}),
        LogFilter(task_ids=frozenset({"task-1"})),
    ],
    ids=["search", "metadata", "task"],
)
async def test_a_filter_is_applied_along_the_primary_key(loaded: Database, log_filter: LogFilter) -> None:
    window: Window[int] = Window(limit=10, after=100)
    (page,), plan = await run(loaded, pages_of(loaded, "job-20", window, log_filter))
    assert len(page.items) == 10
    assert assert_reads_by_key(plan, most_rows=600) == {week(2)}


async def test_lines_are_chosen_by_number_along_the_primary_key(loaded: Database) -> None:
    log_filter = LogFilter(since_seq=10_001, until_seq=10_101, search="line 1000")
    windows: list[Window[int]] = [Window(limit=50), Window(limit=50, backward=True)]
    for window in windows:
        (page,), plan = await run(loaded, pages_of(loaded, "long", window, log_filter))
        assert [row.seq for row in page.items] == list(range(10_001, 10_010))
        assert assert_reads_by_key(plan, most_rows=100) <= ALL_WEEKS
    asked = LogCount(scope=LogScope(job_id="long"), filter=log_filter)
    count, plan = await run(loaded, PostgresLogStore(loaded).counts([asked]))
    assert count == [9]
    scans = [node for node in of_table(plan, "task_logs") if node.kind != "Bitmap Index Scan"]
    assert {node.kind for node in scans} <= {"Index Scan", "Bitmap Heap Scan"}
    assert sum(node.rows + node.dropped for node in scans) <= 100


async def test_pages_of_many_jobs_are_each_read_by_the_primary_key(loaded: Database) -> None:
    requests = [
        LogPageRequest(scope=LogScope(job_id=f"job-{n}"), window=Window(limit=5), filter=EVERYTHING)
        for n in (1, 10, 20)
    ]
    pages, plan = await run(loaded, PostgresLogStore(loaded).pages(requests))
    assert [len(page.items) for page in pages] == [5, 5, 5]
    assert assert_reads_by_key(plan, most_rows=18) == {week(0), week(1), week(2)}


RARE: list[tuple[LogFilter, Window[int], list[int]]] = [
    (LogFilter(min_level=LogLevel.ERROR), Window(limit=100), [n + e for n in range(100, 20_000, 2000) for e in (3, 4)]),
    (LogFilter(levels=frozenset({LogLevel.TRACE})), Window(limit=100), list(range(100, 20_000, 2000))),
    (LogFilter(levels=frozenset({LogLevel.TRACE})), Window(limit=3, backward=True), [14_100, 16_100, 18_100]),
    (LogFilter(min_level=LogLevel.WARNING), Window(limit=2, after=12_000), [12_102, 12_103]),
    (LogFilter(min_level=LogLevel.WARNING), Window(limit=2, before=12_000, backward=True), [10_103, 10_104]),
    (LogFilter(levels=frozenset({LogLevel.DEBUG}), stages=frozenset({"stage-3"})), Window(limit=9), [16_101, 18_101]),
    (LogFilter(levels=frozenset({LogLevel.DEBUG}), task_ids=frozenset({"task-2"})), Window(limit=9), [2101]),
    (LogFilter(min_level=LogLevel.CRITICAL, search="line"), Window(limit=1, backward=True), [18_104]),
]


@pytest.mark.parametrize(("log_filter", "window", "expected"), RARE, ids=str)
async def test_lines_of_rare_levels_are_not_looked_for_among_the_others(
    loaded: Database, log_filter: LogFilter, window: Window[int], expected: list[int]
) -> None:
    (page,), plan = await run(loaded, pages_of(loaded, "rare", window, log_filter))
    assert [row.seq for row in page.items] == expected
    scans = of_table(plan, "task_logs")
    assert {node.kind for node in scans} == {"Index Scan"}
    assert all("_level_" in (node.index or "") for node in scans), scans
    # Of each level no more than the page has room for, and one from each partition.
    assert sum(node.rows + node.dropped for node in scans) <= 3 * (min(window.limit, 10) + 1) + len(ALL_WEEKS)


async def test_pages_of_rare_levels_of_many_scopes_are_read_by_level(loaded: Database) -> None:
    requests = [
        LogPageRequest(
            scope=LogScope(job_id="rare", stage=f"stage-{n}"),
            window=Window(limit=5),
            filter=LogFilter(min_level=LogLevel.ERROR),
        )
        for n in range(4)
    ]
    pages, plan = await run(loaded, PostgresLogStore(loaded).pages(requests))
    assert [len(page.items) for page in pages] == [5, 4, 5, 4]
    scans = of_table(plan, "task_logs")
    assert {node.kind for node in scans} == {"Index Scan"}
    assert sum(node.rows + node.dropped for node in scans) <= 2 * 4 * (10 + len(ALL_WEEKS))


ENDS: list[tuple[LogScope, LogFilter, Window[int]]] = [
    (LogScope(job_id="rare", stage="stage-3"), EVERYTHING, Window(limit=20)),
    (LogScope(job_id="rare", stage="stage-0"), EVERYTHING, Window(limit=20, backward=True)),
    (LogScope(job_id="rare", stage="stage-2", task_id="task-12"), EVERYTHING, Window(limit=20, backward=True)),
    (LogScope(job_id="rare"), LogFilter(stages=frozenset({"stage-2"})), Window(limit=20)),
    (LogScope(job_id="rare"), LogFilter(task_ids=frozenset({"task-7"})), Window(limit=20, backward=True)),
    (LogScope(job_id="rare", stage="stage-1"), LogFilter(task_ids=frozenset({"none"})), Window(limit=20)),
]


@pytest.mark.parametrize(("scope", "log_filter", "window"), ENDS, ids=str)
async def test_lines_of_a_stage_or_task_are_looked_for_between_its_ends(
    loaded: Database, scope: LogScope, log_filter: LogFilter, window: Window[int]
) -> None:
    request = LogPageRequest(scope=scope, window=window, filter=log_filter)
    (page,), plan = await run(loaded, PostgresLogStore(loaded).pages([request]))
    assert len(page.items) == (0 if log_filter.task_ids == frozenset({"none"}) else 20)
    assert_reads_by_key(plan, most_rows=21 + 2 * len(ALL_WEEKS))


async def test_a_count_that_is_kept_reads_no_line(loaded: Database) -> None:
    logs, scope = PostgresLogStore(loaded), LogScope(job_id="long")
    asked = LogCount(scope=scope, filter=LogFilter(min_level=LogLevel.INFO))
    total, plan = await run(loaded, logs.counts([asked]))
    assert (total, of_table(plan, "task_logs")) == ([20_000], [])
    assert [node.index for node in of_table(plan, "jobs")] == ["jobs_pkey"]
    asked = LogCount(scope=scope, filter=LogFilter(stages=frozenset({"stage-3"})))
    total, plan = await run(loaded, logs.counts([asked]))
    assert (total, of_table(plan, "task_logs")) == ([4_000], [])
    assert {node.kind for node in of_table(plan, "job_tasks")} <= {"Index Scan", "Bitmap Heap Scan"}


async def test_lines_are_counted_by_time_along_the_primary_key(loaded: Database) -> None:
    times = PostgresLogTimes(loaded)
    request = TimeCountRequest(job_id="long", filter=EVERYTHING, after=19_000, upto=20_000, width=1 << 40)
    counts, plan = await run(loaded, times.counts(request))
    assert sum(count.lines for count in counts) == 1_000
    scans = of_table(plan, "task_logs")
    assert {node.kind for node in scans} <= {"Index Scan", "Bitmap Heap Scan", "Bitmap Index Scan"}
    assert sum(node.rows + node.dropped for node in scans if node.kind != "Bitmap Index Scan") == 1_000
    _, plan = await run(loaded, times.extent("long"))
    assert sum(node.rows + node.dropped for node in of_table(plan, "task_logs")) <= 1 + len(ALL_WEEKS)


async def test_what_lines_say_is_read_along_the_primary_key(loaded: Database) -> None:
    said, plan = await run(loaded, PostgresLogMessages(loaded).said("long", after=19_000, upto=20_000))
    assert [line.seq for line in said] == list(range(19_001, 20_001))
    assert assert_reads_by_key(plan, most_rows=1_000) <= ALL_WEEKS


async def test_the_newest_jobs_are_read_by_their_index(loaded: Database) -> None:
    jobs = PostgresJobStore(loaded)
    window: Window[tuple[datetime, str]] = Window(limit=20)
    deep: Window[tuple[datetime, str]] = Window(limit=20, after=(datetime(2029, 7, 2, tzinfo=UTC), "silent-1440"))
    for asked in (window, deep):
        (page,), plan = await run(loaded, jobs.pages([JobPageRequest(window=asked, filter=ANY_JOB)]))
        assert len(page.items) == 20
        (scan,) = of_table(plan, "jobs")
        assert (scan.kind, scan.index, scan.rows) == ("Index Scan", "jobs_newest", 21)


async def test_the_tasks_of_a_stage_are_read_in_their_order(loaded: Database) -> None:
    tasks = PostgresTaskStore(loaded)
    window: Window[tuple[int, datetime, str]] = Window(limit=5)
    (page,), plan = await run(loaded, tasks.pages([TaskPageRequest(job_id="long", stage="stage-3", window=window)]))
    assert len(page.items) == 5
    (scan,) = of_table(plan, "job_tasks")
    assert (scan.kind, scan.index, scan.rows) == ("Index Scan", "job_tasks_in_order", 6)
    assert not [node for node in plan if "Sort" in node.kind]


async def test_hierarchies_are_read_from_the_tasks_of_their_jobs_alone(loaded: Database) -> None:
    found, plan = await run(loaded, PostgresTaskStore(loaded).hierarchies(["long", "job-1"]))
    assert [each.stages and len(each.stages.tasks) for each in found.values()] == [50, 50]
    scans = of_table(plan, "job_tasks")
    assert {node.kind for node in scans} <= {"Index Scan", "Bitmap Heap Scan"}
    assert sum(node.rows + node.dropped for node in scans) == 100


async def test_a_hierarchy_is_read_by_its_key_though_few_jobs_have_many_tasks_each(loaded: Database) -> None:
    async with loaded.engine.begin() as connection:
        await connection.exec_driver_sql(
            "INSERT INTO job_tasks (job_id, stage, task_id, first_seq, last_seq, first_at, last_at)"
            " SELECT 'wide-' || n % 5, 'stage', 'task-' || n, n, n, now(), now() FROM generate_series(1, 15000) AS n"
        )
        await connection.exec_driver_sql("DELETE FROM job_tasks WHERE job_id NOT LIKE 'wide-%' AND job_id <> 'long'")
        await connection.exec_driver_sql("ANALYZE job_tasks")
    found, plan = await run(loaded, PostgresTaskStore(loaded).hierarchies(["long"]))
    assert [each.stages and len(each.stages.tasks) for each in found.values()] == [50]
    assert [(node.kind, node.rows + node.dropped) for node in of_table(plan, "job_tasks")] == [("Index Scan", 50)]


async def test_stages_are_summed_up_from_the_tasks_of_their_job_alone(loaded: Database) -> None:
    stages, plan = await run(loaded, PostgresTaskStore(loaded).stages(["long", "job-1"]))
    assert [len(found) for found in stages.values()] == [5, 5]
    scans = of_table(plan, "job_tasks")
    assert {node.kind for node in scans} <= {"Index Scan", "Bitmap Heap Scan"}
    assert sum(node.rows + node.dropped for node in scans) == 100
