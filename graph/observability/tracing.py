"""OpenTelemetry traces, sent by OTLP/HTTP. Imported only where they are wanted: the SDK comes with an extra.

Spans tell names, numbers and ids of jobs: no variable's value, no statement's parameter, no line.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.metadata import version
from threading import Thread
from typing import Self

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from starlette.middleware import Middleware

from domain.errors import InvalidInput
from domain.ports import LogChannel
from domain.use_cases import EventRecorder
from graph.errors import MESSAGES
from graph.observability.traced import TracedChannel, TracedRecorder, TracedRequests
from graph.operations.watch import OperationName

NAME = "jobtail-server"
FAREWELL_S = 2.0
"""How long the end waits for what is still to be sent."""
LONGEST_NAME = 200


class Tracing:
    """Makes spans and sends them, as the variables OTEL_... say. An async context manager."""

    def __init__(self) -> None:
        self._provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
        self.tracer = self._provider.get_tracer(NAME, version(NAME))

    async def __aenter__(self) -> Self:
        try:
            exporter = OTLPSpanExporter()
        except (OSError, ValueError) as error:
            raise InvalidInput(f"traces cannot be sent as the variables OTEL_EXPORTER_OTLP_... say: {error}") from error
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        return self

    async def __aexit__(self, *exc: object) -> None:
        # The SDK would wait for half a minute where nobody answers.
        ending = Thread(target=self._provider.shutdown, name="traces end", daemon=True)
        ending.start()
        deadline = time.monotonic() + FAREWELL_S
        while ending.is_alive() and time.monotonic() < deadline:  # noqa: ASYNC110 - a thread tells by its end alone
            await asyncio.sleep(0.01)

    @property
    def requests(self) -> Middleware:
        return Middleware(TracedRequests, self.tracer)

    def recorder(self, recorder: EventRecorder) -> EventRecorder:
        return TracedRecorder(recorder, self.tracer)

    def channel(self, channel: LogChannel) -> LogChannel:
        return TracedChannel(channel, self.tracer)

    @contextmanager
    def operation(self, operation: OperationName) -> Iterator[None]:
        """Trace a query or a mutation; satisfies `graph.operations.watch.Watch`."""
        with self.tracer.start_as_current_span(f"{operation.type} {operation.field}") as span:
            span.set_attribute("graphql.operation.type", operation.type)
            if operation.name is not None:
                span.set_attribute("graphql.operation.name", operation.name[:LONGEST_NAME])
            yield

    def unplanned(self, reason: str) -> None:
        trace.get_current_span().set_attribute("jobtail.unplanned", reason)

    def failed(self, codes: Iterable[str]) -> None:
        span = trace.get_current_span()
        for code in codes:
            span.add_event("error", {"error.type": code})
            span.set_attribute("error.type", code)
            if code in MESSAGES:  # it is not the client's
                span.set_status(Status(StatusCode.ERROR, code))

    def statement(self, name: Callable[[], str]) -> AbstractContextManager[object]:
        """Trace a statement of a request. What the service asks on its own account is not traced."""
        return self._statement(name()) if trace.get_current_span().is_recording() else nullcontext()

    @contextmanager
    def _statement(self, name: str) -> Iterator[None]:
        # An exception of Postgres may quote values, so that its kind alone is recorded.
        with self.tracer.start_as_current_span(
            name,
            kind=SpanKind.CLIENT,
            attributes={"db.system.name": "postgresql", "db.query.summary": name},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            except Exception as error:
                fail(span, error)
                raise


def fail(span: Span, error: Exception) -> None:
    kind = type(error).__qualname__
    span.set_attribute("error.type", kind)
    span.set_status(Status(StatusCode.ERROR, kind))


def _resource() -> Resource:
    made = Resource.create({SERVICE_VERSION: version(NAME)})
    is_named = not str(made.attributes[SERVICE_NAME]).startswith("unknown_service")
    return made if is_named else made.merge(Resource({SERVICE_NAME: NAME}))
