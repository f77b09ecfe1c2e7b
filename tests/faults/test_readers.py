"""Readers as slow as they like get every line, and cost the service no memory."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from urllib.parse import urlsplit

import psutil  # type: ignore[import-untyped] # its stubs are a package of their own
import pytest

from domain.recorder import Recorder
from jobtail.events import JobFinished, JobStatus, Line
from persistence.channel.channel import BroadcastChannel
from persistence.database import Database
from persistence.stores.log_store import PostgresLogStore
from tests.conftest import Service
from tests.processes import batches, connected, reading

JOB = "job-of-slow-readers"
MB = 1024 * 1024
PAUSE_S = 5.0
GROWTH_MB = 30.0


@pytest.fixture
async def recorder(database: Database, database_url: str) -> AsyncIterator[Recorder]:
    async with BroadcastChannel(database_url) as channel:
        yield Recorder(PostgresLogStore(database), channel)


def wide_lines(first: int, count: int, width: int) -> list[Line]:
    """Lines of `width` characters that begin with their number."""
    return [Line(job_id=JOB, message=f"{number} ".ljust(width, "x")) for number in range(first, first + count)]


class Memory:
    """What a process has resident, looked at all the time."""

    def __init__(self, service: Service) -> None:
        self._process = psutil.Process(service.process.pid)
        self.before_mb = self.peak_mb = self.now_mb()

    @property
    def growth_mb(self) -> float:
        return self.peak_mb - self.before_mb

    def now_mb(self) -> float:
        return float(self._process.memory_info().rss) / MB

    async def watch(self) -> None:
        while True:
            self.peak_mb = max(self.peak_mb, self.now_mb())
            await asyncio.sleep(0.02)


@asynccontextmanager
async def watched(service: Service) -> AsyncIterator[Memory]:
    memory = Memory(service)
    task = asyncio.create_task(memory.watch())
    try:
        yield memory
    finally:
        task.cancel()


def narrow_socket(service: Service) -> socket.socket:
    """A connection into which little fits that nobody has read."""
    parts = urlsplit(service.url)
    assert parts.hostname is not None
    assert parts.port is not None
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    narrow.connect((parts.hostname, parts.port))
    narrow.setblocking(False)
    return narrow


async def test_a_reader_that_stops_reading_for_5_s_gets_all_10_000_lines_and_memory_stays_flat(
    service: Service, recorder: Recorder
) -> None:
    lines, width, warm_up = 10_000, 6_000, 1_000
    async with reading(service.websocket_url, JOB) as quick:
        for first in range(1, warm_up + 1, 250):
            await recorder.record_job(JOB, wide_lines(first, 250, width))
        await quick.until(warm_up)
        async with (
            watched(service) as memory,
            connected(service.websocket_url, sock=narrow_socket(service), max_queue=1) as websocket,
            aclosing(batches(websocket, JOB, afterSeq=warm_up)) as received,
        ):
            assert (await anext(received))["caughtUp"]
            stopped_at = time.monotonic()
            for first in range(warm_up + 1, warm_up + lines + 1, 250):
                await recorder.record_job(JOB, wide_lines(first, 250, width))
            await recorder.record_job(JOB, [JobFinished(job_id=JOB, status=JobStatus.COMPLETED)])
            await quick.until(warm_up + lines)
            assert quick.seqs == list(range(1, warm_up + lines + 1)), "a slow reader holds nobody up"
            await asyncio.sleep(max(stopped_at + PAUSE_S - time.monotonic(), 0))  # what the promise is about
            seqs: list[int] = []
            async for batch in received:
                for row in batch["logs"]:
                    seqs.append(row["seq"])
                    assert row["message"] == f"{row['seq']} ".ljust(width, "x")
            assert batch["jobStatus"] == "COMPLETED"
        assert seqs == list(range(warm_up + 1, warm_up + lines + 1))
        assert memory.growth_mb < GROWTH_MB


async def test_a_job_that_ends_while_a_reader_is_far_behind_says_so_after_its_last_line(
    service: Service, recorder: Recorder
) -> None:
    lines = 6_000
    async with (
        connected(service.websocket_url, sock=narrow_socket(service), max_queue=1) as websocket,
        aclosing(batches(websocket, JOB, afterSeq=0)) as received,
    ):
        assert (await anext(received))["logs"] == []
        for first in range(1, lines + 1, 500):
            await recorder.record_job(JOB, wide_lines(first, 500, 500))
        await recorder.record_job(JOB, [JobFinished(job_id=JOB, status=JobStatus.FAILED)])
        seqs: list[int] = []
        statuses: list[str | None] = []
        async for batch in received:
            seqs += [row["seq"] for row in batch["logs"]]
            statuses.append(batch["jobStatus"])
            assert batch["jobStatus"] is None or seqs[-1] == batch["lastSeq"] == lines
    assert seqs == list(range(1, lines + 1))
    assert statuses == [*[None] * (len(statuses) - 1), "FAILED"]


async def test_lines_of_a_megabyte_each_arrive_whole_and_memory_stays_bounded(
    service: Service, recorder: Recorder
) -> None:
    lines, width = 100, MB
    async with watched(service) as memory:
        for first in range(1, lines + 1, 5):
            await recorder.record_job(JOB, wide_lines(first, 5, width))
        async with (
            connected(service.websocket_url) as websocket,
            aclosing(batches(websocket, JOB, afterSeq=0)) as received,
        ):
            seqs: list[int] = []
            async for batch in received:
                seqs += [row["seq"] for row in batch["logs"]]
                assert all(len(row["message"]) == width for row in batch["logs"])
                if seqs and seqs[-1] == lines:
                    break
    assert seqs == list(range(1, lines + 1))
    assert memory.growth_mb < 100
