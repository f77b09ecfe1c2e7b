"""The migrations make what tables.py says, forward and back, whoever else migrates at the same time."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url

from domain.errors import InvalidInput
from domain.executions import ExecutionStatus
from domain.filters import ANY_EXECUTION, ANY_JOB, EVERYTHING, LogFilter
from domain.requests import ExecutionLogCount, NewestLogRequest
from jobtail.events import JobStarted, Line, LogLevel
from persistence.database import Database
from persistence.migration import HEAD, downgrade, revision_of, upgrade
from persistence.stores.execution_store import PostgresExecutionStore
from persistence.stores.log_store import PostgresLogStore
from persistence.stores.newest_store import PostgresNewestLogStore
from persistence.tables import metadata
from persistence.upkeep.maintenance import ensure_partitions
from tests.catalog import TABLES, catalog_of
from tests.conftest import ROOT, CloneDatabase, connect
from tests.fakes import store

LEFT_OVER = """
SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace
UNION ALL
SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
UNION ALL
SELECT collname FROM pg_collation WHERE collnamespace = 'public'::regnamespace
"""


async def test_upgrade_downgrade_upgrade(postgres_url: str) -> None:
    async with Database(postgres_url) as database:
        assert await revision_of(database.engine) is None
        await upgrade(database.engine)
        assert await revision_of(database.engine) == HEAD
        there = await catalog_of(postgres_url)
        await ensure_partitions(database)
        await store(PostgresLogStore(database), Line(job_id="job", message="x"))
        await downgrade(database.engine)
        assert await revision_of(database.engine) is None
        connection = await connect(postgres_url)
        left = [row["name"] for row in await connection.fetch(LEFT_OVER)]
        await connection.close()
        assert sorted(left) == ["alembic_version", "alembic_version_pkc"]
        await upgrade(database.engine)
        assert await catalog_of(postgres_url) == there
        assert await ensure_partitions(database) > 0
        assert (await store(PostgresLogStore(database), Line(job_id="job", message="x"))).last_seq == 1


async def test_an_upgrade_of_what_is_up_to_date_changes_nothing(database: Database, database_url: str) -> None:
    before = await catalog_of(database_url)
    await store(PostgresLogStore(database), Line(job_id="job", message="x"))
    await upgrade(database.engine)
    assert await catalog_of(database_url) == before
    assert (await store(PostgresLogStore(database), Line(job_id="job", message="x"))).last_seq == 2


BEFORE_EXECUTIONS = """
INSERT INTO jobs (job_id, handler_name, status, execution_id, last_seq, count_info, first_recorded_at, last_recorded_at)
SELECT 'job-' || n, 'h', CASE n WHEN 1 THEN 'COMPLETED' ELSE 'RUNNING' END, CASE WHEN n < 3 THEN 'run' END, 1, 1, now(), now()
FROM generate_series(1, 3) AS n;
INSERT INTO task_logs (job_id, seq, execution_id, stage, task_id, timestamp, recorded_at, level, message)
SELECT 'job-' || n, 1, 'run', 'main', 'main', now(), now(), 20, 'line ' || n
FROM generate_series(1, 2) AS n
"""


async def test_a_database_from_before_executions_is_upgraded_with_what_it_holds(postgres_url: str) -> None:
    async with Database(postgres_url) as database:
        await upgrade(database.engine, "0001")
        before = await catalog_of(postgres_url)
        connection = await connect(postgres_url)
        await connection.execute(BEFORE_EXECUTIONS)
        await upgrade(database.engine)
        executions = PostgresExecutionStore(database)
        found = (await executions.get(["run"]))["run"]
        assert (found.schedule_id, found.status, found.root.job_id) == ("unknown", ExecutionStatus.RUNNING, "job-1")
        counts = await executions.log_counts([ExecutionLogCount(execution_id="run", filter=EVERYTHING)])
        assert (await executions.count(ANY_EXECUTION), counts) == (1, [2])
        started = JobStarted(job_id="job-3", handler_name="h", execution_id="run", schedule_id="hourly")
        await store(PostgresLogStore(database), started, Line(job_id="job-3", message="x"))
        assert (await executions.get(["run"]))["run"].schedule_id == "hourly"
        await downgrade(database.engine, "0001")
        assert await catalog_of(postgres_url) == before
        assert await connection.fetchval("SELECT count(*) FROM jobs WHERE execution_id = 'run'") == 3
        assert await connection.fetchval("SELECT count(*) FROM task_logs") == 3
        await connection.close()


BEFORE_BATCHES = """
INSERT INTO jobs (job_id, handler_name, status, last_seq, count_info, first_recorded_at, last_recorded_at)
SELECT 'job-' || n, 'h', 'RUNNING', 3, 3, '2030-01-01', '2030-01-02' FROM generate_series(1, 2) AS n;
INSERT INTO task_logs (job_id, seq, stage, task_id, timestamp, recorded_at, level, message)
SELECT 'job-' || job, n, 'main', 'main', '2029-12-31', '2030-01-01'::timestamptz + n / 3 * interval '1 day', 5 * 2 ^ (n - 1), 'm'
FROM generate_series(1, 2) AS job, generate_series(1, 3) AS n
"""


async def test_lines_from_before_stored_batches_are_found_by_time(postgres_url: str) -> None:
    async with Database(postgres_url) as database:
        await upgrade(database.engine, "0003")
        connection = await connect(postgres_url)
        await connection.execute(BEFORE_BATCHES)
        await upgrade(database.engine)
        newest = PostgresNewestLogStore(database)
        for levels, expected in (
            (frozenset(LogLevel), [(2, 3), (1, 3), (2, 2), (2, 1), (1, 2), (1, 1)]),
            ({LogLevel.TRACE}, [(2, 1), (1, 1)]),
            ({LogLevel.DEBUG}, [(2, 2), (1, 2)]),
            ({LogLevel.INFO}, [(2, 3), (1, 3)]),
            ({LogLevel.ERROR}, []),
        ):
            log_filter = LogFilter(levels=frozenset(levels), since=datetime(2029, 12, 31, tzinfo=UTC))
            page = await newest.page(NewestLogRequest(limit=10, filter=log_filter, job_filter=ANY_JOB))
            assert [(int(line.job_id[-1]), line.seq) for line in page.items] == expected
        sizes = await connection.fetch("SELECT last_seq - first_seq + 1, size FROM stored_batches ORDER BY 1")
        assert [tuple(row) for row in sizes] == [(1, 1), (1, 1), (2, 2), (2, 2)]
        await connection.close()


def test_head_is_the_newest_revision_of_all() -> None:
    scripts = ScriptDirectory(str(ROOT / "migrations"))
    assert scripts.get_heads() == [HEAD]


async def test_the_migrated_tables_are_those_of_tables_py(database_url: str, postgres_url: str) -> None:
    async with Database(postgres_url) as database, database.engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    described, migrated = await catalog_of(postgres_url), await catalog_of(database_url)
    for name, rows in described.items():
        assert len(rows) >= len(TABLES)
        assert migrated[name] == rows


async def test_alembic_finds_nothing_to_migrate(database: Database) -> None:
    def differences(connection: Connection) -> Any:
        def is_ours(_: Any, name: str | None, kind: str, *more: Any) -> bool:
            return kind != "table" or name in TABLES

        options = {"include_object": is_ours, "compare_server_default": True}
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)

    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


MIGRATE = """
import asyncio, sys
from persistence.database import Database
from persistence.migration import upgrade

async def main():
    async with Database(sys.argv[1]) as database:
        await database.ping()
        print("ready", flush=True)
        sys.stdin.readline()
        await upgrade(database.engine)

asyncio.run(main())
"""


async def test_processes_that_migrate_at_once_wait_for_each_other(postgres_url: str) -> None:
    pipe = asyncio.subprocess.PIPE
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", MIGRATE, postgres_url, cwd=Path(ROOT), stdin=pipe, stdout=pipe, stderr=pipe
        )
        for _ in range(2)
    ]
    async with asyncio.timeout(60):
        for process in processes:
            assert process.stdout
            assert await process.stdout.readline() == b"ready\n"
        said = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    assert [process.returncode for process in processes] == [0, 0], said
    async with Database(postgres_url) as database:
        assert await revision_of(database.engine) == HEAD


async def test_a_database_of_a_newer_version_is_refused(database: Database) -> None:
    async with database.engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for migrate in (upgrade, downgrade):
        with pytest.raises(InvalidInput, match=r"'9999', made by a newer version"):
            await migrate(database.engine)
    assert await revision_of(database.engine) == "9999"


@pytest.fixture
def ascii_url(postgres_server: str, new_database: CloneDatabase) -> str:
    name = make_url(new_database(None)).database
    assert name is not None

    async def make() -> None:
        connection = await connect(postgres_server)
        try:
            await connection.execute(
                f"CREATE DATABASE {name}_ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE_PROVIDER libc LOCALE 'C'"
            )
        finally:
            await connection.close()

    asyncio.run(make())
    return make_url(postgres_server).set(database=f"{name}_ascii").render_as_string(hide_password=False)


async def test_a_database_in_another_encoding_is_refused(ascii_url: str) -> None:
    async with Database(ascii_url) as database:
        for use in (revision_of, upgrade):
            with pytest.raises(InvalidInput, match="UTF8; this one is in SQL_ASCII"):
                await use(database.engine)
