"""Announcements that are lost, doubled, late or out of order cost time, never a line."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from enum import Enum, auto
from itertools import cycle
from typing import NamedTuple
from uuid import uuid4

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.announcements import Announcement, Resync
from domain.filters import LogFilter
from domain.live.channel_listener import ChannelListener
from domain.live.job_feed import JobFeed
from domain.live.tail_hub import TailBatch, TailHub
from domain.ports import LogChannel
from domain.recorder import Recorder
from graph.capture.recorder_sink import RecorderSink
from jobtail import Writer
from jobtail.events import JobFinished, JobStatus, Line
from persistence.channel.channel import BroadcastChannel
from persistence.database import Database
from persistence.stores.job_store import PostgresJobStore
from persistence.stores.log_store import PostgresLogStore
from tests.conftest import connect, serving
from tests.processes import reading, until

JOB = "job-announced-badly"
LOOK_EVERY_S = 0.2


class Fate(Enum):
    """What becomes of an announcement."""

    SENT = auto()
    DROPPED = auto()
    DOUBLED = auto()
    STRIPPED = auto()
    """Sent without its rows."""
    HELD = auto()
    """Sent after the next two."""
    HELD_LONG = auto()
    """Sent after the next twenty, or at the end."""


class FaultyChannel:
    """A real channel behind a bad line: each announcement meets the next fate, round and round."""

    def __init__(self, real: LogChannel, fates: Sequence[Fate]) -> None:
        self._real = real
        self._fates = cycle(fates)
        self._held: list[tuple[int, Announcement]] = []
        self._published = 0

    @property
    def is_healthy(self) -> bool:
        return self._real.is_healthy

    def signals(self) -> AsyncIterator[Announcement | Resync]:
        return self._real.signals()

    def publish(self, announcement: Announcement) -> None:
        self._published += 1
        match next(self._fates):
            case Fate.SENT:
                self._real.publish(announcement)
            case Fate.DOUBLED:
                self._real.publish(announcement)
                self._real.publish(announcement)
            case Fate.STRIPPED:
                self._real.publish(replace(announcement, rows=()))
            case Fate.HELD:
                self._held.append((self._published + 2, announcement))
            case Fate.HELD_LONG:
                self._held.append((self._published + 20, announcement))
        self.release(self._published)

    def release(self, due: float = float("inf")) -> None:
        """Send what was held until now, the latest first."""
        ready = [announcement for at, announcement in self._held if at <= due]
        self._held = [(at, announcement) for at, announcement in self._held if at > due]
        for announcement in reversed(ready):
            self._real.publish(announcement)


class Parts(NamedTuple):
    recorder: Recorder
    hub: TailHub
    channel: FaultyChannel


@asynccontextmanager
async def service_behind(url: str, fates: Sequence[Fate]) -> AsyncIterator[Parts]:
    """Run what records and what reads, with a bad line between."""
    async with Database(url, pool_size=5) as database, BroadcastChannel(url) as real:
        logs, jobs, channel = PostgresLogStore(database), PostgresJobStore(database), FaultyChannel(real, fates)
        hub = TailHub(logs, jobs)
        async with ChannelListener(channel, jobs, hub, JobFeed(jobs), look_every_s=LOOK_EVERY_S):
            yield Parts(Recorder(logs, channel), hub, channel)
            assert not hub.tails


async def read_to_the_end(batches: AsyncGenerator[TailBatch, None], *, is_slow: bool = False) -> list[tuple[int, str]]:
    taken: list[tuple[int, str]] = []
    async with aclosing(batches):
        async for batch in batches:
            taken += [(row.seq, row.message) for row in batch.rows]
            assert batch.cursor == (taken[-1][0] if taken else batch.cursor)
            if is_slow:
                await asyncio.sleep(0.01)
    assert batch.job_status is JobStatus.COMPLETED
    return taken


@given(
    fates=st.lists(st.sampled_from(Fate), min_size=1, max_size=12),
    sizes=st.lists(st.sampled_from([1, 2, 3, 40, 600]), min_size=1, max_size=25),
    writers=st.integers(1, 3),
)
def test_whatever_becomes_of_announcements_readers_get_every_line_once_and_in_order(
    database_url: str, fates: list[Fate], sizes: list[int], writers: int
) -> None:
    asyncio.run(check_that_readers_get_every_line(database_url, fates, sizes, writers))


async def check_that_readers_get_every_line(url: str, fates: list[Fate], sizes: list[int], writers: int) -> None:
    job_id = str(uuid4())
    total = sum(sizes) * writers
    async with (
        service_behind(url, fates) as (recorder, hub, channel),
        asyncio.timeout(20),
        asyncio.TaskGroup() as group,
    ):

        def follow(after: int, *, is_slow: bool = False) -> asyncio.Task[list[tuple[int, str]]]:
            return group.create_task(read_to_the_end(hub.follow(job_id, LogFilter(), after=after), is_slow=is_slow))

        async def write(writer: int) -> None:
            for number, size in enumerate(sizes):
                lines = [Line(job_id=job_id, message=f"{writer} {number} {line}") for line in range(size)]
                stored = await recorder.record_job(job_id, lines)
                if number == len(sizes) // 2:
                    late.append((stored.last, follow(stored.last)))

        late: list[tuple[int, asyncio.Task[list[tuple[int, str]]]]] = []
        readers = [follow(0), follow(0, is_slow=True)]
        await asyncio.gather(*map(write, range(writers)))
        await recorder.record_job(job_id, [JobFinished(job_id=job_id, status=JobStatus.COMPLETED)])
        channel.release()
    whole = readers[0].result()
    assert [seq for seq, _ in whole] == list(range(1, total + 1))
    for writer in range(writers):
        said = [message for _, message in whole if message.startswith(f"{writer} ")]
        assert said == [f"{writer} {number} {line}" for number, size in enumerate(sizes) for line in range(size)]
    assert readers[1].result() == whole
    for after, reader in late:
        assert reader.result() == whole[after:]


async def test_with_every_announcement_dropped_a_line_is_late_by_one_look(database_url: str) -> None:
    lateness: list[float] = []
    async with (
        service_behind(database_url, [Fate.DROPPED]) as (recorder, hub, _),
        aclosing(hub.follow(JOB, LogFilter(), after=0)) as batches,
    ):
        assert (await anext(batches)).caught_up
        for seq in range(1, 6):
            await recorder.record_job(JOB, [Line(job_id=JOB, message=str(seq))])
            stored_at = time.monotonic()
            async with asyncio.timeout(10):
                batch = await anext(batches)
            lateness.append(time.monotonic() - stored_at)
            assert [row.seq for row in batch.rows] == [seq]
    assert min(lateness) < LOOK_EVERY_S * 1.5
    assert max(lateness) < 2


async def test_an_end_that_was_overtaken_by_older_news_is_seen(database_url: str) -> None:
    async with service_behind(database_url, [Fate.HELD, Fate.SENT]) as (recorder, hub, channel), asyncio.timeout(10):
        reader = asyncio.create_task(read_to_the_end(hub.follow(JOB, LogFilter(), after=0)))
        await recorder.record_job(JOB, [Line(job_id=JOB, message="the only line")])
        await recorder.record_job(JOB, [JobFinished(job_id=JOB, status=JobStatus.COMPLETED)])
        channel.release()
        assert await reader == [(1, "the only line")]


async def test_tails_opened_and_left_while_announcements_come_miss_nothing(database_url: str) -> None:
    """Each tail reads where the job is while announcements go on: the moment in which a line could fall between."""
    lines, choice = 400, random.Random(20)
    stored = 0

    async def write(recorder: Recorder) -> None:
        nonlocal stored
        for number in range(lines):
            await recorder.record_job(JOB, [Line(job_id=JOB, message=str(number + 1))])
            stored = number + 1

    async def visit(hub: TailHub) -> None:
        while stored < lines:
            after = choice.choice([None, 0, choice.randint(0, stored)])
            expected = None if after is None else after + 1
            floor = stored
            async with aclosing(hub.follow(JOB, LogFilter(), after=after)) as batches:
                async for batch in batches:
                    for row in batch.rows:
                        assert row.seq == (row.seq if expected is None else expected)
                        assert row.message == str(row.seq)
                        assert after is not None or row.seq > floor
                        expected = row.seq + 1
                    if choice.random() < 0.3 or stored == lines:
                        break

    async with service_behind(database_url, [Fate.SENT]) as (recorder, hub, _), asyncio.TaskGroup() as group:
        group.create_task(write(recorder))
        for _ in range(6):
            group.create_task(visit(hub))


@pytest.mark.parametrize("announcements", ["doubled and late", "all dropped"])
async def test_a_service_that_hears_badly_shows_everything(database_url: str, announcements: str) -> None:
    """Through the whole service: the worker's announcements go wrong, and the safety look is the service's own."""
    fates = [Fate.DROPPED] if announcements == "all dropped" else [Fate.DOUBLED, Fate.HELD, Fate.HELD_LONG]
    with serving(database_url) as service:
        async with (
            service_behind(database_url, fates) as (recorder, _, channel),
            reading(service.websocket_url, JOB) as reader,
        ):
            await until(lambda: reader.has_caught_up)
            for number in range(50):
                await recorder.record_job(JOB, [Line(job_id=JOB, message=str(number + 1))])
            channel.release()
            await reader.until(50, patience_s=10)
            assert reader.seqs == list(range(1, 51))


async def test_a_killed_channel_costs_no_line_and_comes_back(database_url: str) -> None:
    async with (
        Database(database_url) as database,
        BroadcastChannel(database_url) as channel,
        httpx.AsyncClient(timeout=10) as client,
    ):
        admin = await connect(database_url)
        recorder = Recorder(PostgresLogStore(database), channel)
        writer = Writer(RecorderSink(recorder, asyncio.get_running_loop()), max_batch_events=3)
        captured = 0

        async def emit() -> None:
            nonlocal captured
            while True:
                captured += 1
                writer.capture(Line(job_id=JOB, message=f"line {captured}"))
                await asyncio.sleep(0.002)

        async def channels_are_up() -> bool:
            up = await admin.fetchval(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE application_name = 'jobtail-channel' AND datname = current_database()"
            )
            return int(up) >= 3

        async def kill_channels() -> int:
            """End every connection that listens or publishes, in the service and in this process."""
            killed = await admin.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'jobtail-channel' AND datname = current_database()"
            )
            return len(killed)

        with serving(database_url) as service:

            async def is_ready() -> bool:
                answer = await client.get(f"{service.url}/readyz")
                assert answer.json()["database"] == "ok"
                return answer.status_code == 200

            async with reading(service.websocket_url, JOB) as reader:
                emitting = asyncio.create_task(emit())
                for _ in range(3):
                    await reader.until(captured + 20)
                    await until(is_ready)
                    await until(channels_are_up)
                    assert await kill_channels() >= 3
                    await reader.until(captured + 20)
                await until(is_ready)
                emitting.cancel()
                with suppress(asyncio.CancelledError):
                    await emitting
                assert await asyncio.to_thread(writer.close)
                await reader.until(captured)
                assert reader.messages == [f"line {number}" for number in range(1, captured + 1)]
                assert reader.seqs == list(range(1, captured + 1))
        await admin.close()
