"""The context of a resolver: the use cases of the service, and loaders that fetch children in bulk."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, Never, TypeAlias, cast

import strawberry
from starlette.requests import HTTPConnection

from domain.access import EVERYTHING, Grant, Scope
from domain.bulk_loader import BulkLoader, bulk
from domain.errors import Forbidden
from domain.executions import Execution, ExecutionLine
from domain.filters import JobFilter
from domain.jobs import Job
from domain.logs import TaskLog
from domain.pages import Page
from domain.ports import ExecutionStore, JobStore, LogReader, NewestLogStore, TaskStore
from domain.requests import (
    ExecutionLogCount,
    ExecutionLogPageRequest,
    ExecutionPageRequest,
    JobPageRequest,
    LogCount,
    LogPageRequest,
    NewestLogRequest,
    TaskPageRequest,
)
from domain.retention import LogPruner, PrunedLevels
from domain.stages.stage_status import StageRecord, TaskRecord
from domain.storage import Storage
from domain.use_cases import EventRecorder, HistogramReader, JobWatcher, LogFollower, ProfileReader
from domain.visibility import (
    CapturedJobs,
    VisibleExecutions,
    VisibleFeed,
    VisibleHistograms,
    VisibleHub,
    VisibleJobs,
    VisibleLogs,
    VisibleMessageProfiles,
    VisibleNewestLogs,
    VisibleRecorder,
    VisibleTasks,
)
from graph.operations.limits import USUAL_LIMITS, QueryLimits
from graph.operations.page_budget import current_room
from graph.operations.watch import UNWATCHED, OperationObserver


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The use cases and stores that one process shares."""

    jobs: JobStore
    tasks: TaskStore
    logs: LogReader
    executions: ExecutionStore
    timelines: HistogramReader
    profiles: ProfileReader
    newest: NewestLogStore
    pruner: LogPruner
    storage: Storage
    recorder: EventRecorder
    hub: LogFollower
    feed: JobWatcher


def seen(services: Services, grant: Grant) -> Services:
    """Show what a caller may see. Whoever may see everything gets the services themselves."""
    if not grant.allows(Scope.READ):
        jobs, recorder = CapturedJobs(services.jobs, grant), VisibleRecorder(services.recorder, services.jobs, grant)
        return Services(jobs=jobs, recorder=recorder, pruner=services.pruner, **dict.fromkeys(_READ, RefusedReader()))
    if grant.job_prefix is None:
        return services
    return Services(
        jobs=VisibleJobs(services.jobs, grant),
        tasks=VisibleTasks(services.tasks, grant),
        logs=VisibleLogs(services.logs, grant),
        executions=VisibleExecutions(services.executions, grant),
        timelines=VisibleHistograms(services.timelines, grant),
        profiles=VisibleMessageProfiles(services.profiles, grant),
        newest=VisibleNewestLogs(services.newest, grant),
        pruner=services.pruner,
        storage=cast("Storage", RefusedReader("reading what is of all jobs")),
        recorder=VisibleRecorder(services.recorder, services.jobs, grant),
        hub=VisibleHub(services.hub, grant),
        feed=VisibleFeed(services.feed, grant),
    )


_READ = ("tasks", "logs", "executions", "timelines", "profiles", "newest", "storage", "hub", "feed")


class RefusedReader:
    """Stands where a caller may not read: whatever is asked of it is refused."""

    def __init__(self, needed: str = Scope.READ) -> None:
        self._needed = needed

    def __getattr__(self, name: str) -> Never:
        raise Forbidden(self._needed)


class Loaders:
    """One of each for all that a request or a websocket asks for."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def cancel_unwanted(self) -> None:
        """End what is loaded for nobody any more, its statements included."""
        for each in vars(self).values():
            if isinstance(each, BulkLoader):
                each.cancel_unwanted()

    @bulk
    async def jobs(self, job_ids: list[str]) -> list[Job | None]:
        found = await self._services.jobs.get(job_ids)
        return [found.get(job_id) for job_id in job_ids]

    @bulk
    async def stages(self, job_ids: list[str]) -> list[list[StageRecord]]:
        found = await self._services.tasks.stages(job_ids)
        return [list(found.get(job_id, ())) for job_id in job_ids]

    @bulk
    async def job_pages(self, requests: list[JobPageRequest]) -> list[Page[Job]]:
        return list(await self._services.jobs.pages(requests))

    @bulk
    async def job_counts(self, job_filters: list[JobFilter]) -> list[int]:
        return list(await self._services.jobs.counts(job_filters))

    @bulk
    async def task_pages(self, requests: list[TaskPageRequest]) -> list[Page[TaskRecord]]:
        return list(await self._services.tasks.pages(requests))

    @bulk
    async def log_counts(self, requests: list[LogCount]) -> list[int]:
        return list(await self._services.logs.counts(requests))

    @bulk
    async def log_pages(self, requests: list[LogPageRequest]) -> list[Page[TaskLog]]:
        return await current_room().pages(requests, self._services.logs.pages)

    @bulk
    async def pruned_levels(self, asked: list[None]) -> list[PrunedLevels]:
        return [await self._services.pruner.pruned_levels()] * len(asked)

    @bulk
    async def executions(self, execution_ids: list[str]) -> list[Execution | None]:
        found = await self._services.executions.get(list(set(execution_ids)))
        return [found.get(execution_id) for execution_id in execution_ids]

    @bulk
    async def execution_pages(self, requests: list[ExecutionPageRequest]) -> list[Page[Execution]]:
        return list(await self._services.executions.pages(requests))

    @bulk
    async def execution_log_pages(self, requests: list[ExecutionLogPageRequest]) -> list[Page[ExecutionLine]]:
        return await current_room().pages(requests, self._services.executions.log_pages)

    @bulk
    async def newest_pages(self, requests: list[NewestLogRequest]) -> list[Page[TaskLog]]:
        async def load(requests: list[NewestLogRequest]) -> list[Page[TaskLog]]:
            return await asyncio.gather(*map(self._services.newest.page, requests))

        return await current_room().pages(requests, load)

    @bulk
    async def execution_log_counts(self, requests: list[ExecutionLogCount]) -> list[int]:
        return list(await self._services.executions.log_counts(requests))


@dataclass(slots=True, eq=False)
class Context:
    """What one HTTP request reaches, or all operations of one websocket."""

    all_services: Services
    grant: Grant = EVERYTHING
    connection: HTTPConnection | None = None
    limits: QueryLimits = USUAL_LIMITS
    connection_params: dict[str, Any] = field(default_factory=dict)
    """What a websocket's client sent with connection_init."""
    watch: OperationObserver = UNWATCHED
    services: Services = field(init=False)
    may_read: bool = field(init=False)
    loaders: Loaders = field(init=False)

    def __post_init__(self) -> None:
        self.admit(self.grant)

    def admit(self, grant: Grant) -> None:
        """Open what the caller may see."""
        self.grant, self.may_read = grant, grant.allows(Scope.READ)
        self.services = seen(self.all_services, grant)
        self.loaders = Loaders(self.services)


Info: TypeAlias = strawberry.Info[Context, None]
