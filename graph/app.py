"""The composition root: settings become a running service, and one lifespan owns all of its resources."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from domain.doorbell import Doorbell
from domain.errors import InvalidInput, JobtailError
from domain.feed import JobFeed
from domain.recorder import Recorder
from domain.searching import SlicedSearch
from domain.tail import TailHub
from domain.timelines import Timelines
from graph.admission import Admission
from graph.body import BodyLimits
from graph.capture import CaptureEndpoint
from graph.context import Services
from graph.errors import http_answer
from graph.health import healthz, readyz
from graph.otlp import OtlpEndpoint
from graph.rest import rest_routes
from graph.settings import Settings
from graph.view import GraphQLView
from persistence.channel import BroadcastChannel
from persistence.database import Database
from persistence.embedded import EmbeddedPostgres
from persistence.execution_store import PostgresExecutionStore
from persistence.job_store import PostgresJobStore
from persistence.log_store import PostgresLogStore
from persistence.log_times import PostgresLogTimes
from persistence.maintenance import ensure_partitions, keep_partitions
from persistence.migration import HEAD, revision_of, upgrade
from persistence.newest_store import PostgresNewestLogStore
from persistence.task_store import PostgresTaskStore

STATIC = Path(__file__).parent / "static"

Companion = Callable[[Starlette], Awaitable[None]]
"""Work that goes on beside the requests for as long as the service runs, and is cancelled before it ends."""

log = logging.getLogger(__name__)


def create_app(settings: Settings, *, companion: Companion | None = None) -> Starlette:
    """Make the application. Nothing is started or connected before its lifespan begins.

    While it runs, `state` holds `services` (the use cases), `database`, `database_url` and `channel`.
    """
    view = GraphQLView(allowed_origins=settings.allowed_origins)
    limits = BodyLimits(
        max_request_bytes=settings.max_request_bytes,
        max_expanded_bytes=settings.max_expanded_bytes,
    )
    admission = Admission(settings.max_concurrent_captures, 2 * settings.max_expanded_bytes)
    capture, otlp = CaptureEndpoint(limits, admission), OtlpEndpoint(limits, admission)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await _open(app, settings, stack)
            if companion is not None:
                await stack.enter_async_context(_beside(companion(app)))
            yield

    return Starlette(
        routes=[
            Route("/", RedirectResponse("/graphql")),
            Route("/graphql", view, methods=["GET", "POST", "OPTIONS"]),
            WebSocketRoute("/graphql", view),
            Route("/api/capture", capture.post, methods=["POST"], max_body_size=sys.maxsize),
            Route("/v1/logs", otlp.post, methods=["POST"], max_body_size=sys.maxsize),
            *rest_routes(),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Mount("/static", StaticFiles(directory=STATIC, check_dir=False)),
        ],
        lifespan=lifespan,
        max_body_size=settings.max_request_bytes,
        exception_handlers={HTTPException: http_answer, JobtailError: http_answer, Exception: http_answer},
    )


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[tuple[str, Database]]:
    """Connect to the configured database, or start the embedded one; yield its URL too."""
    async with AsyncExitStack() as stack:
        url = settings.database_url
        if url is None:
            url = (await stack.enter_async_context(EmbeddedPostgres(settings.data_dir))).url
        yield url, await stack.enter_async_context(Database(url, pool_size=settings.pool_size))


async def _open(app: Starlette, settings: Settings, stack: AsyncExitStack) -> None:
    """Open every resource in the order of need; the stack closes them in the reverse."""
    url, database = await stack.enter_async_context(open_database(settings))
    await _prepare(database, is_embedded=settings.database_url is None)
    channel = await stack.enter_async_context(BroadcastChannel(settings.channel_url or url))
    logs, jobs = PostgresLogStore(database), PostgresJobStore(database)
    hub, feed = TailHub(logs, jobs), JobFeed(jobs)
    await stack.enter_async_context(Doorbell(channel, jobs, hub, feed))
    await stack.enter_async_context(_beside(keep_partitions(database)))
    app.state.database_url, app.state.database, app.state.channel = url, database, channel
    app.state.services = Services(
        jobs=jobs,
        tasks=PostgresTaskStore(database),
        logs=SlicedSearch(logs),
        executions=PostgresExecutionStore(database),
        timelines=Timelines(PostgresLogTimes(database)),
        newest=PostgresNewestLogStore(database),
        recorder=Recorder(logs, channel),
        hub=hub,
        feed=feed,
    )


async def _prepare(database: Database, *, is_embedded: bool) -> None:
    """See to it that the tables are there. Only the embedded database, which is ours alone, is migrated unasked.

    Raises:
        InvalidInput: if another database has not been migrated, or not by this version.
    """
    revision = await revision_of(database.engine)
    if revision != HEAD and is_embedded:
        await upgrade(database.engine)
    elif revision != HEAD:
        found = f"at revision {revision}" if revision else "not set up for Jobtail yet"
        raise InvalidInput(
            f"the database is {found}, and this version needs {HEAD}: run `jobtail-server migrate` first"
        )
    await ensure_partitions(database)


@asynccontextmanager
async def _beside(work: Awaitable[None]) -> AsyncIterator[None]:
    """Let work go on meanwhile, and cancel it at the end. A defect that ends it early is logged at once."""
    task = asyncio.ensure_future(work)
    task.add_done_callback(_log_defect)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await task


def _log_defect(task: asyncio.Future[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("work beside the service ended: %s", error, exc_info=error)
