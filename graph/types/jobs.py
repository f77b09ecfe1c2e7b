"""Jobs, and the executions that they make up: thin views of the domain's values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, ClassVar, Self, cast

import strawberry
from strawberry import UNSET
from strawberry.scalars import JSON

from domain import cursors, executions, filters, jobs
from domain.access import Scope
from domain.logs import storable_label
from domain.pages import Window, window
from domain.requests import ExecutionLogCount, ExecutionLogPageRequest, ExecutionPageRequest, JobPageRequest, LogScope
from domain.retention import pruned_before
from domain.stages import stage_status as hierarchy
from domain.stages.job_stages import JobStages
from graph.context import Info
from graph.formats.scalars import BigInt
from graph.plans.field_reader import selected_below
from graph.relay.connections import Connection, Node
from graph.relay.list_cursors import creation_key, job_key, line_cursor, line_key
from graph.types.comparison import JobComparison, resolve_compare
from graph.types.failure import JobFailure, load_failure
from graph.types.histogram import LogBucket, resolve_log_histogram
from graph.types.inputs import After, Before, First, Last, LogFilterArgument, given, log_filter
from graph.types.lines import LineRows, ScopeReference, TaskLog, resolve_logs
from graph.types.log_counts import LogCounts, duration
from graph.types.stage_rows import StageRows
from graph.types.stages import Stage
from jobtail.events import JobStatus


@strawberry.type(description="How much of a job's work is done.")
class Progress:
    current: BigInt = strawberry.field(description="Units of work done.")
    total: BigInt | None = strawberry.field(description="Units of work in all, where the job knows.")
    percentage: float | None = strawberry.field(description="0 to 100, null where the total is unknown.")

    @classmethod
    def from_domain(cls, progress: jobs.Progress) -> Self:
        return cls(
            current=BigInt(progress.current),
            total=None if progress.total is None else BigInt(progress.total),
            percentage=progress.percentage,
        )


def _job_id(self: Job) -> strawberry.ID:
    """Make a job's id only when it is asked for, as a line's."""
    return strawberry.ID(cursors.encode("Job", self.job_id))


@strawberry.type(description="One run of a handler, and everything that it said.")
class Job(Node):
    id: strawberry.ID = strawberry.field(resolver=_job_id, description="Unique over all types; opaque.")
    job_id: str = strawberry.field(description="The id that the emitter gave it, such as JB_MANUAL_E2E_LOG_TEST_123.")
    handler_name: str = strawberry.field(description="What runs it; `unknown` until somebody says.")
    source: str | None = strawberry.field(description="Where it came from, such as a queue or a URL.")
    schedule_id: str | None = strawberry.field(description="The schedule that started it, null if none did.")
    status: JobStatus = strawberry.field(description="How it stands.")
    progress: Progress | None = strawberry.field(description="How much is done, where the job says so.")
    error: str | None = strawberry.field(description="Why it failed.")
    result: str | None = strawberry.field(description="What came of it, in brief, as its worker said it.")
    metadata: JSON | None = strawberry.field(description="Whatever else is known of it.")
    created_at: datetime = strawberry.field(description="When it was first heard of, by the database's clock.")
    started_at: datetime | None = strawberry.field(description="When it started, by the worker's clock.")
    finished_at: datetime | None = strawberry.field(description="When it ended, by the worker's clock.")
    duration_ms: BigInt | None = strawberry.field(description="From start to end, in milliseconds.")
    log_counts: LogCounts = strawberry.field(description="Its lines by level.")
    last_seq: BigInt = strawberry.field(description="The seq of the newest line, 0 before the first.")
    last_line_at: datetime | None = strawberry.field(
        description="When its newest line was captured, by the database's clock."
    )
    job: strawberry.Private[jobs.Job]
    scope: strawberry.Private[LogScope]
    known_stages: strawberry.Private[JobStages | None] = None
    """Its stages, where they were loaded with it."""

    stand_ins: ClassVar = (ScopeReference,)

    @classmethod
    def from_domain(cls, job: jobs.Job, stages: JobStages | None = None) -> Self:
        return cls(
            job_id=job.job_id,
            handler_name=job.handler_name,
            source=job.source,
            schedule_id=job.schedule_id,
            status=job.status,
            progress=Progress.from_domain(job.progress) if job.progress else None,
            error=job.error,
            result=job.result,
            metadata=cast("JSON | None", job.metadata),
            created_at=job.created_at,
            started_at=job.started_at,
            finished_at=job.finished_at,
            duration_ms=duration(job.started_at, job.finished_at),
            log_counts=LogCounts.from_domain(job.log_counts),
            last_seq=BigInt(job.last_seq),
            last_line_at=job.last_recorded_at,
            job=job,
            scope=LogScope(job_id=job.job_id),
            known_stages=stages,
        )

    @strawberry.field(description="The job that started it.")
    async def parent(self, info: Info) -> Job | None:
        if self.job.parent_job_id is None:
            return None
        info.context.grant.require(Scope.READ)
        parent = await info.context.loaders.jobs.load(self.job.parent_job_id)
        return Job.from_domain(parent) if parent else None

    @strawberry.field(description="The jobs that it started, the newest first.")
    def children(self, info: Info, first: First = 50, after: After = UNSET) -> Connection[Job]:
        asked = window(first=given(first), after=job_key(given(after)))
        return job_connection(info, asked, filters.JobFilter(parent_job_id=self.job_id))

    @strawberry.field(description="The execution that it is part of.")
    async def execution(self, info: Info) -> Execution | None:
        if self.job.execution_id is None:
            return None
        execution = await info.context.loaders.executions.load(self.job.execution_id)
        return Execution.from_domain(execution) if execution else None

    @strawberry.field(description="In order of first occurrence.")
    async def stages(self, info: Info) -> list[Stage]:
        return cast("list[Stage]", await self._stages(info))

    @strawberry.field(description="One of its stages.")
    async def stage(
        self,
        info: Info,
        name: Annotated[str, strawberry.argument(description="The stage's name.")],
    ) -> Stage | None:
        return await self.stage_named(info, storable_label(name))

    async def stage_named(self, info: Info, name: str) -> Stage | None:
        return next((stage for stage in await self._stages(info) if stage.name == name), None)

    async def _stages(self, info: Info) -> Iterable[Stage]:
        if self.known_stages is not None:
            return StageRows(self.known_stages)
        records = await info.context.loaders.stages.load(self.job_id)
        return [Stage.from_domain(stage) for stage in hierarchy.stages_of(self.job, records)]

    @strawberry.field(
        description="Lines that were stored before this time may have been deleted, of some levels or of all: their numbers "
        "are missing then, counts of lines and `totalCount` go on counting them, and what is searched for is looked for in the "
        "others. Null while every line is there."
    )
    async def logs_pruned_before(self, info: Info) -> datetime | None:
        return pruned_before(self.job, await info.context.loaders.pruned_levels.load(None))

    log_histogram: list[LogBucket] = strawberry.field(
        resolver=resolve_log_histogram,
        description="Its lines by time and level, for a timeline: at most `buckets` parts of equal width, from the first line "
        "to the last one, without gaps, ascending. Together they count every line that matches and was not pruned. Where workers' clocks are far "
        "apart, since and until of the filter choose a part.",
    )
    logs: Connection[TaskLog] = strawberry.field(resolver=resolve_logs, description="Its lines, in order.")
    compare: JobComparison | None = strawberry.field(
        resolver=resolve_compare,
        description="The job beside another run: what it says anew, no more or more often, and how long the stages took.",
    )

    @strawberry.field(
        description="Null unless something went wrong, that is while no line at ERROR or above was captured, or where all such lines "
        "were pruned. A job may fail without such a line: `error` tells why."
    )
    async def failure(self, info: Info) -> JobFailure | None:
        return await load_failure(info.context, self.job, Job.from_domain)


_LARGE = {"error": "error", "failure": "error", "result": "result", "metadata": "metadata"}
_LARGE_OF_ROOTS = {"errorMessage": "error", "resultSummary": "result"}
"""Fields, and which large part of a job each is made of."""


def _large(info: Info, parts: Mapping[str, str]) -> frozenset[str]:
    """Tell which large parts of a list's jobs are asked for: all, where the selection is not known beforehand."""
    selected = selected_below(info)
    if not selected:
        return jobs.LARGE_PARTS
    nodes = [below for name, below in selected if name == "nodes"]
    nodes += [node for name, below in selected if name == "edges" for edge, node in below if edge == "node"]
    return frozenset(parts[field] for node in nodes for field, _ in node if field in parts)


def job_connection(
    info: Info,
    asked: Window[tuple[datetime, str]],
    chosen: filters.JobFilter,
) -> Connection[Job]:
    context, request = info.context, JobPageRequest(window=asked, filter=chosen, large=_large(info, _LARGE))
    return Connection(
        load=lambda: context.loaders.job_pages.load(request),
        count=lambda: context.loaders.job_counts.load(chosen),
        to_nodes=lambda found: list(map(Job.from_domain, found)),
        to_cursor=lambda job: cursors.encode("job", job.created_at.isoformat(), job.job_id),
    )


@strawberry.type(
    description="A run of a schedule, or whatever else jobs name as what they are part of: what these jobs make of it. "
    "Its root is the first of them, one that a schedule started before all others.",
)
class Execution(Node):
    execution_id: str = strawberry.field(description="The id that its jobs give it.")
    schedule_id: str = strawberry.field(description="What started it; `unknown` where no job says.")
    status: executions.ExecutionStatus = strawberry.field(
        description="As its root where that failed, goes on, or ended last and so saw how the others did. Otherwise FAILED "
        "if one of its jobs failed or was cancelled, RUNNING while one goes on, else COMPLETED."
    )
    started_at: datetime = strawberry.field(
        description="When its root started or, where that is unknown, was heard of."
    )
    finished_at: datetime | None = strawberry.field(
        description="When the last of its jobs ended, null while it is RUNNING."
    )
    duration_ms: BigInt | None = strawberry.field(description="From start to end, in milliseconds.")
    result_summary: str | None = strawberry.field(description="What came of it, as its root said.")
    error_message: str | None = strawberry.field(
        description="Why its root failed, `cancelled` if it only was that, or how many of its jobs failed."
    )
    failed_job_count: BigInt = strawberry.field(description="How many of its jobs failed or were cancelled.")
    running_job_count: BigInt = strawberry.field(description="How many of its jobs have not ended.")

    @classmethod
    def from_domain(cls, execution: executions.Execution) -> Self:
        return cls(
            id=strawberry.ID(cursors.encode("Execution", execution.execution_id)),
            execution_id=execution.execution_id,
            schedule_id=execution.schedule_id,
            status=execution.status,
            started_at=execution.started_at,
            finished_at=execution.finished_at,
            duration_ms=duration(execution.started_at, execution.finished_at),
            result_summary=execution.result_summary,
            error_message=execution.error_message,
            failed_job_count=BigInt(execution.failed_jobs),
            running_job_count=BigInt(execution.running_jobs),
        )

    @strawberry.field(description="All jobs that are part of it, the newest first.")
    def jobs(self, info: Info, first: First = 50, after: After = UNSET) -> Connection[Job]:
        asked = window(first=given(first), after=job_key(given(after)))
        return job_connection(info, asked, filters.JobFilter(execution_id=self.execution_id))

    @strawberry.field(
        description="The lines of all its jobs: job by job in the order in which they were heard of, each by seq."
    )
    async def logs(
        self,
        info: Info,
        first: First = UNSET,
        after: After = UNSET,
        last: Last = UNSET,
        before: Before = UNSET,
        filter: LogFilterArgument = UNSET,  # noqa: A002 - the contract's name
    ) -> Connection[TaskLog]:
        asked = window(
            first=given(first),
            after=line_key(given(after), self.execution_id),
            last=given(last),
            before=line_key(given(before), self.execution_id),
        )
        loaders, chosen = info.context.loaders, log_filter(filter)
        page = ExecutionLogPageRequest(execution_id=self.execution_id, window=asked, filter=chosen)
        count = ExecutionLogCount(execution_id=self.execution_id, filter=chosen)
        return Connection(
            load=lambda: loaders.execution_log_pages.load(page),
            count=lambda: loaders.execution_log_counts.load(count),
            to_nodes=lambda lines: LineRows([line.log for line in lines]),
            to_cursor=lambda line: line_cursor(line, self.execution_id),
        )


def execution_connection(
    info: Info,
    first: int | None,
    after: str | None,
    chosen: filters.ExecutionFilter,
) -> Connection[Execution]:
    asked = window(first=given(first), after=creation_key(given(after), "execution", "executions"))
    context, large = info.context, _large(info, _LARGE_OF_ROOTS)
    request = ExecutionPageRequest(window=asked, filter=chosen, large=large)
    return Connection(
        load=lambda: context.loaders.execution_pages.load(request),
        count=lambda: context.services.executions.count(chosen),
        to_nodes=lambda found: list(map(Execution.from_domain, found)),
        to_cursor=lambda each: cursors.encode("execution", each.root.created_at.isoformat(), each.root.job_id),
    )
