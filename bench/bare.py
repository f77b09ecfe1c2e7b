"""The raw limit of reading and of live delivery: starlette, asyncpg and orjson, and nothing in between."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
import orjson
import uvicorn
from sqlalchemy.engine import make_url
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

PAGE = """
SELECT seq, stage, task_id, timestamp, level, message, metadata
FROM task_logs
WHERE job_id = $1 AND seq > $2
ORDER BY seq
LIMIT $3
"""
TASKS = """
SELECT stage, task_id, status,
    count_trace + count_debug + count_info + count_warning + count_error + count_critical AS total,
    count_info AS info, count_warning AS warning, count_error AS error
FROM job_tasks
WHERE job_id = $1
ORDER BY first_seq
"""
CHANNEL, SERVICE_CHANNEL = "bench_raw", "jobtail"
FLOOD_ROWS = 500


def connect_arguments(url: str) -> dict[str, Any]:
    """Take an SQLAlchemy URL apart for asyncpg."""
    parsed = make_url(url)
    return {
        "host": str(parsed.query.get("host", parsed.host)),
        "port": int(str(parsed.query.get("port", parsed.port or 5432))),
        "user": parsed.username,
        "password": parsed.password,
        "database": parsed.database,
    }


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    arguments = connect_arguments(os.environ["DATABASE_URL"])
    async with asyncpg.create_pool(min_size=10, max_size=10, init=_decode_json, **arguments) as pool:
        app.state.pool, app.state.viewers = pool, set()
        app.state.floods, app.state.changed = {}, asyncio.Event()
        listener = await asyncpg.connect(**arguments)
        await listener.add_listener(CHANNEL, lambda *event: _ring(app, str(event[-1])))
        await listener.add_listener(SERVICE_CHANNEL, lambda *_: app.state.changed.set())
        try:
            yield
        finally:
            await listener.close()


async def _decode_json(connection: Any) -> None:
    await connection.set_type_codec("jsonb", encoder=orjson.dumps, decoder=orjson.loads, schema="pg_catalog")


def _ring(app: Starlette, payload: str) -> None:
    for viewer in app.state.viewers:
        viewer.put_nowait(payload)


async def page(request: Request) -> Response:
    asked = request.query_params
    return _answer(await request.app.state.pool.fetch(PAGE, asked["job"], int(asked["after"]), int(asked["first"])))


async def tasks(request: Request) -> Response:
    return _answer(await request.app.state.pool.fetch(TASKS, request.query_params["job"]))


def _answer(rows: Sequence[Mapping[str, Any]]) -> Response:
    return Response(orjson.dumps([dict(row) for row in rows]), media_type="application/json")


async def live(socket: WebSocket) -> None:
    await socket.accept()
    queue: asyncio.Queue[str] = asyncio.Queue()
    socket.app.state.viewers.add(queue)
    try:
        while True:
            await socket.send_text(await queue.get())
    except WebSocketDisconnect:
        pass
    finally:
        socket.app.state.viewers.discard(queue)


async def flood(socket: WebSocket) -> None:
    """Send a job's rows by pages that are encoded once for all who follow it from its beginning."""
    await socket.accept()
    job_id, viewers = socket.query_params["job"], socket.app.state.floods
    viewers.setdefault(job_id, []).append(socket)
    if len(viewers[job_id]) == 1:
        socket.app.state.follower = asyncio.create_task(_follow(socket.app, job_id))
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
    viewers.pop(job_id, None)


async def _follow(app: Starlette, job_id: str) -> None:
    """Look for rows whenever the service's channel says something."""
    seq, viewers = 0, app.state.floods
    while job_id in viewers:
        rows = await app.state.pool.fetch(PAGE, job_id, seq, FLOOD_ROWS)
        if not rows:
            app.state.changed.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(app.state.changed.wait(), 0.1)
            continue
        seq, text = rows[-1]["seq"], orjson.dumps([dict(row) for row in rows]).decode()
        for viewer in viewers.get(job_id, ()):
            with suppress(WebSocketDisconnect, RuntimeError):
                await viewer.send_text(text)


async def healthz(_: Request) -> Response:
    return Response()


def main() -> None:
    routes = [
        Route("/page", page),
        Route("/tasks", tasks),
        WebSocketRoute("/live", live),
        WebSocketRoute("/flood", flood),
        Route("/healthz", healthz),
    ]
    app = Starlette(routes=routes, lifespan=lifespan)
    port = int(os.environ["JOBTAIL_PORT"])
    uvicorn.run(app, port=port, log_level="warning", access_log=False, ws="websockets-sansio")
