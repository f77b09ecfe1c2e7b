"""The storage of everything, as clients are told and as the service's log warns."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from jobtail.events import JobStarted, Line
from persistence.database import Database
from persistence.stores.log_store import PostgresLogStore
from persistence.upkeep.maintenance import watch_storage
from persistence.upkeep.storage import PostgresStorage
from tests.client import Api
from tests.conftest import Service, connect, serving
from tests.fakes import store
from tests.processes import until

REPORT = """
{
  storage {
    totalBytes warningBytes isPastWarning
    partitions { name since until bytes lines oldest newest }
    handlers { handlerName jobs lines bytes }
  }
}
"""


async def test_the_report_tells_what_takes_how_much(service: Service, database_url: str) -> None:
    async with Database(database_url) as database:
        logs = PostgresLogStore(database)
        for name, jobs, size in (("large", 2, 10_000), ("small", 3, 10)):
            for n in range(jobs):
                job_id = f"{name}-{n}"
                said = Line(job_id=job_id, message="x" * size)
                await store(logs, JobStarted(job_id=job_id, handler_name=name), *[said] * 20)
    with Api(service) as api:
        report = (await asyncio.to_thread(api.ask, REPORT))["storage"]
    assert (report["warningBytes"], report["isPastWarning"]) == (None, False)
    *weeks, rest = report["partitions"]
    assert [week["since"] for week in weeks] == sorted(week["since"] for week in weeks)
    (full,) = (week for week in weeks if week["lines"])
    now = datetime.now(UTC).isoformat()
    assert full["since"] < full["oldest"] < full["newest"] < now < full["until"]
    assert (full["lines"], full["name"][:10]) == (100, "task_logs_")
    assert rest == {
        **dict.fromkeys(("since", "until", "oldest", "newest")),
        "name": "task_logs_default",
        "lines": 0,
        "bytes": rest["bytes"],
    }
    of_lines = sum(partition["bytes"] for partition in report["partitions"])
    assert of_lines < report["totalBytes"]
    large, small = report["handlers"]
    assert (large["handlerName"], large["jobs"], large["lines"]) == ("large", 2, 40)
    assert (small["handlerName"], small["jobs"], small["lines"]) == ("small", 3, 60)
    assert abs(large["bytes"] + small["bytes"] - of_lines) <= 1
    assert large["bytes"] > 20 * small["bytes"] > 0


async def test_lines_of_a_large_partition_are_estimated(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store(PostgresLogStore(database), *[Line(job_id="job", message="m")] * 10)
    monkeypatch.setattr("persistence.upkeep.storage.COUNTED_BYTES", 0)

    async def lines() -> int | None:
        (full,) = [each for each in await PostgresStorage(database).partitions() if each.oldest]
        return full.lines

    assert await lines() is None
    connection = await connect(database_url)
    await connection.execute("ANALYZE task_logs")
    await connection.close()
    assert await lines() == 10


async def test_an_empty_database_has_a_report(database: Database) -> None:
    storage = PostgresStorage(database)
    assert await storage.handlers() == []
    assert await storage.total_bytes() > 0
    assert {partition.lines for partition in await storage.partitions()} == {0}


async def test_past_a_set_size_the_log_warns(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    size = await PostgresStorage(database).total_bytes()
    for limit, is_past in ((size, True), (10 * size, False), (None, False)):
        caplog.clear()
        watching = asyncio.create_task(watch_storage(PostgresStorage(database, warning_bytes=limit)))
        if is_past:
            await until(lambda: caplog.messages)
            assert f"storage takes {size} bytes, and the warning is set to {limit}" in caplog.messages[0]
        watching.cancel()
        await asyncio.wait([watching])
        assert bool(caplog.messages) is is_past


def test_past_a_set_size_the_report_says_so(database_url: str) -> None:
    with serving(database_url, JOBTAIL_STORAGE_WARNING_BYTES="10000") as service, Api(service) as api:
        report = api.ask("{ storage { warningBytes isPastWarning } }")["storage"]
    assert report == {"warningBytes": 10_000, "isPastWarning": True}
