"""From the store to the viewer: how long a line takes, how many rows reach 1 and 50 viewers a second, what idle ones cost.

The raw limit of the way is an INSERT that commits, pg_notify, LISTEN in another process, and its bare websocket; that of a
flood the same, with pages of rows that are encoded once and sent to every viewer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from statistics import median
from uuid import UUID, uuid4

import asyncpg
import orjson
import psutil  # type: ignore[import-untyped] # its stubs are a package of their own

from bench.bare import CHANNEL, connect_arguments
from bench.figures import Figure
from bench.servers import storing_service
from bench.viewers import PATIENCE_S, Counted, Viewer, viewers
from domain.recorder import Recorder
from jobtail.events import Batch, Line, NumberedEvent
from persistence.channel.channel import BroadcastChannel
from persistence.database import Database
from persistence.stores.log_store import PostgresLogStore

ROUNDS = 5
"""A commit takes 0.5 to 1 ms of each, and as it happens to be: single rounds lie between 1.4 and 2.2 times the raw way."""
BATCHES = 150
PAUSE_S = 0.02
FLOOD = 20_000
IDLE_VIEWERS, IDLE_JOBS, IDLE_S = 2_000, 200, 10
SUBSCRIBE = (
    "subscription Tail($job: String!) { jobLogs(jobId: $job, afterSeq: 0) "
    "{ logs { seq stage taskId timestamp level message metadata } endCursor caughtUp } }"
)
INSERT = (
    "INSERT INTO task_logs (job_id, seq, stage, task_id, timestamp, recorded_at, level, message) "
    "SELECT $1, seq, 'bench', 'bench', now(), now(), 20, $4 FROM generate_series($2::bigint, $3::bigint) AS seq"
)


async def measure(database_url: str, service_port: int, bare_port: int, service_pid: int) -> list[Figure]:
    figures = []
    with storing_service(database_url) as storing_port:
        for count, lines in ((1, 1), (50, 1), (50, 20)):
            near, far, raw = [], [], []
            for _ in range(ROUNDS):
                near.append(await _near_ms(storing_port, count, lines))
                far.append(await _ours_ms(database_url, service_port, count, lines))
                raw.append(await _raw_ms(database_url, bare_port, count, lines))
            what = f"store to {_viewers(count)}, p50, {lines * round(1 / PAUSE_S):,} lines/s"
            figures.append(Figure(what=f"{what}, one service", ours=median(near), raw=median(raw), unit="ms"))
            figures.append(Figure(what=f"{what}, two services", ours=median(far), raw=median(raw), unit="ms"))
    for count in (1, 50):
        ours, raw = [], []
        for _ in range(3):
            ours.append(await _delivered(database_url, count, _subscribed(service_port, count)))
            raw.append(await _delivered(database_url, count, _bare_flood(bare_port, count)))
        what = f"delivered to {_viewers(count)}, every line"
        figures.append(Figure(what=what, ours=median(ours), raw=median(raw), unit="rows/s"))
    return figures + await _idle(database_url, service_port, service_pid)


def _viewers(count: int) -> str:
    return f"{count} viewer{'s' if count > 1 else ''}"


@asynccontextmanager
async def _recorder(database_url: str) -> AsyncIterator[Recorder]:
    """Put together what a service records by."""
    async with Database(database_url) as database, BroadcastChannel(database_url, database=database) as channel:
        yield Recorder(PostgresLogStore(database), channel)


Watch = Callable[[str], AbstractAsyncContextManager[Sequence[Viewer]]]
"""Opens viewers of a job."""


def _subscribed(port: int, count: int) -> Watch:
    @asynccontextmanager
    async def watch(job_id: str) -> AsyncIterator[Sequence[Viewer]]:
        async with viewers(count, port, "/graphql", protocol="graphql-transport-ws") as opened:
            await subscribe(opened, [job_id] * count)
            yield opened

    return watch


def _bare_flood(port: int, count: int) -> Watch:
    return lambda job_id: viewers(count, port, f"/flood?job={job_id}")


async def subscribe(opened: Sequence[Viewer], job_ids: Sequence[str]) -> None:
    """Subscribe, and wait until each viewer was told that it is caught up."""
    for viewer in opened:
        viewer.send('{"type":"connection_init"}')
    await _until(lambda: all(viewer.frames == 1 for viewer in opened))
    for viewer, job_id in zip(opened, job_ids, strict=True):
        payload = {"query": SUBSCRIBE, "variables": {"job": job_id}}
        viewer.send(orjson.dumps({"id": "1", "type": "subscribe", "payload": payload}).decode())
    await _until(lambda: all(viewer.frames == 2 for viewer in opened))


async def _until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not is_so():  # noqa: ASYNC110 - what comes is counted, and nobody tells
            await asyncio.sleep(0.001)


class _Delays:
    """How long each line took to a viewer, in nanoseconds, by the time that it carries."""

    def __init__(self, viewer: Viewer, mark: bytes) -> None:
        self.delays: list[int] = []
        self._mark = mark
        viewer.on_frame = self._note

    def _note(self, frame: bytes) -> None:
        now = time.perf_counter_ns()
        self.delays += [now - int(part.split(b'"')[0]) for part in frame.split(self._mark)[1:]]


async def _p50_ms(seen: Sequence[_Delays], lines: int) -> float:
    """Wait until everybody has seen every line."""
    await _until(lambda: all(len(each.delays) >= lines for each in seen))
    assert all(len(each.delays) == lines for each in seen), "a line came twice"
    return median(delay for each in seen for delay in each.delays) / 1e6


async def _ours_ms(database_url: str, port: int, count: int, lines: int) -> float:
    job_id, writer_id = f"JB_{uuid4()}", uuid4()
    async with _recorder(database_url) as recorder, _subscribed(port, count)(job_id) as opened:
        seen = [_Delays(viewer, b'"message":"') for viewer in opened]
        for first in range(1, BATCHES * lines + 1, lines):
            await recorder.record(batch(job_id, writer_id, first, lines, str(time.perf_counter_ns())))
            await asyncio.sleep(PAUSE_S)
        return await _p50_ms(seen, BATCHES * lines)


def batch(job_id: str, writer_id: UUID, first: int, lines: int, message: str) -> Batch:
    line = Line(job_id=job_id, message=message)
    return Batch(writer_id, tuple(NumberedEvent(first + n, line) for n in range(lines)))


async def _near_ms(port: int, count: int, lines: int) -> float:
    """Watch lines that the viewers' own service stores."""
    async with _subscribed(port, count)(f"JB_NEAR_{count}_{lines}_{uuid4()}") as opened:
        return await _p50_ms([_Delays(viewer, b'"message":"') for viewer in opened], BATCHES * lines)


async def _raw_ms(database_url: str, port: int, count: int, lines: int) -> float:
    job_id = f"JB_{uuid4()}"
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(viewers(count, port, "/live"))
        database = await asyncpg.connect(**connect_arguments(database_url))
        stack.push_async_callback(database.close)
        seen = [_Delays(viewer, b'"') for viewer in opened]
        for first in range(1, BATCHES * lines + 1, lines):
            now = str(time.perf_counter_ns())
            await database.execute(INSERT, job_id, first, first + lines - 1, now)
            await database.execute("SELECT pg_notify($1, $2)", CHANNEL, f'"{now}' * lines)
            await asyncio.sleep(PAUSE_S)
        return await _p50_ms(seen, BATCHES * lines)


async def _delivered(database_url: str, count: int, watch: Watch) -> float:
    """Store a flood as fast as it goes, and count what all viewers got in the time that the last of them took."""
    job_id, writer_id = f"JB_{uuid4()}", uuid4()
    events = [
        NumberedEvent(
            n, Line(job_id=job_id, message=f"Scored candidate CNT_{n:05}: 0.{n % 97:02} of 1, evidence found")
        )
        for n in range(1, FLOOD + 1)
    ]
    async with _recorder(database_url) as recorder, watch(job_id) as opened:
        counted = Counted.all_of(opened, FLOOD)
        start = time.perf_counter()
        for first in range(0, FLOOD, 100):
            await recorder.record(Batch(writer_id, tuple(events[first : first + 100])))
        async with asyncio.timeout(PATIENCE_S):
            for each in counted:
                await each.is_complete.wait()
        return count * FLOOD / (time.perf_counter() - start)


async def _idle(database_url: str, port: int, pid: int) -> list[Figure]:
    """Let viewers wait for jobs that say nothing, and see what the service's process takes."""
    process = psutil.Process(pid)
    async with AsyncExitStack() as stack:
        job_ids = [f"JB_{uuid4()}" for _ in range(IDLE_JOBS)]
        recorder = await stack.enter_async_context(_recorder(database_url))
        for job_id in job_ids:
            await recorder.record_job(job_id, [Line(job_id=job_id, message="the only line")])
        before = process.memory_info().rss
        opened = await stack.enter_async_context(
            viewers(IDLE_VIEWERS, port, "/graphql", protocol="graphql-transport-ws")
        )
        await subscribe(opened, [job_ids[n % IDLE_JOBS] for n in range(IDLE_VIEWERS)])
        taken = process.memory_info().rss - before
        cpu, start = _cpu_s(process), time.perf_counter()
        await asyncio.sleep(IDLE_S)
        share = 100 * (_cpu_s(process) - cpu) / (time.perf_counter() - start)
    what = f"{IDLE_VIEWERS:,} viewers of {IDLE_JOBS} quiet jobs"
    return [
        Figure(what=f"{what}: CPU", ours=share, raw=None, unit="% of a core"),
        Figure(what=f"{what}: memory", ours=taken / 1024 / IDLE_VIEWERS, raw=None, unit="kB a viewer"),
    ]


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
