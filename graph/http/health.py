"""Whether the process lives, and whether it can serve."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse

from domain.errors import JobtailError


async def healthz(_: Request) -> JSONResponse:
    return JSONResponse({"status": "ok"})


async def readyz(request: Request) -> JSONResponse:
    """Answer 200 if the database answers and announcements flow, else 503; in both cases what does and what does not."""
    parts = {"database": await _database(request), "channel": _channel(request)}
    is_ready = all(state == "ok" for state in parts.values())
    return JSONResponse({"status": "ok" if is_ready else "unavailable", **parts}, 200 if is_ready else 503)


async def _database(request: Request) -> str:
    try:
        await request.app.state.database.ping()
    except JobtailError:
        return "away"
    return "ok"


def _channel(request: Request) -> str:
    return "ok" if request.app.state.channel.is_healthy else "away"
