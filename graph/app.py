"""The composition root: settings become a running service, and one lifespan owns all of its resources."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp

from domain.errors import InvalidInput, JobtailError
from graph.access.own_machine import OwnMachine
from graph.capture.admission import Admission
from graph.capture.endpoint import WRITER_HEADER, CaptureEndpoint
from graph.capture.otlp_endpoint import OtlpEndpoint
from graph.errors import http_answer
from graph.http.body import BodyLimits
from graph.http.graphql_endpoint import GraphQLView
from graph.http.health import healthz, readyz
from graph.http.scrape import Scrape
from graph.observability.measured import MeasuredRequests
from graph.observability.metrics import Metrics
from graph.operations.watch import OperationObservers
from graph.pages.viewer import not_found, viewer_routes
from graph.request_ids import REQUEST_ID_HEADER, RequestIds
from graph.rest.openapi import PATH as OPENAPI_PATH
from graph.rest.openapi import openapi
from graph.rest.routes import rest_routes
from graph.service import ServiceOpener, beside
from graph.settings import Access, Settings

if TYPE_CHECKING:
    from graph.observability.tracing import Tracing

Companion = Callable[[Starlette], Awaitable[None]]
"""Work that goes on beside the requests for as long as the service runs, and is cancelled before it ends."""

LEAST_ROOM_BYTES = 64 * 1024 * 1024
"""What captured batches may take however small each has to be: an event takes more than its text."""


class _Application(Starlette):
    """Names each request before anything else is done with it: what fails anywhere below can be told by that name."""

    def __init__(self, settings: Settings, **more: Any) -> None:
        super().__init__(**more)
        self._settings = settings

    def build_middleware_stack(self) -> ASGIApp:
        app, settings = super().build_middleware_stack(), self._settings
        if settings.access is Access.OFF:
            app = OwnMachine(
                app,
                hosts=[settings.host, *settings.allowed_hosts],
                origins=settings.allowed_origins,
                is_behind_proxy=settings.is_behind_proxy,
            )
        return RequestIds(app)


def create_app(settings: Settings, *, companion: Companion | None = None) -> Starlette:
    """Make the application. Nothing is started or connected before its lifespan begins.

    While it runs, its `state` is a `ServiceState`.

    Raises:
        InvalidInput: if traces are wanted and the SDK for them is missing.
    """
    metrics, tracing = Metrics(), _tracing() if settings.tracing else None
    watch = metrics if tracing is None else OperationObservers(tracing, metrics)
    view = GraphQLView(settings, watch=watch)
    limits = BodyLimits(
        max_request_bytes=settings.max_request_bytes,
        max_expanded_bytes=settings.max_expanded_bytes,
    )
    admission = Admission(settings.max_concurrent_captures, max(4 * settings.max_expanded_bytes, LEAST_ROOM_BYTES))
    capture, otlp = CaptureEndpoint(limits, admission), OtlpEndpoint(limits, admission)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            state = await ServiceOpener(settings, stack, metrics, admission, tracing).open()
            app.state = state  # type: ignore[assignment]  # Starlette's own has no types, and it reads nothing of it
            if companion is not None:
                await stack.enter_async_context(beside(companion(app), state.ailments))
            yield

    return _Application(
        settings,
        routes=[
            Route("/graphql", view, methods=["GET", "POST", "OPTIONS"]),
            WebSocketRoute("/graphql", view),
            Route("/api/capture", capture.post, methods=["POST"]),
            Route("/v1/logs", otlp.post, methods=["POST"]),
            *rest_routes(),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", Scrape(metrics.registry).get),
            Route(OPENAPI_PATH, openapi),
            *viewer_routes(),
        ],
        lifespan=lifespan,
        middleware=[
            Middleware(MeasuredRequests, metrics),
            *([] if tracing is None else [tracing.requests]),
            *([_cross_origin(settings.allowed_origins)] if settings.allowed_origins else []),
        ],
        exception_handlers={
            404: not_found,
            HTTPException: http_answer,
            JobtailError: http_answer,
            Exception: http_answer,
        },
    )


def _cross_origin(origins: list[str]) -> Middleware:
    """Let pages of other sites call this service. They show a token; cookies are not used, nor sent."""
    return Middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "Content-Type", WRITER_HEADER, REQUEST_ID_HEADER],
        expose_headers=[REQUEST_ID_HEADER],
        max_age=3600,
    )


def _tracing() -> Tracing:
    try:
        from graph.observability.tracing import Tracing  # noqa: PLC0415 - the SDK is optional
    except ImportError as error:
        raise InvalidInput("JOBTAIL_TRACING needs an extra: install jobtail-server[tracing]") from error
    return Tracing()
