"""The wrappers that make spans: around every request, every recorded batch and every announcement."""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from opentelemetry import propagate
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, format_trace_id
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domain.announcements import Announcement
from domain.ports import LogChannel
from domain.recorder import Recorded, SeqRange
from domain.use_cases import EventRecorder
from graph.observability.measured import begins_event_stream, method_of, route_of
from jobtail.events import Batch, Event

UNTRACED = frozenset({"/healthz", "/readyz", "/metrics"})
"""What is asked for every few seconds, and tells nothing."""
FAULT = 500


class TracedRequests:
    """Makes a span of each HTTP request, in the trace that its caller names, and names the trace in the service's log.

    A stream of events is traced until it begins, and a websocket not at all: its operations are.
    """

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in UNTRACED:
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        method = method_of(scope)
        attributes = {"http.request.method": method, "url.path": scope["path"]}
        with self._tracer.start_as_current_span(
            method, propagate.extract(headers), SpanKind.SERVER, attributes, end_on_exit=False
        ) as span:
            structlog.contextvars.bind_contextvars(trace_id=format_trace_id(span.get_span_context().trace_id))

            async def heard(message: Message) -> None:
                if message["type"] == "http.response.start":
                    _set_status(span, message["status"])
                    if begins_event_stream(message):
                        _end(span, method, scope)
                await send(message)

            try:
                await self._app(scope, receive, heard)
            finally:
                _end(span, method, scope)


def _set_status(span: Span, status: int) -> None:
    span.set_attribute("http.response.status_code", status)
    if status >= FAULT:
        span.set_status(Status(StatusCode.ERROR))


def _end(span: Span, method: str, scope: Scope) -> None:
    """End a span, unless it has ended, under the name that is known by now."""
    if span.is_recording():
        if route := route_of(scope):
            span.update_name(f"{method} {route}")
            span.set_attribute("http.route", route)
        span.end()


class TracedRecorder:
    """Makes a span of each batch that is recorded."""

    def __init__(self, recorder: EventRecorder, tracer: Tracer) -> None:
        self._recorder = recorder
        self._tracer = tracer

    async def record(self, batch: Batch, *, is_large: bool = False) -> Recorded:
        with self._tracer.start_as_current_span("record", attributes={"jobtail.events": len(batch.events)}) as span:
            recorded = await self._recorder.record(batch, is_large=is_large)
            span.set_attributes({"jobtail.stored": recorded.stored, "jobtail.skipped": recorded.skipped})
            return recorded

    async def record_job(
        self, job_id: str, events: Sequence[Event], *, execution_id: str | None = None, handler_name: str | None = None
    ) -> SeqRange:
        attributes: dict[str, str | int] = {"jobtail.job_id": job_id, "jobtail.events": len(events)}
        with self._tracer.start_as_current_span("record", attributes=attributes):
            return await self._recorder.record_job(job_id, events, execution_id=execution_id, handler_name=handler_name)


class TracedChannel:
    """Makes a span of each announcement that is handed over: a recorder's side of a `domain.ports.LogChannel`."""

    def __init__(self, channel: LogChannel, tracer: Tracer) -> None:
        self._tracer = tracer
        self._channel = channel
        self.signals = channel.signals

    @property
    def is_healthy(self) -> bool:
        return self._channel.is_healthy

    def publish(self, announcement: Announcement) -> None:
        attributes: dict[str, str | int] = {
            "jobtail.job_id": announcement.job_id,
            "jobtail.first_seq": announcement.first_seq,
            "jobtail.last_seq": announcement.last_seq,
        }
        with self._tracer.start_as_current_span("publish", kind=SpanKind.PRODUCER, attributes=attributes):
            self._channel.publish(announcement)
