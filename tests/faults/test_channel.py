"""The channel under every fault that it promises to survive, with real servers."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import asyncpg
import pytest
from redis.asyncio import Redis

from domain.announcements import Resync
from persistence.channel.channel import CHECK_EVERY_S, BroadcastChannel
from persistence.channel.postgres_backend import PostgresBackend, listener_arguments
from persistence.channel.signal_queue import CAPACITY
from persistence.embedded.embedded_server import EmbeddedPostgres
from tests.announced import Hearing, announcement, holds, line
from tests.redis_server import RedisServer


def attentive(channel_url: str) -> BroadcastChannel:
    """A channel that looks after its connections all the time."""
    return BroadcastChannel(channel_url, timeout_s=0.5, check_every_s=0.2)


def own_postgres(directory: Path) -> EmbeddedPostgres:
    return EmbeddedPostgres(directory, settings={"fsync": "off"})


def listening_pid(channel: BroadcastChannel) -> int:
    assert isinstance(channel._backend, PostgresBackend)
    assert channel._backend._listening is not None
    return channel._backend._listening.get_server_pid()


def publishing_pid(channel: BroadcastChannel) -> int:
    assert isinstance(channel._backend, PostgresBackend)
    assert channel._backend._speaking is not None
    return channel._backend._speaking.get_server_pid()


async def passed(seconds: float) -> None:
    """Wait for a time in which something must not happen."""
    end = time.monotonic() + seconds
    await holds(lambda: time.monotonic() > end)


async def terminate(channel_url: str, pid: int) -> None:
    connection = await asyncpg.connect(**listener_arguments(channel_url))
    try:
        assert await connection.fetchval("SELECT pg_terminate_backend($1, 5000)", pid)
    finally:
        await connection.close()


async def assert_flows(channel: BroadcastChannel, hearing: Hearing, job_id: str) -> None:
    """Announce and hear. Whoever publishes while publishing is away may lose it, so wait for that to be well."""
    await holds(lambda: channel.is_healthy)
    channel.publish(announcement(line(1, job_id=job_id)))
    assert (await hearing.until_heard(job_id)).rows


async def test_a_killed_listening_connection_ends_in_a_resync(postgres_url: str) -> None:
    async with BroadcastChannel(postgres_url) as channel, BroadcastChannel(postgres_url) as speaker:
        hearing = Hearing(channel.signals())
        for kill in range(1, 4):
            await terminate(postgres_url, listening_pid(channel))
            async with asyncio.timeout(CHECK_EVERY_S / 2):
                await hearing.until_resync()
            assert channel.reconnects == kill
            speaker.publish(announcement(line(1, job_id=f"job-{kill}")))
            assert (await hearing.until_heard(f"job-{kill}")).rows
        assert speaker.reconnects == 0


async def test_a_killed_publishing_connection_loses_nothing(postgres_url: str) -> None:
    async with BroadcastChannel(postgres_url) as channel:
        hearing = Hearing(channel.signals())
        for kill in range(3):
            await terminate(postgres_url, publishing_pid(channel))
            channel.publish(announcement(line(1, job_id=f"job-{kill}")))
            assert (await hearing.until_heard(f"job-{kill}")).rows
        assert len(hearing.heard) == 3
        assert channel.reconnects == 0


async def test_a_publishing_connection_that_died_unused_is_replaced(postgres_url: str) -> None:
    async with attentive(postgres_url) as channel:
        before = publishing_pid(channel)
        await terminate(postgres_url, before)
        await holds(lambda: channel.is_healthy and publishing_pid(channel) != before)


async def test_a_restarted_postgres_ends_in_a_resync(tmp_path: Path) -> None:
    server = own_postgres(tmp_path)
    async with server:
        channel = await BroadcastChannel(server.url).__aenter__()
    try:
        hearing = Hearing(channel.signals())
        await holds(lambda: not channel.is_healthy)
        channel.publish(announcement(job_id="said into the void"))
        async with server:
            await hearing.until_resync()
            await assert_flows(channel, hearing, "job-1")
    finally:
        await channel.__aexit__()


async def test_a_restarted_redis_ends_in_a_resync(redis: RedisServer) -> None:
    async with BroadcastChannel(redis.url) as channel:
        hearing = Hearing(channel.signals())
        for restart in range(1, 3):
            await redis.__aexit__()
            await holds(lambda: not channel.is_healthy)
            channel.publish(announcement(job_id="said into the void"))
            await redis.__aenter__()
            await hearing.until_resync()
            await assert_flows(channel, hearing, f"job-{restart}")
            assert channel.reconnects == restart


async def test_a_killed_subscription_of_redis_ends_in_a_resync(redis: RedisServer) -> None:
    client = Redis.from_url(redis.url)
    try:
        async with BroadcastChannel(redis.url) as channel:
            hearing = Hearing(channel.signals())
            assert await client.execute_command("CLIENT", "KILL", "TYPE", "pubsub") == 1  # type: ignore[no-untyped-call]
            await hearing.until_resync()
            await assert_flows(channel, hearing, "job-1")
            assert await client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes") == 1  # type: ignore[no-untyped-call]
            channel.publish(announcement(job_id="job-2"))
            await hearing.until_heard("job-2")
    finally:
        await client.aclose()


async def test_a_quiet_channel_stays_connected(channel_url: str) -> None:
    async with BroadcastChannel(channel_url, timeout_s=0.5, check_every_s=0.05) as channel:
        hearing = Hearing(channel.signals())
        await passed(1.5)
        await assert_flows(channel, hearing, "job-1")
        assert len(hearing.heard) == 1
        assert channel.reconnects == 0


async def test_a_connection_that_hangs_is_noticed(postgres_url: str) -> None:
    async with attentive(postgres_url) as channel:
        hearing = Hearing(channel.signals())
        pid = listening_pid(channel)
        os.kill(pid, signal.SIGSTOP)
        try:
            await hearing.until_resync()
            assert listening_pid(channel) != pid
            await assert_flows(channel, hearing, "job-1")
        finally:
            os.kill(pid, signal.SIGCONT)


async def test_a_redis_that_hangs_is_noticed(redis: RedisServer) -> None:
    async with attentive(redis.url) as channel:
        hearing = Hearing(channel.signals())
        redis.signal(signal.SIGSTOP)
        try:
            await holds(lambda: not channel._is_listening and not channel._is_publishing)
        finally:
            redis.signal(signal.SIGCONT)
        await hearing.until_resync()
        await assert_flows(channel, hearing, "job-1")


async def test_the_start_does_not_wait_for_a_redis_that_is_away(tmp_path: Path) -> None:
    server = RedisServer(tmp_path)
    began = time.monotonic()
    async with BroadcastChannel(server.url) as channel:
        assert time.monotonic() - began < 3
        assert not channel.is_healthy
        hearing = Hearing(channel.signals())
        async with server:
            assert await hearing.next() == Resync()
            assert channel.reconnects == 0
            await assert_flows(channel, hearing, "job-1")


async def test_the_start_does_not_wait_for_a_postgres_that_is_away(tmp_path: Path) -> None:
    server = own_postgres(tmp_path)
    async with server:
        channel_url = server.url
    async with BroadcastChannel(channel_url) as channel:
        assert not channel.is_healthy
        hearing = Hearing(channel.signals())
        async with server:
            assert await hearing.next() == Resync()
            await assert_flows(channel, hearing, "job-1")


async def test_the_start_does_not_wait_for_a_server_that_hangs(redis: RedisServer) -> None:
    redis.signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        async with BroadcastChannel(redis.url) as channel:
            assert time.monotonic() - began < 3
            assert not channel.is_healthy
            redis.signal(signal.SIGCONT)
            hearing = Hearing(channel.signals())
            assert await hearing.next() == Resync()
            await assert_flows(channel, hearing, "job-1")
    finally:
        redis.signal(signal.SIGCONT)


async def test_publishing_while_the_server_is_away_neither_raises_nor_blocks(tmp_path: Path) -> None:
    async with BroadcastChannel(RedisServer(tmp_path).url) as channel:
        began = time.monotonic()
        for number in range(20_000):
            channel.publish(announcement(job_id=f"job-{number}"))
        assert time.monotonic() - began < 2
        assert not channel.is_healthy
        assert len(channel._outbox) == 10_000
        assert channel.forgotten == 10_000


async def test_what_waited_while_the_server_was_away_is_sent_in_one_message(tmp_path: Path) -> None:
    server = RedisServer(tmp_path)
    client = Redis.from_url(server.url)
    async with BroadcastChannel(server.url) as channel:
        for seq in range(1, 101):
            channel.publish(announcement(line(seq)))
        async with server:
            await holds(channel._all_sent.is_set)
            said = await client.info("commandstats")
            await client.aclose()
            # Who listens again only later has not heard it, and looks at the database because of its Resync.
            await Hearing(channel.signals()).until_resync()
    assert said["cmdstat_publish"]["calls"] == 1
    assert channel.forgotten == 0


@pytest.mark.parametrize("is_hanging", [False, True])
async def test_leaving_is_quick_whatever_the_server_does(
    redis: RedisServer, *, is_hanging: bool, recwarn: pytest.WarningsRecorder
) -> None:
    before = asyncio.all_tasks()
    async with BroadcastChannel(redis.url) as channel:
        redis.signal(signal.SIGSTOP if is_hanging else signal.SIGKILL)
        channel.publish(announcement())
        began = time.monotonic()
    assert time.monotonic() - began < 2
    await holds(lambda: asyncio.all_tasks() == before)
    assert not recwarn.list


async def test_leaving_is_quick_when_postgres_hangs(postgres_url: str) -> None:
    before = asyncio.all_tasks()
    pids: list[int] = []
    try:
        async with BroadcastChannel(postgres_url) as channel:
            pids += [listening_pid(channel), publishing_pid(channel)]
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            channel.publish(announcement())
            began = time.monotonic()
        assert time.monotonic() - began < 2
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    await holds(lambda: asyncio.all_tasks() == before)


@pytest.mark.parametrize("is_cancelled", [False, True])
async def test_a_listener_of_broadcaster_that_dies_is_replaced(channel_url: str, *, is_cancelled: bool) -> None:
    async with BroadcastChannel(channel_url) as channel:
        hearing = Hearing(channel.signals())
        listener = channel._broadcast._listener_task
        if is_cancelled:
            listener.cancel()
        else:
            _break(channel)
        await hearing.until_resync()
        assert channel._broadcast._listener_task is not listener
        await assert_flows(channel, hearing, "job-1")
        assert channel.reconnects == 1


def _break(channel: BroadcastChannel) -> None:
    """Let broadcaster's listener meet an event that it cannot deliver."""
    channel._broadcast._subscribers["jobtail"].add(None)  # type: ignore[arg-type]
    channel.publish(announcement())


async def test_a_message_that_cannot_be_read_is_a_resync_and_said_once(
    channel_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with BroadcastChannel(channel_url) as channel:
        hearing = Hearing(channel.signals())
        for _ in range(3):
            await channel._broadcast.publish("jobtail", "[2, what a later version may say]")
            assert await hearing.next() == Resync()
        assert caplog.text.count("cannot be read") == 1
        await assert_flows(channel, hearing, "job-1")
        assert channel.reconnects == 0


async def test_an_absence_is_said_once_and_so_is_its_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "persistence.channel.channel")
    server = RedisServer(tmp_path)
    async with BroadcastChannel(server.url) as channel:
        await passed(0.6)
        async with server:
            await holds(lambda: channel.is_healthy)
            await holds(lambda: len(caplog.records) == 4)
            said = sorted(
                f"{record.levelname}: {record.getMessage()}".split(", trying")[0] for record in caplog.records
            )
    assert said == [
        "INFO: the channel is back for listening",
        "INFO: the channel is back for publishing",
        "WARNING: the channel is away for listening",
        "WARNING: the channel is away for publishing",
    ]


async def test_a_consumer_that_does_not_listen_gets_a_resync_instead_of_a_heap(channel_url: str) -> None:
    async with BroadcastChannel(channel_url) as channel:
        for number in range(CAPACITY // 20):
            channel.publish(announcement(*(line(seq, job_id=f"job-{number}") for seq in range(1, 21))))
            assert channel._inbox._weight <= CAPACITY
            if number % 10 == 0:
                await holds(channel._all_sent.is_set)
        channel.publish(announcement(job_id="the last"))
        hearing = Hearing(channel.signals())
        await hearing.until_heard("the last")
        assert hearing.heard.count(Resync()) == 1
        assert len(hearing.heard) < CAPACITY // 20
        assert channel._inbox._weight == 0
