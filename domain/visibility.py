"""The stores and use cases as a caller sees them who may see some jobs only. Others are as if they were not there."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Container, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import datetime

from domain.access import NOWHERE, Grant, Scope
from domain.analysis.message_profiles import MessageProfile
from domain.errors import Forbidden
from domain.executions import Execution, ExecutionLine
from domain.filters import ExecutionFilter, JobFilter, LogFilter
from domain.histogram import LogBucket
from domain.jobs import Job, JobPosition
from domain.live.job_tail import JobTail
from domain.live.tail_hub import TailBatch
from domain.logs import TaskLog, storable_label
from domain.pages import Page, Window
from domain.ports import ExecutionStore, JobStore, LogReader, NewestLogStore, TaskStore
from domain.recorder import Recorded, SeqRange
from domain.requests import (
    ExecutionLogCount,
    ExecutionLogPageRequest,
    ExecutionPageRequest,
    JobPageRequest,
    LogCount,
    LogPageRequest,
    LogScope,
    NewestLogRequest,
    TaskPageRequest,
)
from domain.stages.job_stages import Hierarchy
from domain.stages.stage_status import StageRecord, TaskRecord
from domain.use_cases import EventRecorder, HistogramReader, JobWatcher, LogFollower, ProfileReader
from jobtail.events import Batch, Event, JobStarted, NumberedEvent


class VisibleJobs:
    def __init__(self, jobs: JobStore, grant: Grant) -> None:
        self._jobs = jobs
        self._grant = grant

    async def get(self, job_ids: Sequence[str]) -> Mapping[str, Job]:
        return await self._jobs.get([job_id for job_id in job_ids if self._grant.sees(job_id)])

    async def pages(self, requests: Sequence[JobPageRequest]) -> Sequence[Page[Job]]:
        return await self._jobs.pages([replace(each, filter=seen_jobs(each.filter, self._grant)) for each in requests])

    async def matching(self, job_ids: Sequence[str], job_filter: JobFilter) -> Sequence[Job]:
        return await self._jobs.matching(job_ids, seen_jobs(job_filter, self._grant))

    async def counts(self, job_filters: Sequence[JobFilter]) -> Sequence[int]:
        return await self._jobs.counts([seen_jobs(each, self._grant) for each in job_filters])

    async def positions(self, job_ids: Sequence[str], *, active_since: datetime | None) -> Mapping[str, JobPosition]:
        found = await self._jobs.positions(job_ids, active_since=active_since)
        return {job_id: position for job_id, position in found.items() if self._grant.sees(job_id)}


class CapturedJobs(VisibleJobs):
    """The jobs as a caller sees them who may capture and not read: by name, which is what an answer to capture needs."""

    async def pages(self, requests: Sequence[JobPageRequest]) -> Sequence[Page[Job]]:  # noqa: ARG002 - the port's
        raise Forbidden(Scope.READ)

    async def matching(self, job_ids: Sequence[str], job_filter: JobFilter) -> Sequence[Job]:  # noqa: ARG002 - the port's
        raise Forbidden(Scope.READ)

    async def counts(self, job_filters: Sequence[JobFilter]) -> Sequence[int]:  # noqa: ARG002 - the port's
        raise Forbidden(Scope.READ)


class VisibleTasks:
    def __init__(self, tasks: TaskStore, grant: Grant) -> None:
        self._tasks = tasks
        self._grant = grant

    async def hierarchies(self, job_ids: Sequence[str]) -> Mapping[str, Hierarchy]:
        return await self._tasks.hierarchies([job_id for job_id in job_ids if self._grant.sees(job_id)])

    async def stages(self, job_ids: Sequence[str]) -> Mapping[str, Sequence[StageRecord]]:
        return await self._tasks.stages([job_id for job_id in job_ids if self._grant.sees(job_id)])

    async def pages(self, requests: Sequence[TaskPageRequest]) -> Sequence[Page[TaskRecord]]:
        return await self._tasks.pages(
            [each if self._grant.sees(each.job_id) else replace(each, job_id=NOWHERE) for each in requests]
        )

    async def get(self, job_id: str, stage: str, task_id: str) -> TaskRecord | None:
        return await self._tasks.get(job_id, stage, task_id) if self._grant.sees(job_id) else None

    async def jobs_of(
        self, task_id: str, *, job_id: str | None = None, job_prefix: str | None = None, limit: int
    ) -> Sequence[str]:
        prefix = self._grant.narrowed(job_prefix)
        return await self._tasks.jobs_of(task_id, job_id=job_id, job_prefix=prefix, limit=limit)


class VisibleLogs:
    def __init__(self, logs: LogReader, grant: Grant) -> None:
        self._logs = logs
        self._grant = grant

    async def pages(self, requests: Sequence[LogPageRequest]) -> Sequence[Page[TaskLog]]:
        return await self._logs.pages([replace(each, scope=self._seen(each.scope)) for each in requests])

    async def counts(self, requests: Sequence[LogCount]) -> Sequence[int]:
        return await self._logs.counts([replace(each, scope=self._seen(each.scope)) for each in requests])

    def _seen(self, scope: LogScope) -> LogScope:
        return scope if self._grant.sees(scope.job_id) else replace(scope, job_id=NOWHERE)


class VisibleExecutions:
    """An execution is what the jobs that are seen make of it."""

    def __init__(self, executions: ExecutionStore, grant: Grant) -> None:
        self._executions = executions
        self._grant = grant

    async def get(self, execution_ids: Sequence[str], *, job_prefix: str | None = None) -> Mapping[str, Execution]:
        return await self._executions.get(execution_ids, job_prefix=self._grant.narrowed(job_prefix))

    async def pages(self, requests: Sequence[ExecutionPageRequest]) -> Sequence[Page[Execution]]:
        return await self._executions.pages([replace(each, filter=self._seen(each.filter)) for each in requests])

    async def count(self, execution_filter: ExecutionFilter) -> int:
        return await self._executions.count(self._seen(execution_filter))

    def _seen(self, execution_filter: ExecutionFilter) -> ExecutionFilter:
        return replace(execution_filter, job_prefix=self._grant.narrowed(execution_filter.job_prefix))

    async def log_pages(self, requests: Sequence[ExecutionLogPageRequest]) -> Sequence[Page[ExecutionLine]]:
        return await self._executions.log_pages(
            [replace(each, job_prefix=self._grant.narrowed(each.job_prefix)) for each in requests]
        )

    async def log_counts(self, requests: Sequence[ExecutionLogCount]) -> Sequence[int]:
        return await self._executions.log_counts(
            [replace(each, job_prefix=self._grant.narrowed(each.job_prefix)) for each in requests]
        )


class VisibleHistograms:
    def __init__(self, histograms: HistogramReader, grant: Grant) -> None:
        self._histograms = histograms
        self._grant = grant

    async def histogram(self, job_id: str, buckets: int, log_filter: LogFilter) -> Sequence[LogBucket]:
        return await self._histograms.histogram(job_id if self._grant.sees(job_id) else NOWHERE, buckets, log_filter)


class VisibleMessageProfiles:
    def __init__(self, profiles: ProfileReader, grant: Grant) -> None:
        self._profiles = profiles
        self._grant = grant

    async def profile(self, job_id: str) -> MessageProfile:
        return await self._profiles.profile(job_id if self._grant.sees(job_id) else NOWHERE)


class VisibleNewestLogs:
    def __init__(self, newest: NewestLogStore, grant: Grant) -> None:
        self._newest = newest
        self._grant = grant

    async def page(self, request: NewestLogRequest) -> Page[TaskLog]:
        return await self._newest.page(replace(request, job_filter=seen_jobs(request.job_filter, self._grant)))

    async def count(self, log_filter: LogFilter, job_filter: JobFilter) -> int:
        return await self._newest.count(log_filter, seen_jobs(job_filter, self._grant))


class VisibleHub:
    def __init__(self, hub: LogFollower, grant: Grant) -> None:
        self._hub = hub
        self._grant = grant

    def tail(self, job_id: str) -> AbstractAsyncContextManager[JobTail]:
        return self._hub.tail(self._seen(job_id))

    def follow(
        self, job_id: str, log_filter: LogFilter, *, after: int | None = None, last: int | None = None
    ) -> AsyncGenerator[TailBatch, None]:
        return self._hub.follow(self._seen(job_id), log_filter, after=after, last=last)

    def _seen(self, job_id: str) -> str:
        return job_id if self._grant.sees(job_id) else NOWHERE


class VisibleFeed:
    def __init__(self, feed: JobWatcher, grant: Grant) -> None:
        self._feed = feed
        self._grant = grant

    def watch(self, job_filter: JobFilter) -> AsyncGenerator[Job, None]:
        return self._feed.watch(seen_jobs(job_filter, self._grant))


class VisibleRecorder:
    """Stores what is said of jobs that are seen.

    Such a job joins no execution that a job began which is not seen, and has no such parent: else it would say how these
    stand. With others of its prefix it makes up an execution of their own.
    """

    def __init__(self, recorder: EventRecorder, jobs: JobStore, grant: Grant) -> None:
        self._recorder = recorder
        self._jobs = jobs
        self._grant = grant

    async def record(self, batch: Batch, *, is_large: bool = False) -> Recorded:
        for job_id in {numbered.event.job_id for numbered in batch.events}:
            require_job(storable_label(job_id), self._grant)
        events = await self._joining([numbered.event for numbered in batch.events])
        numbered = tuple(NumberedEvent(known.n, event) for known, event in zip(batch.events, events, strict=True))
        return await self._recorder.record(Batch(batch.writer_id, numbered), is_large=is_large)

    async def record_job(
        self, job_id: str, events: Sequence[Event], *, execution_id: str | None = None, handler_name: str | None = None
    ) -> SeqRange:
        require_job(storable_label(job_id), self._grant)
        if execution_id is not None:
            execution_id = self._joined(execution_id, await self._foreign([execution_id]))
        events = await self._joining(events)
        return await self._recorder.record_job(job_id, events, execution_id=execution_id, handler_name=handler_name)

    async def _joining(self, events: Sequence[Event]) -> Sequence[Event]:
        """Take jobs out of the executions and from the parents that are not theirs to join."""
        starts = [event for event in events if isinstance(event, JobStarted)]
        foreign = await self._foreign({start.execution_id for start in starts if start.execution_id is not None})
        return [self._own(event, foreign) if isinstance(event, JobStarted) else event for event in events]

    def _own(self, start: JobStarted, foreign: Container[str]) -> JobStarted:
        parent, execution_id = start.parent_job_id, start.execution_id
        return replace(
            start,
            parent_job_id=parent if parent is not None and self._grant.sees(storable_label(parent)) else None,
            execution_id=None if execution_id is None else self._joined(execution_id, foreign),
        )

    def _joined(self, execution_id: str, foreign: Container[str]) -> str:
        return f"{execution_id}@{self._grant.job_prefix}" if execution_id in foreign else execution_id

    async def _foreign(self, execution_ids: Collection[str]) -> Container[str]:
        """Choose the executions whose first job is not seen."""
        if self._grant.job_prefix is None or not execution_ids:
            return ()
        first: Window[tuple[datetime, str]] = Window(limit=1, backward=True)
        asked = [JobFilter(execution_id=storable_label(execution_id)) for execution_id in execution_ids]
        pages = await self._jobs.pages([JobPageRequest(window=first, filter=each) for each in asked])
        begun = zip(execution_ids, pages, strict=True)
        return {each for each, page in begun if any(not self._grant.sees(job.job_id) for job in page.items)}


def require_job(job_id: str, grant: Grant) -> None:
    """Go on only with a job that the caller may say something of.

    Raises:
        Forbidden: with another.
    """
    if not grant.sees(job_id):
        needed = f"jobs like {job_id[:80]!r}; this one is for those that begin with {grant.job_prefix!r}"
        raise Forbidden(needed, job_id=job_id)


def seen_jobs(job_filter: JobFilter, grant: Grant) -> JobFilter:
    return replace(job_filter, job_prefix=grant.narrowed(job_filter.job_prefix))
