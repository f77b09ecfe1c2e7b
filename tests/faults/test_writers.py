"""Several writers of one job: whatever they do to each other, every line has its number and is seen once, in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, ExitStack, aclosing
from itertools import count
from typing import cast
from uuid import uuid4

import asyncpg
import pytest

from domain.batches import fold
from domain.filters import LogFilter
from domain.live.tail_hub import TailHub
from domain.recorder import Recorder
from graph.app import create_app
from graph.context import Services
from graph.settings import Settings
from jobtail.events import Batch, Line, NumberedEvent
from persistence.channel.channel import BroadcastChannel
from persistence.database import Database
from persistence.prepared_statements import Statement
from persistence.sql import statement
from persistence.stores.log_store import PostgresLogStore, values_of
from tests.announced import AT
from tests.conftest import connect, serving
from tests.processes import Reader, reading, until, writer_process

JOB = "job-of-several-writers"


def by_writer(messages: Sequence[str]) -> dict[str, list[int]]:
    """The numbers of each writer's lines, in the order in which they were read."""
    found: dict[str, list[int]] = {}
    for message in messages:
        name, number = message.split()
        found.setdefault(name, []).append(int(number))
    return found


def assert_whole(reader: Reader, *, writers: int, lines: int) -> None:
    assert reader.seqs == list(range(1, writers * lines + 1))
    assert by_writer(reader.messages) == {f"writer-{number}": list(range(lines)) for number in range(writers)}


async def test_readers_in_two_services_see_every_line_of_four_processes_once_and_in_order(database_url: str) -> None:
    writers, lines = 4, 800
    async with AsyncExitStack() as stack:
        services = [stack.enter_context(serving(database_url)) for _ in range(2)]
        workers = [
            stack.enter_context(writer_process(database_url, JOB, f"writer-{number}", lines=lines, batch_lines=batch))
            for number, batch in enumerate((2, 7, 30, 200))
        ]
        readers = [
            await stack.enter_async_context(reading(service.websocket_url, JOB)) for service in (*services, *services)
        ]
        for worker in workers:
            worker.begin()
        await readers[0].until(writers * lines // 4)
        late = await stack.enter_async_context(reading(services[1].websocket_url, JOB))
        for worker in workers:
            assert await asyncio.to_thread(worker.captured) == lines
        for reader in (*readers, late):
            await reader.until(writers * lines)
            assert_whole(reader, writers=writers, lines=lines)


async def test_a_reader_that_joins_a_flood_of_20_000_lines_gets_all_of_them(database_url: str) -> None:
    writers, lines = 4, 5_000
    with ExitStack() as stack:
        service = stack.enter_context(serving(database_url))
        workers = [
            stack.enter_context(writer_process(database_url, JOB, f"writer-{number}", lines=lines, batch_lines=500))
            for number in range(writers)
        ]
        async with reading(service.websocket_url, JOB, after_seq=None) as witness:
            await until(lambda: witness.has_caught_up)
            for worker in workers:
                worker.begin()
            await witness.until(1)
            async with reading(service.websocket_url, JOB) as reader:
                for whoever in (reader, witness):
                    await whoever.until(writers * lines)
                    assert_whole(whoever, writers=writers, lines=lines)


@pytest.fixture
async def services(database_url: str) -> AsyncIterator[Services]:
    app = create_app(Settings(database_url=database_url))
    async with app.router.lifespan_context(app):
        yield app.state.services


@pytest.fixture
async def other_writer(database_url: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    connection = await connect(database_url)
    yield connection
    await connection.close()


async def read(hub: TailHub, taken: list[tuple[int, str]]) -> None:
    async with aclosing(hub.follow(JOB, LogFilter(), after=0)) as batches:
        async for batch in batches:
            taken += [(row.seq, row.message) for row in batch.rows]


def lines_of(name: str, number: int) -> list[Line]:
    return [Line(job_id=JOB, message=f"{name} {line}", stage=name) for line in range(number)]


def appending(name: str, number: int) -> list[object]:
    """The parameters of append.sql for a batch of a new writer."""
    events = [NumberedEvent(n, line) for n, line in enumerate(lines_of(name, number), 1)]
    return statement("append").arguments(values_of(fold(JOB, uuid4(), events, AT)))


async def someone_waits(connection: asyncpg.Connection[asyncpg.Record]) -> bool:
    """Tell whether another transaction waits for a lock."""
    return bool(await connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))


async def test_a_transaction_that_commits_late_hides_nothing(
    services: Services, other_writer: asyncpg.Connection[asyncpg.Record]
) -> None:
    taken: list[tuple[int, str]] = []
    async with asyncio.TaskGroup() as group:
        reader = group.create_task(read(cast("TailHub", services.hub), taken))
        await services.recorder.record_job(JOB, lines_of("early", 2))
        await until(lambda: len(taken) == 2)

        transaction = other_writer.transaction()
        await transaction.start()
        row = await other_writer.fetchrow(statement("append").text, *appending("late", 3))
        assert row is not None
        assert row["last_seq"] == 5
        quick = group.create_task(services.recorder.record_job(JOB, lines_of("quick", 2)))
        await until(lambda: someone_waits(other_writer))
        assert len(taken) == 2
        await transaction.commit()

        # Nobody announces the late lines: the gap before the quick ones is what tells.
        assert (await quick).first == 6
        await until(lambda: len(taken) == 7, patience_s=1)
        reader.cancel()
    expected = ["early 0", "early 1", "late 0", "late 1", "late 2", "quick 0", "quick 1"]
    assert taken == list(enumerate(expected, 1))


async def test_a_transaction_that_rolls_back_late_leaves_no_gap(
    services: Services, other_writer: asyncpg.Connection[asyncpg.Record]
) -> None:
    taken: list[tuple[int, str]] = []
    async with asyncio.TaskGroup() as group:
        reader = group.create_task(read(cast("TailHub", services.hub), taken))
        for attempt, expected in enumerate(("first", "then", "last")):
            transaction = other_writer.transaction()
            await transaction.start()
            await other_writer.fetchrow(statement("append").text, *appending("undone", 3))
            quick = group.create_task(services.recorder.record_job(JOB, lines_of(expected, 1)))
            await until(lambda: someone_waits(other_writer))
            await transaction.rollback()
            assert (await quick).last == attempt + 1
        await until(lambda: len(taken) == 3)
        reader.cancel()
    assert taken == [(1, "first 0"), (2, "then 0"), (3, "last 0")]


async def test_many_writers_that_send_their_batches_twice_at_once_are_stored_once(database: Database) -> None:
    recorder = Recorder(PostgresLogStore(database), BroadcastChannel("memory://"))
    numbers = count(1)
    sent = [
        Batch(uuid4(), tuple(NumberedEvent(next(numbers), line) for line in lines_of("twin", 20))) for _ in range(10)
    ]
    recorded = await asyncio.gather(*(recorder.record(batch) for batch in sent * 2))
    assert sum(outcome.stored for outcome in recorded) == 200
    assert sum(outcome.skipped for outcome in recorded) == 200
    row = await database.write(Statement("SELECT last_seq, count_info FROM jobs", (), {}, {}), {})
    assert row is not None
    assert (row["last_seq"], row["count_info"]) == (200, 200)
