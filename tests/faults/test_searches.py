"""Searches that would take too long."""

from __future__ import annotations

import pytest

from domain.errors import OutOfTime
from domain.filters import LogFilter
from domain.pages import Window
from domain.requests import ExecutionLogCount, LogCount, LogPageRequest, LogScope
from jobtail.events import JobStarted, Line
from persistence.database import Database
from persistence.queries import log_filters
from persistence.stores.execution_store import PostgresExecutionStore
from persistence.stores.log_store import PostgresLogStore
from tests.conftest import connect
from tests.fakes import store

SLOW = LogFilter(search="(.*a){20}b", regex=True)


async def test_a_search_out_of_time_says_so_and_leaves_no_statement_and_no_limit_behind(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs, scope = PostgresLogStore(database), LogScope(job_id="job")
    line = Line(job_id="job", message="ac" * 20_000)
    await store(logs, JobStarted(job_id="job", handler_name="h", execution_id="run"), *[line] * 200)
    monkeypatch.setattr(log_filters, "SEARCH_S", 0.01)
    request = LogPageRequest(scope=scope, window=Window(limit=5), filter=SLOW)
    for asked in (
        logs.pages([request]),
        logs.pages([request, request]),
        logs.counts([LogCount(scope=scope, filter=SLOW)]),
        PostgresExecutionStore(database).log_counts([ExecutionLogCount(execution_id="run", filter=SLOW)]),
    ):
        with pytest.raises(OutOfTime, match=r"longer than 0\.01 s; ask for less"):
            await asked
    plain = LogCount(scope=scope, filter=LogFilter(search="ac"))
    assert await logs.counts([plain]) == [200]  # by a connection that has its own limit again
    connection = await connect(database_url)
    try:
        running = "SELECT count(*) FROM pg_stat_activity WHERE state <> 'idle' AND pid <> pg_backend_pid()"
        assert await connection.fetchval(f"{running} AND datname = current_database()") == 0
    finally:
        await connection.close()
