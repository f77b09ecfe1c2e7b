"""From the job to the viewer: how long a line takes, and how many rows reach 1 and 50 viewers a second.

The raw limit of the way is an INSERT that commits, pg_notify, LISTEN in another process, and its bare websocket.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from statistics import median
from uuid import uuid4

import asyncpg
import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from bench.bare import CHANNEL, connect_arguments
from bench.figures import Figure
from domain.recorder import Recorder
from graph.recorder_sink import RecorderSink
from jobtail import LogCapturingEmitter, Writer
from jobtail.events import Batch, Line, NumberedEvent
from persistence.channel import BroadcastChannel
from persistence.database import Database
from persistence.log_store import PostgresLogStore

LINES = 150
PAUSE_S = 0.02
FLOOD = 20_000
PATIENCE_S = 60
SUBSCRIBE = (
    "subscription Tail($job: String!) { jobLogs(jobId: $job, afterSeq: 0) "
    "{ logs { seq stage taskId timestamp level message metadata } endCursor caughtUp } }"
)
INSERT = (
    "INSERT INTO task_logs (job_id, seq, stage, task_id, timestamp, recorded_at, level, message) "
    "VALUES ($1, $2, 'bench', 'bench', now(), now(), 20, $3)"
)


class Nowhere:
    """The emitter that the job has already."""

    def emit_info(self, message: str) -> None:
        del message


async def measure(database_url: str, service_port: int, bare_port: int) -> list[Figure]:
    figures = []
    for viewers in (1, 50):
        ours, raw = [], []
        for _ in range(3):
            ours.append(await _ours_ms(database_url, service_port, viewers))
            raw.append(await _raw_ms(database_url, bare_port, viewers))
        what = f"emit to viewer, p50, {viewers} viewer{'s' if viewers > 1 else ''} at 50 lines/s"
        figures.append(Figure(what=what, ours=median(ours), raw=median(raw), unit="ms"))
    for viewers in (1, 50):
        rate = median([await _delivered(database_url, service_port, viewers) for _ in range(3)])
        what = f"delivered to {viewers} viewer{'s' if viewers > 1 else ''}, 100 lines a batch"
        figures.append(Figure(what=what, ours=rate, raw=None, unit="rows/s"))
    return figures


@asynccontextmanager
async def _recorder(database_url: str) -> AsyncIterator[Recorder]:
    async with Database(database_url) as database, BroadcastChannel(database_url) as channel:
        yield Recorder(PostgresLogStore(database), channel)


@asynccontextmanager
async def _subscribed(port: int, job_id: str) -> AsyncIterator[ClientConnection]:
    async with connect(
        f"ws://127.0.0.1:{port}/graphql",
        subprotocols=[Subprotocol("graphql-transport-ws")],
        max_size=None,
        compression=None,
    ) as socket:
        await socket.send('{"type":"connection_init"}')
        await socket.recv()
        payload = {"query": SUBSCRIBE, "variables": {"job": job_id}}
        await socket.send(orjson.dumps({"id": "1", "type": "subscribe", "payload": payload}).decode())
        await socket.recv()  # the empty batch that says: caught up
        yield socket


async def _ours_ms(database_url: str, port: int, viewers: int) -> float:
    """Emit lines that carry the time, and take the median of when they are seen."""
    job_id = f"JB_{uuid4()}"
    async with AsyncExitStack() as stack:
        recorder = await stack.enter_async_context(_recorder(database_url))
        sockets = [await stack.enter_async_context(_subscribed(port, job_id)) for _ in range(viewers)]
        writer = Writer(RecorderSink(recorder, asyncio.get_running_loop()))
        emitter = LogCapturingEmitter(Nowhere(), writer, job_id)
        seen = [asyncio.create_task(_delays(socket, b'"message":"')) for socket in sockets]
        for _ in range(LINES):
            emitter.emit_info(str(time.perf_counter_ns()))
            await asyncio.sleep(PAUSE_S)
        delays = [delay for part in await asyncio.wait_for(asyncio.gather(*seen), PATIENCE_S) for delay in part]
        await asyncio.to_thread(writer.close)
    return median(delays) / 1e6


async def _raw_ms(database_url: str, port: int, viewers: int) -> float:
    job_id = f"JB_{uuid4()}"
    async with AsyncExitStack() as stack:
        sockets = [
            await stack.enter_async_context(connect(f"ws://127.0.0.1:{port}/live", compression=None))
            for _ in range(viewers)
        ]
        database = await asyncpg.connect(**connect_arguments(database_url))
        stack.push_async_callback(database.close)
        seen = [asyncio.create_task(_delays(socket, b"")) for socket in sockets]
        for seq in range(1, LINES + 1):
            now = str(time.perf_counter_ns())
            await database.execute(INSERT, job_id, seq, now)
            await database.execute("SELECT pg_notify($1, $2)", CHANNEL, now)
            await asyncio.sleep(PAUSE_S)
        delays = [delay for part in await asyncio.wait_for(asyncio.gather(*seen), PATIENCE_S) for delay in part]
    return median(delays) / 1e6


async def _delays(socket: ClientConnection, mark: bytes) -> list[int]:
    """Read until every line was seen; give how long each took, in nanoseconds."""
    delays: list[int] = []
    while len(delays) < LINES:
        frame = await socket.recv(decode=False)
        now = time.perf_counter_ns()
        found = frame.split(mark)[1:] if mark else [frame]
        delays += [now - int(part.split(b'"')[0]) for part in found]
    return delays


async def _delivered(database_url: str, port: int, viewers: int) -> float:
    """Store a flood as fast as it goes, and count what all viewers got in the time that the last of them took."""
    job_id, writer_id = f"JB_{uuid4()}", uuid4()
    events = [
        NumberedEvent(
            n, Line(job_id=job_id, message=f"Scored candidate CNT_{n:05}: 0.{n % 97:02} of 1, evidence found")
        )
        for n in range(1, FLOOD + 1)
    ]
    async with AsyncExitStack() as stack:
        recorder = await stack.enter_async_context(_recorder(database_url))
        sockets = [await stack.enter_async_context(_subscribed(port, job_id)) for _ in range(viewers)]
        start = time.perf_counter()
        seen = asyncio.gather(*(_count(socket) for socket in sockets))
        for first in range(0, FLOOD, 100):
            await recorder.record(Batch(writer_id, tuple(events[first : first + 100])))
        await asyncio.wait_for(seen, PATIENCE_S)
        return viewers * FLOOD / (time.perf_counter() - start)


async def _count(socket: ClientConnection) -> None:
    rows = 0
    while rows < FLOOD:
        rows += (await socket.recv(decode=False)).count(b'"seq":')
    assert rows == FLOOD, f"{rows} rows came for {FLOOD}"
