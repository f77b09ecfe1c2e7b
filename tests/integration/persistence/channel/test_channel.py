"""The channel on each of its backends: what is announced is heard, by whoever listens, whole and in order."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import asyncpg
import pytest

from domain.announcements import Resync
from domain.errors import InvalidInput
from domain.ports import LogChannel
from jobtail.events import JobStatus, LogLevel
from persistence.channel.channel import BroadcastChannel
from persistence.channel.postgres_backend import MESSAGE_LIMIT, listener_arguments
from persistence.database import Database
from persistence.engine import POOL_TIMEOUT_S
from tests.announced import Hearing, announcement, holds, line


@asynccontextmanager
async def held(database: Database) -> AsyncIterator[None]:
    """Keep a connection at work for as long as the context lasts."""
    is_over, is_held = asyncio.Event(), asyncio.Event()

    async def wait(_driver: asyncpg.Connection) -> None:
        is_held.set()
        await is_over.wait()

    work = asyncio.create_task(database.driven(wait))
    await is_held.wait()
    try:
        yield
    finally:
        is_over.set()
        await work


@pytest.fixture(params=["postgres", "redis"])
def shared_url(request: pytest.FixtureRequest) -> str:
    """One that connects processes."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return str(request.getfixturevalue("redis").url)


async def test_what_is_announced_is_heard_whole(channel_url: str) -> None:
    row = replace(
        line(7, "Bewertet: Zoë \N{GRINNING FACE} \u2400\n'\"\\"),
        execution_id="run-1",
        task_id="candidate-3",
        level=LogLevel.ERROR,
        metadata={"score": 0.5, "skills": ["sql", None]},
    )
    told = replace(announcement(row, line(8)), status=JobStatus.FAILED)
    async with BroadcastChannel(channel_url) as channel:
        port: LogChannel = channel
        assert port.is_healthy
        port.publish(told)
        assert await Hearing(port.signals()).next() == told


async def test_announcements_of_a_job_stay_in_order(channel_url: str) -> None:
    told = [announcement(line(n)) for n in range(1, 301)]
    async with BroadcastChannel(channel_url) as channel:
        hearing = Hearing(channel.signals())
        for each in told:
            channel.publish(each)
            await asyncio.sleep(0)
        await hearing.until(lambda: 300 in hearing.seqs("job-1"))
    firsts = [signal.first_seq for signal in hearing.heard if not isinstance(signal, Resync)]
    assert firsts == sorted(firsts)
    assert hearing.seqs("job-1") == set(range(1, 301))


async def test_two_channels_hear_each_other_from_their_first_word_on(shared_url: str) -> None:
    async with BroadcastChannel(shared_url) as one, BroadcastChannel(shared_url) as other:
        assert one.is_healthy
        assert other.is_healthy
        one.publish(announcement(job_id="job-1"))
        other.publish(announcement(job_id="job-2"))
        for channel in (one, other):
            hearing = Hearing(channel.signals())
            await hearing.until(lambda hearing=hearing: hearing.seqs("job-1") and hearing.seqs("job-2"))  # type: ignore[misc]
            assert not any(isinstance(signal, Resync) for signal in hearing.heard)


async def test_channels_of_other_names_are_not_heard(shared_url: str) -> None:
    async with BroadcastChannel(shared_url, name="other") as other, BroadcastChannel(shared_url) as channel:
        other.publish(announcement(job_id="not-ours"))
        await holds(other._all_sent.is_set)
        channel.publish(announcement(job_id="ours"))
        hearing = Hearing(channel.signals())
        await hearing.until_heard("ours")
        assert len(hearing.heard) == 1


async def test_five_publishers_at_once_lose_nothing(shared_url: str) -> None:
    async def publish(number: int) -> None:
        async with BroadcastChannel(shared_url) as channel:
            for seq in range(1, 201):
                channel.publish(announcement(line(seq, job_id=f"job-{number}")))
                await asyncio.sleep(0)

    async with BroadcastChannel(shared_url) as channel:
        hearing = Hearing(channel.signals())
        await asyncio.gather(*(publish(number) for number in range(5)))
        await hearing.until(lambda: all(200 in hearing.seqs(f"job-{number}") for number in range(5)))
        assert all(hearing.seqs(f"job-{number}") == set(range(1, 201)) for number in range(5))
        assert channel.reconnects == 0


async def test_leaving_sends_what_still_waits(shared_url: str) -> None:
    async with BroadcastChannel(shared_url) as listener:
        async with BroadcastChannel(shared_url) as channel:
            for number in range(1_000):
                channel.publish(announcement(line(1, job_id=f"job-{number}")))
        hearing = Hearing(listener.signals())
        await hearing.until(lambda: len(hearing.heard) == 1_000)


async def test_leaving_ends_the_signals_and_every_task(channel_url: str) -> None:
    before = asyncio.all_tasks()

    async def consume(channel: BroadcastChannel) -> int:
        return len([signal async for signal in channel.signals()])

    async with BroadcastChannel(channel_url) as channel:
        consumer = asyncio.create_task(consume(channel))
        channel.publish(announcement())
        await holds(channel._all_sent.is_set)
    async with asyncio.timeout(2):
        assert await consumer <= 1
    assert not channel.is_healthy
    await holds(lambda: asyncio.all_tasks() == before)
    channel.publish(announcement())


async def test_leaving_closes_both_connections(postgres_url: str) -> None:
    observer = await asyncpg.connect(**listener_arguments(postgres_url))
    count = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE application_name = 'jobtail-channel' AND datname = current_database()"
    )
    try:
        async with BroadcastChannel(postgres_url) as channel:
            channel.publish(announcement())
            await Hearing(channel.signals()).next()
            assert await observer.fetchval(count) == 2
        async with asyncio.timeout(5):
            while await observer.fetchval(count):  # noqa: ASYNC110 - Postgres tells nobody
                await asyncio.sleep(0.01)
    finally:
        await observer.close()


async def test_a_start_that_is_cancelled_leaves_nothing(channel_url: str) -> None:
    before = asyncio.all_tasks()
    start = asyncio.create_task(BroadcastChannel(channel_url).__aenter__())
    await asyncio.sleep(0)
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    await holds(lambda: asyncio.all_tasks() == before)


async def test_payloads_reach_postgres_up_to_its_limit_in_bytes(postgres_url: str) -> None:
    payloads: list[str] = []
    observer = await asyncpg.connect(**listener_arguments(postgres_url))
    await observer.add_listener("jobtail", lambda _c, _pid, _name, text: payloads.append(str(text)))
    try:
        async with BroadcastChannel(postgres_url) as channel:
            hearing = Hearing(channel.signals())
            for characters in range(1_930, 1_990):
                told = announcement(line(1, "\N{GRINNING FACE}" * characters, job_id=f"job-{characters}"))
                channel.publish(told)
                assert await hearing.until_heard(told.job_id) in {told, replace(told, rows=())}
            assert channel.reconnects == 0
            await holds(lambda: len(payloads) == len(hearing.heard))
    finally:
        await observer.close()
    with_rows = [bool(signal.rows) for signal in hearing.heard if not isinstance(signal, Resync)]
    assert with_rows == sorted(with_rows, reverse=True)
    assert any(with_rows)
    assert not all(with_rows)
    assert MESSAGE_LIMIT - 4 < max(len(payload.encode()) for payload in payloads) <= MESSAGE_LIMIT


async def pid_of(driver: asyncpg.Connection) -> int:
    return int(await driver.fetchval("SELECT pg_backend_pid()"))


async def test_what_was_just_stored_is_announced_on_the_same_connection(postgres_url: str) -> None:
    pids: list[int] = []
    observer = await asyncpg.connect(**listener_arguments(postgres_url))
    await observer.add_listener("jobtail", lambda _c, pid, _name, _text: pids.append(pid))
    try:
        async with (
            Database(postgres_url, pool_size=2) as database,
            BroadcastChannel(postgres_url, database=database) as channel,
        ):
            stored_by = await database.driven(pid_of)
            channel.publish(announcement())
            await holds(lambda: pids == [stored_by])
            async with held(database), held(database), asyncio.timeout(POOL_TIMEOUT_S / 2):
                channel.publish(announcement())
                await holds(lambda: len(pids) == 2)
            assert pids[1] != stored_by, "the pool is not waited for"
    finally:
        await observer.close()


async def test_a_connection_that_died_while_it_lay_ready_costs_no_announcement(postgres_url: str) -> None:
    observer = await asyncpg.connect(**listener_arguments(postgres_url))
    try:
        async with Database(postgres_url) as database, BroadcastChannel(postgres_url, database=database) as channel:
            stored_by = await database.driven(pid_of)
            await observer.execute("SELECT pg_terminate_backend($1)", stored_by)
            channel.publish(announcement())
            assert await Hearing(channel.signals()).next() == announcement()
            assert channel.is_healthy
    finally:
        await observer.close()


async def test_a_plain_url_of_postgres_will_do(postgres_url: str) -> None:
    async with BroadcastChannel(postgres_url.replace("postgresql+asyncpg", "postgresql")) as channel:
        assert channel.is_healthy


@pytest.mark.parametrize(
    "channel_url",
    ["", "mysql://app@127.0.0.1/db", "kafka://127.0.0.1", "redis://127.0.0.1:port", "postgresql://a@b:port/c"],
)
def test_an_address_of_nothing_we_know_is_refused(channel_url: str) -> None:
    with pytest.raises(InvalidInput):
        BroadcastChannel(channel_url)


def test_a_name_that_postgres_would_cut_is_refused() -> None:
    with pytest.raises(InvalidInput, match="63"):
        BroadcastChannel("postgresql://app@127.0.0.1/db", name="ä" * 32)


def test_redis_without_its_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "persistence.channel.redis_backend", None)
    with pytest.raises(InvalidInput, match=r"jobtail-server\[redis\]"):
        BroadcastChannel("redis://127.0.0.1")
