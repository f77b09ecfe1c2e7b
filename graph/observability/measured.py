"""The wrappers that count and time: around the store of lines, and around every request."""

from __future__ import annotations

import logging
import time
from urllib.parse import quote

from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domain.batches import AlreadyAt, Appended, JobBatch
from domain.ports import LogWriter
from graph.observability.metrics import Metrics
from jobtail.events import LogLevel, LossNotice

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

log = logging.getLogger(__name__)


class MeasuredLogWriter:
    """A `domain.ports.LogWriter` whose writes are counted and timed."""

    def __init__(self, logs: LogWriter, metrics: Metrics) -> None:
        self._logs = logs
        self._metrics = metrics

    async def append(self, batch: JobBatch) -> Appended | AlreadyAt:
        begun = time.perf_counter()
        try:
            outcome = await self._logs.append(batch)
        finally:
            self._metrics.store_duration.observe(time.perf_counter() - begun)
        if isinstance(outcome, Appended):
            self._count(batch)
        else:
            self._metrics.batches_repeated.inc()
        return outcome

    def _count(self, batch: JobBatch) -> None:
        self._metrics.batches_stored.inc()
        for level, lines_stored in self._metrics.lines_stored.items():
            if lines := sum(task.counts[level] for task in batch.tasks.values()):
                lines_stored.inc(lines)
                if level is LogLevel.WARNING:
                    self._metrics.lines_given_up.inc(_given_up(batch))


def _given_up(batch: JobBatch) -> int:
    """Add up what workers say that they could not keep."""
    warnings = (line for line in batch.lines if line.level is LogLevel.WARNING and line.metadata)
    return sum(lost.lines for lost in map(LossNotice.of, warnings) if lost is not None)


class MeasuredRequests:
    """Times requests by the route that they took, and counts websockets while they are open."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "http":
                await self._http(scope, receive, send)
            case "websocket":
                with self._metrics.websockets.track_inprogress():
                    await self._app(scope, receive, send)
            case _:
                await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun, status, until = time.perf_counter(), 500, 0.0

        async def heard(message: Message) -> None:
            nonlocal status, until
            if message["type"] == "http.response.start":
                status = message["status"]
                if begins_event_stream(message):
                    until = time.perf_counter()
            await send(message)

        try:
            await self._app(scope, receive, heard)
        finally:
            spent = (until or time.perf_counter()) - begun
            duration, route = self._metrics.http_duration, route_of(scope) or "none"
            self._metrics.labelled(duration, method_of(scope), route, status).observe(spent)
            self._metrics.answered(route, status)
            if log.isEnabledFor(logging.DEBUG):
                log.debug("%s %s: %d after %.1f ms", scope["method"], quote(scope["path"]), status, 1000 * spent)


def method_of(scope: Scope) -> str:
    """Tell the method; a client may make one up."""
    method: str = scope["method"]
    return method if method in METHODS else "other"


def route_of(scope: Scope) -> str | None:
    """Tell the template of the path that a request took, once it has taken one."""
    route = scope.get("route")
    return route.path if isinstance(route, Route | Mount) else None


def begins_event_stream(start: Message) -> bool:
    return any(
        name.lower() == b"content-type" and value.startswith(b"text/event-stream") for name, value in start["headers"]
    )
