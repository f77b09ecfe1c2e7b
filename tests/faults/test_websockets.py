"""Connections that are cut abruptly leave nothing behind: no task, no generator, no tail, no watcher, no LISTEN."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import logging
import os
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from types import AsyncGeneratorType
from typing import Any, NamedTuple, cast

import pytest
import uvicorn
from starlette.applications import Starlette

from domain.live.job_feed import JobFeed
from domain.live.job_tail import JobTail
from domain.live.tail_hub import TailHub
from graph.app import create_app
from graph.context import Services
from graph.server.serving import server_config
from graph.settings import Settings
from jobtail.events import Line
from tests.conftest import connect
from tests.processes import JOB_LOGS, until
from tests.wire import frame, read_until

CONNECTIONS = 200
QUIET_JOB, BUSY_JOB = "job-that-is-quiet", "job-that-is-busy"
JOBS_UPDATED = "subscription { jobsUpdated { jobId lastSeq } }"
JOB_UPDATED = "subscription($jobId: String!) { jobUpdated(jobId: $jobId) { jobId lastSeq } }"
SUBSCRIPTIONS: list[tuple[str, dict[str, Any]]] = [
    (JOB_LOGS, {"jobId": BUSY_JOB, "afterSeq": 0}),
    (JOB_LOGS, {"jobId": QUIET_JOB, "afterSeq": 0}),
    (JOB_UPDATED, {"jobId": BUSY_JOB}),
    (JOBS_UPDATED, {}),
]


class _Server(uvicorn.Server):
    """Runs within the test's event loop, whose signals are pytest's."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Running(NamedTuple):
    app: Starlette
    port: int

    @property
    def services(self) -> Services:
        services: Services = self.app.state.services
        return services


@pytest.fixture
async def running(database_url: str) -> AsyncIterator[Running]:
    """The service in this process, where its tasks can be counted, served as `jobtail-server serve` does."""
    settings = Settings(database_url=database_url)
    app = create_app(settings)
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        async with app.router.lifespan_context(app):
            server = _Server(server_config(app, settings))
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            await until(lambda: server.started)
            yield Running(app, listener.getsockname()[1])
            server.should_exit = True
            await serving


def tails_of(services: Services) -> Sequence[JobTail]:
    return cast("TailHub", services.hub).tails


def watchers_of(services: Services) -> int:
    return cast("JobFeed", services.feed).watchers


class Left(NamedTuple):
    """What a service holds of its clients."""

    tasks: int
    generators: int
    tails: int
    watchers: int

    @classmethod
    def of(cls, services: Services) -> Left:
        gc.collect()
        generators = [one for one in gc.get_objects() if isinstance(one, AsyncGeneratorType)]
        return cls(len(asyncio.all_tasks()), len(generators), len(tails_of(services)), watchers_of(services))


async def listening_connections(database_url: str) -> int:
    connection = await connect(database_url)
    try:
        counted = await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE application_name = 'jobtail-channel' AND datname = current_database()"
        )
        return int(counted)
    finally:
        await connection.close()


def open_websocket(port: int, query: str, variables: dict[str, Any]) -> socket.socket:
    """Subscribe by hand: a client library would have tasks of its own."""
    client = socket.create_connection(("127.0.0.1", port), timeout=20)
    key = base64.b64encode(os.urandom(16)).decode()
    client.sendall(
        f"GET /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}"
        "\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n".encode()
    )
    read_until(client, b"\r\n\r\n")
    client.sendall(frame({"type": "connection_init"}))
    read_until(client, b"connection_ack")
    client.sendall(frame({"type": "subscribe", "id": "1", "payload": {"query": query, "variables": variables}}))
    return client


def open_sse(port: int, query: str, variables: dict[str, Any]) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=20)
    body = json.dumps({"query": query, "variables": variables}).encode()
    client.sendall(
        b"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\nContent-Type: application/json\r\n"
        + f"Content-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    read_until(client, b"\r\n\r\n")
    return client


def cut(client: socket.socket) -> None:
    """End the connection by RST, without a word."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@contextmanager
def without_collector() -> Iterator[None]:
    """Keep the collector of cycles from ending what was left to it."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@asynccontextmanager
async def flood(services: Services) -> AsyncIterator[None]:
    """Let a job say a lot, all the time."""

    async def write() -> None:
        while True:
            await services.recorder.record_job(BUSY_JOB, [Line(job_id=BUSY_JOB, message="x" * 500) for _ in range(20)])

    writing = asyncio.create_task(write())
    try:
        yield
    finally:
        writing.cancel()
        await asyncio.wait([writing])


@pytest.mark.parametrize("open_one", [open_websocket, open_sse])
async def test_200_connections_that_are_cut_leave_nothing_behind(
    running: Running,
    database_url: str,
    open_one: Callable[[int, str, dict[str, Any]], socket.socket],
    caplog: pytest.LogCaptureFixture,
) -> None:
    services = running.services
    await services.recorder.record_job(QUIET_JOB, [Line(job_id=QUIET_JOB, message="the only line")])
    await services.recorder.record_job(BUSY_JOB, [Line(job_id=BUSY_JOB, message="the first line")])
    with ThreadPoolExecutor(8) as threads:

        async def open_all(number: int) -> list[socket.socket]:
            loop = asyncio.get_running_loop()
            chosen = [SUBSCRIPTIONS[index % len(SUBSCRIPTIONS)] for index in range(number)]
            opening = [loop.run_in_executor(threads, open_one, running.port, *subscription) for subscription in chosen]
            return list(await asyncio.gather(*opening))

        async def open_and_cut(number: int) -> None:
            """Cut connections that are served, and as many whose serving may only begin."""
            async with flood(services):
                served = await open_all(number)
                await until(lambda: sum(tail.readers for tail in tails_of(services)) == number * 3 // 4)
                await until(lambda: watchers_of(services) == number // 4)
                more = await open_all(number)
                with without_collector():
                    for client in served + more:
                        cut(client)
                    await until(lambda: not tails_of(services) and not watchers_of(services), patience_s=20)

        before, listening = Left.of(services), await listening_connections(database_url)
        await open_and_cut(CONNECTIONS)
        await until(lambda: Left.of(services) == before, patience_s=5)
        assert await listening_connections(database_url) == listening
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
