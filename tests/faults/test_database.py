"""Postgres that goes away, and answers that are lost: a job notices nothing, and every line is stored once."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from domain.errors import Unavailable
from domain.filters import LogFilter
from domain.pages import Window
from domain.recorder import Recorded, Recorder
from domain.requests import LogPageRequest, LogScope
from graph.app import create_app
from graph.capture.recorder_sink import RecorderSink
from graph.context import Services
from graph.settings import Settings
from jobtail import LogCapturingEmitter, Writer
from jobtail.events import Batch, JobFinished, JobStatus, Line, NumberedEvent
from persistence.channel.channel import BroadcastChannel
from persistence.database import Database
from persistence.embedded.embedded_server import EmbeddedPostgres
from persistence.migration import upgrade
from persistence.prepared_statements import Statement
from persistence.stores.log_store import PostgresLogStore
from persistence.upkeep.maintenance import ensure_partitions
from tests.conftest import connect, serving
from tests.processes import reading, until

JOB = "job-beside-a-failing-database"


class Silent:
    """The emitter that the job had before anybody captured it."""

    def emit_info(self, message: str) -> None: ...


class BusyJob:
    """Says a line every few milliseconds from a thread of its own, and notes how long that takes."""

    def __init__(self, writer: Writer) -> None:
        self.said: list[str] = []
        self.longest_s = 0.0
        self._emitter = LogCapturingEmitter(Silent(), writer, JOB)
        self._stopped = threading.Event()
        self._work = asyncio.create_task(asyncio.to_thread(self._run))

    async def stop(self) -> None:
        """End it, and raise what an emission raised."""
        self._stopped.set()
        await self._work

    def _run(self) -> None:
        while not self._stopped.wait(0.002):
            message = f"line {len(self.said) + 1}"
            began = time.monotonic()
            self._emitter.emit_info(message)
            self.longest_s = max(self.longest_s, time.monotonic() - began)
            self.said.append(message)


async def go_away_and_come_back(server: EmbeddedPostgres, writer: Writer) -> None:
    """Stop as an operator does, and stay away until much waits to be sent."""
    await server.__aexit__(None, None, None)
    await until(lambda: writer.stats().waiting > 200)
    await server.__aenter__()


async def be_killed(server: EmbeddedPostgres, writer: Writer) -> None:
    """Die without warning, and be started again by whoever watches over it."""
    state = server.directory / "postgres" / "postmaster.pid"
    pid = int(state.read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    await until(lambda: state.exists() and "ready" in state.read_text() and int(state.read_text().split()[0]) != pid)


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


@pytest.mark.parametrize("fault", [go_away_and_come_back, be_killed])
async def test_a_restart_of_postgres_disturbs_no_job_and_loses_no_line(
    server: EmbeddedPostgres, fault: Callable[[EmbeddedPostgres, Writer], Awaitable[None]]
) -> None:
    loop = asyncio.get_running_loop()
    with serving(server.url) as service:
        async with Database(server.url) as database, BroadcastChannel(server.url) as channel:
            sink = RecorderSink(Recorder(PostgresLogStore(database), channel), loop)
            writer = Writer(sink, max_batch_events=20, max_pause_s=0.5)
            async with reading(service.websocket_url, JOB) as reader:
                job = BusyJob(writer)
                try:
                    for _ in range(2):
                        await reader.until(len(job.said) + 30)
                        await fault(server, writer)
                        await reader.until(len(job.said) + 30)
                finally:
                    await job.stop()
                assert job.longest_s < 1
                assert await asyncio.to_thread(writer.close, 20)
                await reader.until(len(job.said))
                assert reader.messages == job.said
                assert reader.seqs == list(range(1, len(job.said) + 1))
                assert writer.stats().dropped == 0


async def test_a_reader_far_behind_waits_while_postgres_is_away(
    server: EmbeddedPostgres, caplog: pytest.LogCaptureFixture
) -> None:
    lines = [Line(job_id=JOB, message=str(number)) for number in range(4_000)]
    app = create_app(Settings(database_url=server.url))
    async with app.router.lifespan_context(app), asyncio.timeout(30):
        services: Services = app.state.services
        await services.recorder.record_job(JOB, lines)
        await services.recorder.record_job(JOB, [JobFinished(job_id=JOB, status=JobStatus.COMPLETED)])
        async with aclosing(services.hub.follow(JOB, LogFilter(), after=0)) as batches:
            taken = [row.message for row in (await anext(batches)).rows]
            await server.__aexit__(None, None, None)
            coming = asyncio.ensure_future(anext(batches))
            await until(lambda: "waits for the database" in caplog.text)
            await server.__aenter__()
            taken += [row.message for row in (await coming).rows]
            taken += [row.message async for batch in batches for row in batch.rows]
    assert taken == [line.message for line in lines]


async def test_the_first_writes_after_a_restart_of_postgres_succeed(server: EmbeddedPostgres) -> None:
    """However many connections died in the pool."""
    async with Database(server.url, pool_size=5) as database:
        recorder = Recorder(PostgresLogStore(database), BroadcastChannel("memory://"))

        async def store_together() -> None:
            await asyncio.gather(*(recorder.record_job(f"{JOB}-{n}", [Line(job_id="", message="")]) for n in range(5)))

        await store_together()
        await server.__aexit__(None, None, None)
        await server.__aenter__()
        await store_together()


class LosingProxy:
    """Stands between the driver and Postgres. Where it is told to, it swallows the next answer that brings a row, and hangs up.

    By then Postgres has committed: it says that it is ready for the next statement in the same breath.
    """

    STORED = b"s\x00\x00\x00\x04Z\x00\x00\x00\x05I"
    """One row was fetched of a statement that is done, and no transaction is open."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._to_lose = 0
        self.lost = 0

    def lose_answers(self, number: int) -> None:
        self._to_lose += number

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_unix_connection(self._address)
        answering = asyncio.create_task(self._answer(server_reader, writer))
        with suppress(ConnectionError):
            while sent := await reader.read(65_536):
                server_writer.write(sent)
        server_writer.close()
        await answering

    async def _answer(self, server: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        while answer := await server.read(65_536):
            if self._to_lose and answer.endswith(self.STORED):
                self._to_lose -= 1
                self.lost += 1
                break
            client.write(answer)
        client.close()


@asynccontextmanager
async def losing_proxy(database_url: str, directory: Path) -> AsyncIterator[tuple[str, LosingProxy]]:
    url = make_url(database_url)
    address = Path(str(url.query["host"])) / f".s.PGSQL.{url.query['port']}"
    proxy = LosingProxy(str(address))
    server = await asyncio.start_unix_server(proxy.serve, directory / ".s.PGSQL.5432")
    try:
        behind = url.update_query_dict({"host": str(directory), "port": "5432"})
        yield behind.render_as_string(hide_password=False), proxy
    finally:
        server.close()


def batch_of(*messages: str, first_n: int) -> Batch:
    lines = (NumberedEvent(n, Line(job_id=JOB, message=message)) for n, message in enumerate(messages, first_n))
    return Batch(WRITER, tuple(lines))


WRITER = uuid4()


async def stored_messages(database: Database) -> list[str]:
    request = LogPageRequest(scope=LogScope(job_id=JOB), window=Window(limit=500), filter=LogFilter())
    (page,) = await PostgresLogStore(database).pages([request])
    assert [row.seq for row in page.items] == list(range(1, len(page.items) + 1))
    return [row.message for row in page.items]


async def test_a_batch_whose_answer_is_lost_is_stored_once(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    async with (
        losing_proxy(database_url, tmp_path) as (url, proxy),
        Database(url, pool_size=1) as behind,
    ):
        recorder = Recorder(PostgresLogStore(behind), BroadcastChannel("memory://"))
        first, second = batch_of("one", "two", first_n=1), batch_of("three", "four", first_n=3)
        assert await recorder.record(first) == Recorded(2, 0)
        proxy.lose_answers(1)
        with pytest.raises(Unavailable):
            await recorder.record(second)
        assert await stored_messages(database) == ["one", "two", "three", "four"]
        assert await recorder.record(second) == Recorded(0, 2)
        overlapping = batch_of("three", "four", "five", first_n=3)
        assert await recorder.record(overlapping) == Recorded(1, 2)
        assert await stored_messages(database) == ["one", "two", "three", "four", "five"]
        assert proxy.lost == 1


async def test_a_writer_whose_answers_are_lost_stores_every_line_once(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    async with (
        losing_proxy(database_url, tmp_path) as (url, proxy),
        Database(url) as behind,
    ):
        recorder = Recorder(PostgresLogStore(behind), BroadcastChannel("memory://"))
        writer = Writer(RecorderSink(recorder, asyncio.get_running_loop()), max_batch_events=3, first_pause_s=0.01)
        said = [f"line {number}" for number in range(100)]
        for number, message in enumerate(said):
            if number % 10 == 0:
                await until(lambda: writer.stats().waiting == 0)
                proxy.lose_answers(1 + number % 3)
            writer.capture(Line(job_id=JOB, message=message))
        assert await asyncio.to_thread(writer.close)
        assert proxy.lost == sum(1 + number % 3 for number in range(0, 100, 10))
        assert await stored_messages(database) == said
        row = await database.write(Statement("SELECT last_seq, count_info FROM jobs", (), {}, {}), {})
        assert row is not None
        assert (row["last_seq"], row["count_info"]) == (100, 100)


WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


async def all_wait(observer: asyncpg.Connection[asyncpg.Record], number: int) -> bool:
    return len(await observer.fetch(WAITING)) == number


async def test_a_batch_that_is_sent_again_while_its_first_sending_still_waits_is_stored_once(
    database: Database, database_url: str
) -> None:
    recorder = Recorder(PostgresLogStore(database), BroadcastChannel("memory://"))
    await recorder.record(batch_of("zero", first_n=1))
    batch = batch_of("one", "two", first_n=2)
    holder, observer = await connect(database_url), await connect(database_url)
    async with asyncio.timeout(10):
        async with holder.transaction():
            await holder.execute("SELECT FROM jobs FOR UPDATE")
            sendings = [asyncio.create_task(recorder.record(batch)) for _ in range(3)]
            await until(lambda: all_wait(observer, len(sendings)))
            assert await observer.fetchval(f"SELECT pg_terminate_backend(pid) FROM ({WAITING}) AS waiting LIMIT 1")
        outcomes = await asyncio.gather(*sendings, return_exceptions=True)
    await observer.close()
    await holder.close()
    assert sum(isinstance(outcome, Unavailable) for outcome in outcomes) == 1
    assert sorted(outcome.stored for outcome in outcomes if isinstance(outcome, Recorded)) == [0, 2]
    assert await stored_messages(database) == ["zero", "one", "two"]
