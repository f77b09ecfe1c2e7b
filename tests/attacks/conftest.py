"""A service that is attacked, in a thread of this process: what it holds and what it logs can be looked at."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette

from graph.app import create_app
from graph.http import graphql_endpoint as view
from graph.server import bounded_heads as http_heads
from graph.server.serving import listening, server_config
from graph.settings import Settings
from tests.client import PATIENCE_S, Api
from tests.conftest import CloneDatabase, Served

SOON_S = 1.0
"""How long the service waits here for what a client owes it."""
SETTLE_S = 10.0
REFUSALS = frozenset({"BAD_INPUT", "NOT_FOUND", "TOO_COMPLEX"})


class _Server(uvicorn.Server):
    """Runs beside the tests, whose signals are pytest's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Held(NamedTuple):
    """What a service holds for its clients."""

    tasks: int
    busy_connections: int
    live_connections: int


@dataclass(frozen=True, slots=True)
class Target(Served):
    app: Starlette
    loop: asyncio.AbstractEventLoop
    server: uvicorn.Server

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.url.removeprefix("http://").partition(":")
        return host, int(port)

    def held(self) -> Held:
        async def look() -> Held:
            busy = self.app.state.database.connections.busy
            return Held(len(asyncio.all_tasks()), busy, len(self.server.server_state.connections))

        return asyncio.run_coroutine_threadsafe(look(), self.loop).result(PATIENCE_S)

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=PATIENCE_S)


@pytest.fixture(scope="session")
def target(new_database: CloneDatabase, migrated_template: str) -> Iterator[Target]:
    """Serve as `jobtail-server serve` does, with less patience."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(view, "INIT_WAIT", view.INIT_WAIT.__class__(seconds=SOON_S))
        patched.setattr(http_heads, "HEAD_S", SOON_S)
        settings = Settings(port=0, database_url=new_database(migrated_template), max_query_bytes=256 * 1024)
        ready: list[Target] = []
        thread = threading.Thread(target=asyncio.run, args=[_serve(settings, ready)])
        thread.start()
        _wait_for(lambda: bool(ready) and ready[0].server.started)
        with Api(ready[0]) as api:
            api.capture(
                "JB_1", {"stage": "a", "taskId": "t", "message": "one 100% 'quoted' line", "metadata": {"a": 1}}
            )
        yield ready[0]
        ready[0].server.should_exit = True
        thread.join()


async def _serve(settings: Settings, ready: list[Target]) -> None:
    app = create_app(settings)
    with listening(settings) as listener:
        async with app.router.lifespan_context(app):
            server = _Server(server_config(app, settings))
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            ready.append(Target(url, app, asyncio.get_running_loop(), server))
            await server.serve(sockets=[listener])


def _wait_for(condition: Any) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def http(target: Target) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=target.url, timeout=PATIENCE_S) as client:
        yield client


@pytest.fixture(autouse=True)
def unharmed(target: Target, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """See that an attack leaves nothing behind: no task, no connection, no error in the log, and a service that answers."""
    before = target.held()
    yield
    _wait_for_rest(target, before)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
    answer = httpx.get(target.graphql_url, params={"query": '{ job(jobId: "JB_1") { jobId } }'}, timeout=PATIENCE_S)
    assert answer.json() == {"data": {"job": {"jobId": "JB_1"}}}


def _wait_for_rest(target: Target, before: Held) -> None:
    end = time.monotonic() + SETTLE_S
    while (after := target.held()) > before and time.monotonic() < end:
        time.sleep(0.05)
    assert after.tasks <= before.tasks, (before, after)
    assert after.busy_connections <= before.busy_connections, (before, after)


def refused(response: httpx.Response) -> str:
    """Hold an answer to be data or a clear refusal; tell the code of the refusal."""
    assert response.status_code < 500, response.text
    assert "x-request-id" in response.headers
    body = response.json()
    errors = body.get("errors") or ([body["error"]] if "error" in body else [])
    for error in errors:
        code = error.get("code") or error["extensions"]["code"]
        assert code in REFUSALS, error
        assert error["message"]
        for inside in ("Traceback", "syntax error at", "asyncpg", "sqlalchemy", "recursion", ".py"):
            assert inside not in error["message"], error
    return (errors[0].get("code") or errors[0]["extensions"]["code"]) if errors else ""
