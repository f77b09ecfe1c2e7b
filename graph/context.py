"""What a resolver reaches: the use cases of the service, and loaders that fetch children in bulk."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

import strawberry
from strawberry.dataloader import DataLoader

from domain.feed import JobFeed
from domain.hierarchy import StageRecord, TaskRecord
from domain.jobs import Job
from domain.logs import TaskLog
from domain.pages import Page
from domain.ports import JobPageRequest, JobStore, LogPageRequest, LogStore, TaskPageRequest, TaskStore
from domain.recorder import Recorder
from domain.tail import TailHub


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The use cases and stores that one process shares."""

    jobs: JobStore
    tasks: TaskStore
    logs: LogStore
    recorder: Recorder
    hub: TailHub
    feed: JobFeed


class Loaders:
    """One of each for every operation, gathering what is asked for in one tick.

    They keep nothing: a subscription lives long, and what it loads must be fresh.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self.jobs = DataLoader[str, Job | None](self._jobs, cache=False)
        self.stages = DataLoader[str, list[StageRecord]](self._stages, cache=False)
        self.job_pages = DataLoader[JobPageRequest, Page[Job]](self._job_pages, cache=False)
        self.task_pages = DataLoader[TaskPageRequest, Page[TaskRecord]](self._task_pages, cache=False)
        self.log_pages = DataLoader[LogPageRequest, Page[TaskLog]](self._log_pages, cache=False)

    async def _jobs(self, job_ids: list[str]) -> list[Job | None]:
        found = await self._services.jobs.get(job_ids)
        return [found.get(job_id) for job_id in job_ids]

    async def _stages(self, job_ids: list[str]) -> list[list[StageRecord]]:
        found = await self._services.tasks.stages(job_ids)
        return [list(found.get(job_id, ())) for job_id in job_ids]

    async def _job_pages(self, requests: list[JobPageRequest]) -> list[Page[Job]]:
        return list(await self._services.jobs.pages(requests))

    async def _task_pages(self, requests: list[TaskPageRequest]) -> list[Page[TaskRecord]]:
        return list(await self._services.tasks.pages(requests))

    async def _log_pages(self, requests: list[LogPageRequest]) -> list[Page[TaskLog]]:
        return list(await self._services.logs.pages(requests))


@dataclass(frozen=True, slots=True)
class Context:
    services: Services
    loaders: Loaders = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "loaders", Loaders(self.services))


Info: TypeAlias = strawberry.Info[Context, None]
