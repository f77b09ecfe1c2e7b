"""`ServiceState`: the parts of a running service, opened in the order of need and closed in the reverse."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.analysis.message_profiles import MessageProfiles
from domain.analysis.timelines import Timelines
from domain.live.channel_listener import ChannelListener
from domain.live.job_feed import JobFeed
from domain.live.tail_hub import TailHub
from domain.recorder import Recorder
from domain.sliced_search import SlicedSearch
from graph.access.gate import Gate
from graph.access.rate_limits import Places, Rate, downloads
from graph.access.web_tokens import WebTokens
from graph.capture.admission import Admission
from graph.context import Services
from graph.databases import open_database, prepare
from graph.http.health import Ailments
from graph.live.sessions import Sessions
from graph.observability.gauges import Gauges
from graph.observability.measured import MeasuredLogWriter
from graph.observability.metrics import Metrics
from graph.operations.limits import QueryLimits
from graph.settings import Access, Settings
from persistence.channel.channel import BroadcastChannel
from persistence.database import Database
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

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceState:
    """What requests reach as `request.app.state`."""

    services: Services
    gate: Gate
    sessions: Sessions
    limits: QueryLimits
    downloads: Places
    ailments: Ailments
    database: Database
    database_url: str
    channel: BroadcastChannel
    hub: TailHub
    feed: JobFeed


class ServiceOpener:
    """Opens the parts of a service in the order of need; the stack closes them in the reverse."""

    def __init__(
        self, settings: Settings, stack: AsyncExitStack, metrics: Metrics, admission: Admission, tracing: Tracing | None
    ) -> None:
        self._settings = settings
        self._stack = stack
        self._metrics = metrics
        self._admission = admission
        self._tracing = tracing
        self._ailments = Ailments()

    async def open(self) -> ServiceState:
        web_tokens = _web_tokens(self._settings)
        url, database = await self._open_database()
        logs, jobs = PostgresLogStore(database), PostgresJobStore(database)
        hub, feed = TailHub(logs, jobs), JobFeed(jobs)
        channel = await self._open_channel(url, database)
        await self._stack.enter_async_context(ChannelListener(channel, jobs, hub, feed))
        storage = await self._open_upkeep(url, database)
        await self._open_gauges(database, channel, hub, feed)
        gate, sessions = await self._open_access(database, web_tokens)
        return ServiceState(
            services=self._services(database, logs, jobs, storage, channel, hub, feed),
            gate=gate,
            sessions=sessions,
            limits=QueryLimits.of(self._settings),
            downloads=downloads(),
            ailments=self._ailments,
            database=database,
            database_url=url,
            channel=channel,
            hub=hub,
            feed=feed,
        )

    async def _open_database(self) -> tuple[str, Database]:
        watch = None
        if self._tracing is not None:
            watch = (await self._stack.enter_async_context(self._tracing)).statement
        opening = open_database(self._settings, self._ailments, watch=watch)
        url, database = await self._stack.enter_async_context(opening)
        await prepare(database, is_embedded=self._settings.database_url is None)
        return url, database

    async def _open_channel(self, url: str, database: Database) -> BroadcastChannel:
        own = self._settings.channel_url
        return await self._stack.enter_async_context(BroadcastChannel(own or url, database=None if own else database))

    async def _open_upkeep(self, url: str, database: Database) -> PostgresStorage:
        await self._beside(keep_partitions(database))
        if self._settings.kept is not None:
            await self._beside(keep_retention(url, self._settings.kept))
        storage = PostgresStorage(database, warning_bytes=self._settings.storage_warning_bytes)
        await self._beside(watch_storage(storage))
        return storage

    async def _open_gauges(self, database: Database, channel: BroadcastChannel, hub: TailHub, feed: JobFeed) -> None:
        sizes, registry = TableSizes(database), self._metrics.registry
        await self._beside(sizes.keep())
        gauges = Gauges(hub=hub, feed=feed, channel=channel, pool=database, admission=self._admission, sizes=sizes)
        registry.register(gauges)
        self._stack.callback(registry.unregister, gauges)

    async def _open_access(self, database: Database, web_tokens: WebTokens | None) -> tuple[Gate, Sessions]:
        tokens = None if self._settings.access is Access.OFF else PostgresTokenStore(database)
        rate = Rate(self._settings.max_requests_per_second)
        gate = Gate(tokens, web_tokens, rate=rate, on_refusal=self._metrics.token_refused)
        sessions = Sessions(gate)
        await self._beside(sessions.watch())
        return gate, sessions

    def _services(
        self,
        database: Database,
        logs: PostgresLogStore,
        jobs: PostgresJobStore,
        storage: PostgresStorage,
        channel: BroadcastChannel,
        hub: TailHub,
        feed: JobFeed,
    ) -> Services:
        tracing, times = self._tracing, PostgresLogTimes(database)
        announcing = channel if tracing is None else tracing.channel(channel)
        recorder = Recorder(MeasuredLogWriter(logs, self._metrics), announcing, ring=hub.hear)
        return Services(
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

    async def _beside(self, work: Awaitable[None]) -> None:
        await self._stack.enter_async_context(beside(work, self._ailments))


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
async def beside(work: Awaitable[None], ailments: Ailments) -> AsyncIterator[None]:
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
