"""Health: whether the process lives, whether it can serve, and whether to restart it would help."""

from __future__ import annotations

import logging
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse

from domain.errors import JobtailError

log = logging.getLogger(__name__)


class Ailments:
    """What nothing but a restart of this process cures, asked of whoever would notice."""

    def __init__(self) -> None:
        self._sources: list[Callable[[], str | None]] = []
        self._told: set[str] = set()

    def ask(self, source: Callable[[], str | None]) -> None:
        """Ask `source` from now on; it says what is wrong, or None."""
        self._sources.append(source)

    def now(self) -> list[str]:
        """Say what is wrong now, and log each once."""
        found = [said for source in self._sources if (said := source()) is not None]
        for said in found:
            if said not in self._told:
                log.critical("only a restart of the service helps: %s", said)
        self._told = set(found)
        return found


async def healthz(request: Request) -> JSONResponse:
    """Answer 200 while the process answers and a restart would not help, else 503 with the reasons."""
    if reasons := request.app.state.ailments.now():
        return JSONResponse({"status": "restart", "reasons": reasons}, 503)
    return JSONResponse({"status": "ok"})


async def readyz(request: Request) -> JSONResponse:
    """Answer 200 if the database answers and announcements flow, else 503; in both cases what does and what does not."""
    checks = {"database": await _database(request), "channel": _channel(request)}
    is_ready = all(state == "ok" for state in checks.values())
    return JSONResponse({"status": "ok" if is_ready else "unavailable", **checks}, 200 if is_ready else 503)


async def _database(request: Request) -> str:
    try:
        await request.app.state.database.ping()
    except JobtailError:
        return "away"
    return "ok"


def _channel(request: Request) -> str:
    return "ok" if request.app.state.channel.is_healthy else "away"
