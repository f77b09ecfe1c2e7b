"""The composition root: settings become a running service, and one lifespan owns all of its resources."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp

from domain.analysis.message_profiles import MessageProfiles
from domain.analysis.timelines import Timelines
from domain.errors import InvalidInput, JobtailError
from domain.live.channel_listener import ChannelListener
from domain.live.job_feed import JobFeed
from domain.live.tail_hub import TailHub
from domain.recorder import Recorder
from domain.sliced_search import SlicedSearch
from graph.access.gate import Gate
from graph.access.own_machine import OwnMachine
from graph.access.rate_limits import Rate, downloads
from graph.access.web_tokens import WebTokens
from graph.capture.admission import Admission
from graph.capture.endpoint import WRITER_HEADER, CaptureEndpoint
from graph.capture.otlp_endpoint import OtlpEndpoint
from graph.context import Services
from graph.databases import open_database, prepare
from graph.errors import http_answer
from graph.http.body import BodyLimits
from graph.http.graphql_endpoint import GraphQLView
from graph.http.health import Ailments, healthz, readyz
from graph.http.scrape import Scrape
from graph.live.sessions import Sessions
from graph.observability.gauges import Gauges
from graph.observability.measured import MeasuredLogWriter, MeasuredRequests
from graph.observability.metrics import Metrics
from graph.operations.limits import QueryLimits
from graph.operations.watch import OperationObservers
from graph.pages.viewer import not_found, viewer_routes
from graph.request_ids import REQUEST_ID_HEADER, RequestIds
from graph.rest.openapi import PATH as OPENAPI_PATH
from graph.rest.openapi import openapi
from graph.rest.routes import rest_routes
from graph.settings import Access, Settings
from persistence.channel.channel import BroadcastChannel
from persistence.stores.execution_store import PostgresExecutionStore
from persistence.stores.job_store import PostgresJobStore
from persistence.stores.log_messages import PostgresLogMessages
from persistence.stores.log_store import PostgresLogStore
from persistence.stores.log_times import PostgresLogTimes
from persistence.stores.newest_store import PostgresNewestLogStore
from persistence.stores.task_store import PostgresTaskStore
from persistence.stores.token_store import PostgresTokenStore
from persistence.upkeep.maintenance import keep_partitions, keep_retention, watch_storage
from persistence.upkeep.pruning import PostgresLogPruner
from persistence.upkeep.storage import PostgresStorage
from persistence.upkeep.table_sizes import TableSizes

if TYPE_CHECKING:
    from graph.observability.tracing import Tracing

Companion = Callable[[Starlette], Awaitable[None]]
"""Work that goes on beside the requests for as long as the service runs, and is cancelled before it ends."""

LEAST_ROOM_BYTES = 64 * 1024 * 1024
"""What captured batches may take however small each has to be: an event takes more than its text."""

log = logging.getLogger(__name__)


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

    While it runs, `state` holds `services` (the use cases), `database`, `database_url` and `channel`.

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
            await _open(app, settings, stack, metrics, admission, tracing)
            if companion is not None:
                await stack.enter_async_context(_beside(companion(app), app.state.ailments))
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


async def _open(
    app: Starlette,
    settings: Settings,
    stack: AsyncExitStack,
    metrics: Metrics,
    admission: Admission,
    tracing: Tracing | None,
) -> None:
    """Open every resource in the order of need; the stack closes them in the reverse."""
    ailments = app.state.ailments = Ailments()
    web_tokens = _web_tokens(settings)
    if tracing is not None:
        await stack.enter_async_context(tracing)
    watch = None if tracing is None else tracing.statement
    url, database = await stack.enter_async_context(open_database(settings, ailments, watch=watch))
    await prepare(database, is_embedded=settings.database_url is None)
    lent = None if settings.channel_url else database
    channel = await stack.enter_async_context(BroadcastChannel(settings.channel_url or url, database=lent))
    logs, jobs, times = PostgresLogStore(database), PostgresJobStore(database), PostgresLogTimes(database)
    hub, feed = TailHub(logs, jobs), JobFeed(jobs)
    await stack.enter_async_context(ChannelListener(channel, jobs, hub, feed))
    await stack.enter_async_context(_beside(keep_partitions(database), ailments))
    sizes = TableSizes(database)
    await stack.enter_async_context(_beside(sizes.keep(), ailments))
    gauges = Gauges(hub=hub, feed=feed, channel=channel, pool=database, admission=admission, sizes=sizes)
    metrics.registry.register(gauges)
    stack.callback(metrics.registry.unregister, gauges)
    if settings.kept is not None:
        await stack.enter_async_context(_beside(keep_retention(url, settings.kept), ailments))
    storage = PostgresStorage(database, warning_bytes=settings.storage_warning_bytes)
    await stack.enter_async_context(_beside(watch_storage(storage), ailments))
    tokens = None if settings.access is Access.OFF else PostgresTokenStore(database)
    rate = Rate(settings.max_requests_per_second)
    gate = Gate(tokens, web_tokens, rate=rate, on_refusal=metrics.token_refused)
    app.state.gate, app.state.sessions, app.state.limits = gate, Sessions(gate), QueryLimits.of(settings)
    app.state.downloads = downloads()
    await stack.enter_async_context(_beside(app.state.sessions.watch(), ailments))
    app.state.database_url, app.state.database, app.state.channel = url, database, channel
    app.state.hub, app.state.feed = hub, feed
    announcing = channel if tracing is None else tracing.channel(channel)
    recorder = Recorder(MeasuredLogWriter(logs, metrics), announcing, ring=hub.hear)
    app.state.services = Services(
        jobs=jobs,
        tasks=PostgresTaskStore(database),
        logs=SlicedSearch(logs),
        executions=PostgresExecutionStore(database),
        timelines=Timelines(times),
        profiles=MessageProfiles(times, PostgresLogMessages(database)),
        newest=PostgresNewestLogStore(database),
        pruner=PostgresLogPruner(database),
        storage=storage,
        recorder=recorder if tracing is None else tracing.recorder(recorder),
        hub=hub,
        feed=feed,
    )


def _tracing() -> Tracing:
    try:
        from graph.observability.tracing import Tracing  # noqa: PLC0415 - the SDK is optional
    except ImportError as error:
        raise InvalidInput("JOBTAIL_TRACING needs an extra: install jobtail-server[tracing]") from error
    return Tracing()


def _web_tokens(settings: Settings) -> WebTokens | None:
    if settings.jwt_key is None and settings.jwt_jwks_url is None:
        return None
    return WebTokens(
        algorithms=settings.jwt_algorithms,
        key=settings.jwt_key.get_secret_value() if settings.jwt_key and not settings.jwt_jwks_url else None,
        jwks_url=settings.jwt_jwks_url,
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
        scope_claim=settings.jwt_scope_claim,
        prefix_claim=settings.jwt_prefix_claim,
    )


@asynccontextmanager
async def _beside(work: Awaitable[None], ailments: Ailments) -> AsyncIterator[None]:
    """Let work go on meanwhile, and cancel it at the end. A defect that ends it early is logged at once."""
    task = asyncio.ensure_future(work)
    task.add_done_callback(_log_defect)
    ailments.ask(lambda: "work beside the service ended" if _defect(task) else None)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await task


def _log_defect(task: asyncio.Future[None]) -> None:
    if (error := _defect(task)) is not None:
        log.error("work beside the service ended: %s", error, exc_info=error)


def _defect(task: asyncio.Future[None]) -> BaseException | None:
    return task.exception() if task.done() and not task.cancelled() else None
