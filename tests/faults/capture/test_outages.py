"""A service or a Postgres that goes away in the middle of a job: the job notices nothing, and no line is lost."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import AsyncIterator
from itertools import chain, repeat
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from persistence.database import Database
from persistence.embedded.embedded_server import EmbeddedPostgres
from persistence.migration import upgrade
from persistence.upkeep.maintenance import ensure_partitions
from tests.conftest import serving
from tests.faults.capture.cast import NOT_SENDING, SENDING_AGAIN, ReturningService, Store, Worker, counted, working
from tests.faults.capture.proxy import Exchange, hand_on, proxying
from tests.faults.capture.worker import STATUS
from tests.processes import until

pytestmark = pytest.mark.timeout(150)

JOB = "job-that-outlives-the-service"
EXIT_S = 10.0
"""A process that may flush for one second ends within that, on a machine that is busy with other tests."""


async def assert_untouched(worker: Worker, result: object) -> None:
    """Whatever the capture met, the job ended as it ends alone, and all that it said was stored."""
    assert await worker.end() == STATUS, worker.log
    assert worker.told("result") == result
    assert worker.told("flushed") is True, worker.told("stats")
    stats = worker.told("stats")
    assert (stats["sent"], stats["spooled"], stats["waiting"], stats["dropped"]) == (stats["captured"], 0, 0, 0)


@pytest.mark.parametrize("away_s", [5.0, pytest.param(30.0, marks=pytest.mark.long)])
async def test_a_service_that_is_away_for_long_costs_no_line(
    returning: ReturningService, store: Store, tmp_path: Path, away_s: float
) -> None:
    options = {"wait_s": 30}
    lines = int(away_s * 650)
    with working(
        returning.url,
        tmp_path,
        "count",
        options=options,
        job_id=JOB,
        name="a",
        lines=lines,
        every_s=0.0016,
        hold_at=lines - 500,
    ) as worker:
        await store.until_lines(JOB, lines // 20)
        await returning.stop()
        back_at = time.monotonic() + away_s
        await until(lambda: time.monotonic() > back_at, patience_s=away_s + 5)
        stored = await store.last_seq(JOB)
        assert stored < worker.said - lines // 4
        await returning.start()
        worker.release()
        await assert_untouched(worker, lines)
        assert worker.log.count(NOT_SENDING) == worker.log.count(SENDING_AGAIN) == 1, worker.log
        assert len(worker.log.splitlines()) == 2, worker.log
    assert await store.messages(JOB) == counted("a", lines)
    assert await store.status(JOB) == "COMPLETED"


async def test_a_service_that_is_killed_before_its_answer_stored_every_line_once(
    returning: ReturningService, store: Store, tmp_path: Path
) -> None:
    async def kill_after_storing(exchange: Exchange) -> None:
        assert b" 200 OK" in await exchange.forward()
        await returning.kill()
        await exchange.answer(b"")
        await returning.start()

    async def kill_while_storing(exchange: Exchange) -> None:
        await exchange.send()
        await returning.kill()
        await exchange.answer(b"")
        await returning.start()

    faults = [kill_after_storing, kill_while_storing, kill_after_storing]
    treatments = chain.from_iterable([*repeat(hand_on, 5), fault] for fault in faults)
    async with proxying(returning.url, treatments) as proxy:
        options = {"wait_s": 30}
        with working(
            proxy.url, tmp_path, "count", options=options, job_id=JOB, name="a", lines=4_000, every_s=0.001
        ) as worker:
            await assert_untouched(worker, 4_000)
        assert [name for name in proxy.treated if name != "hand_on"] == [fault.__name__ for fault in faults]
    assert await store.messages(JOB) == counted("a", 4_000)
    assert await store.status(JOB) == "COMPLETED"


async def test_a_service_that_hangs_holds_up_no_job_and_costs_no_line(
    returning: ReturningService, store: Store, tmp_path: Path
) -> None:
    """It takes connections and does not answer. What it has read by then it stores when it goes on, late."""
    with working(
        returning.url, tmp_path, "count", options={"flush_s": 1}, job_id=JOB, name="a", lines=3_000, every_s=0.001
    ) as worker:
        await store.until_lines(JOB, 500)
        with returning.hanging():
            assert await worker.end() == STATUS, worker.log
            assert time.monotonic() - worker.told_at("result") < EXIT_S
            assert worker.told("result") == 3_000
            assert await store.last_seq(JOB) < 3_000
        with working(returning.url, tmp_path, "count_until_told", job_id="heir", name="heir", every_s=0.01) as heir:
            await store.until_finished(JOB)
            heir.release()
            assert await heir.end() == STATUS, heir.log
    assert await store.messages(JOB) == counted("a", 3_000)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(tmp_path / "own", settings={"fsync": "off"})
    await server.__aenter__()
    try:
        async with Database(server.url) as database:
            await upgrade(database.engine)
            await ensure_partitions(database)
        yield server
    finally:
        await server.__aexit__(None, None, None)


async def be_killed(server: EmbeddedPostgres) -> None:
    """Die without warning, and be started again by whoever watches over it."""
    state = server.directory / "postgres" / "postmaster.pid"
    pid = int(state.read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    await until(lambda: state.exists() and "ready" in state.read_text() and int(state.read_text().split()[0]) != pid)


async def captured_by_hand(url: str) -> httpx.Response:
    event = {"type": "line", "n": 1, "job_id": "job-of-nobody", "message": "there?"}
    async with httpx.AsyncClient() as http:
        headers = {"Jobtail-Writer": str(uuid4())}
        return await http.post(f"{url}/api/capture", content=json.dumps(event), headers=headers)


async def test_a_postgres_that_is_restarted_costs_no_line(server: EmbeddedPostgres, tmp_path: Path) -> None:
    with serving(server.url) as service:
        options = {"wait_s": 30}
        with working(
            service.url, tmp_path, "count", options=options, job_id=JOB, name="a", lines=6_000, every_s=0.001
        ) as worker:
            await until(lambda: worker.said >= 1_000)
            await server.__aexit__(None, None, None)
            answer = await captured_by_hand(service.url)
            assert answer.status_code == 503
            assert int(answer.headers["Retry-After"]) > 0
            gone_at = worker.said
            await until(lambda: worker.said >= gone_at + 1_500)
            await server.__aenter__()
            await until(lambda: worker.said >= gone_at + 3_000)
            await be_killed(server)
            await assert_untouched(worker, 6_000)
        async with Store.opened(server.url) as store:
            assert await store.messages(JOB) == counted("a", 6_000)
            assert await store.status(JOB) == "COMPLETED"
