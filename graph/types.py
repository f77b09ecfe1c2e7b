"""Jobs, their stages and their tasks: thin views of the domain's values."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Self, cast

import strawberry
from strawberry import UNSET
from strawberry.scalars import JSON

from domain import cursors, filters, hierarchy, jobs
from domain.errors import InvalidInput
from domain.logs import storable_label
from domain.pages import Window, window
from domain.ports import JobPageRequest, LogScope, TaskPageRequest
from graph.connections import Connection, Node
from graph.context import Context, Info
from graph.inputs import After, First, given
from graph.lines import TaskLog, resolve_logs
from graph.scalars import BigInt
from jobtail.events import JobStatus, TaskStatus

if TYPE_CHECKING:
    from graph.executions import Execution

strawberry.enum(TaskStatus, description="How a task stands.")


@strawberry.enum(description="How a stage stands.")
class StageStatus(Enum):
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


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


@strawberry.type(description="Lines by level. Kept incrementally with every write: reading them never counts rows.")
class LogCounts:
    total: BigInt = strawberry.field(description="Lines of all levels.")
    trace: BigInt = strawberry.field(description="Lines at TRACE.")
    debug: BigInt = strawberry.field(description="Lines at DEBUG.")
    info: BigInt = strawberry.field(description="Lines at INFO.")
    warning: BigInt = strawberry.field(description="Lines at WARNING.")
    error: BigInt = strawberry.field(description="Lines at ERROR.")
    critical: BigInt = strawberry.field(description="Lines at CRITICAL.")


@strawberry.type(description="A unit of work within a stage, or the stage's own lines.")
class Task(Node):
    task_id: str = strawberry.field(description="The work unit's id; the stage's own name for lines that have none.")
    name: str | None = strawberry.field(description="What the job calls it.")
    status: TaskStatus = strawberry.field(description="What the job stated, or what follows from its lines and stage.")
    result: str | None = strawberry.field(description="What came of it, as the job stated it.")
    started_at: datetime = strawberry.field(description="When it was first heard of.")
    finished_at: datetime | None = strawberry.field(description="When it ended.")
    duration_ms: BigInt | None = strawberry.field(description="From start to end, in milliseconds.")
    log_counts: LogCounts = strawberry.field(description="Its lines by level.")
    scope: strawberry.Private[LogScope]

    @classmethod
    def from_domain(cls, task: hierarchy.Task) -> Self:
        record = task.record
        return cls(
            id=strawberry.ID(cursors.encode("Task", record.job_id, record.stage, record.task_id)),
            task_id=record.task_id,
            name=record.name,
            status=task.status,
            result=record.result,
            started_at=record.started_at,
            finished_at=task.finished_at,
            duration_ms=duration(record.started_at, task.finished_at),
            log_counts=_counts(record.log_counts),
            scope=LogScope(job_id=record.job_id, stage=record.stage, task_id=record.task_id),
        )

    logs: Connection[TaskLog] = strawberry.field(resolver=resolve_logs, description="Its lines, in order.")


@strawberry.type(description="A phase of a job.")
class Stage(Node):
    name: str = strawberry.field(description="As the job calls it.")
    status: StageStatus = strawberry.field(
        description="RUNNING from its first line, COMPLETED when a later stage starts or the job ends well, FAILED when "
        "an error names it or the job fails in it.",
    )
    started_at: datetime = strawberry.field(description="When it was first heard of.")
    finished_at: datetime | None = strawberry.field(description="When it ended.")
    duration_ms: BigInt | None = strawberry.field(description="From start to end, in milliseconds.")
    log_counts: LogCounts = strawberry.field(description="Its lines by level, those of its tasks included.")
    task_count: BigInt = strawberry.field(description="How many tasks it has, its own lines as one of them.")
    stage: strawberry.Private[hierarchy.Stage]
    scope: strawberry.Private[LogScope]

    @classmethod
    def from_domain(cls, stage: hierarchy.Stage) -> Self:
        record = stage.record
        return cls(
            id=strawberry.ID(cursors.encode("Stage", record.job_id, record.name)),
            name=record.name,
            status=StageStatus(stage.status.value),
            started_at=record.started_at,
            finished_at=stage.finished_at,
            duration_ms=duration(record.started_at, stage.finished_at),
            log_counts=_counts(record.log_counts),
            task_count=BigInt(record.task_count),
            stage=stage,
            scope=LogScope(job_id=record.job_id, stage=record.name),
        )

    @strawberry.field(description="Its tasks, in order of first occurrence.")
    def tasks(self, info: Info, first: First = 100, after: After = UNSET) -> Connection[Task]:
        context, record = info.context, self.stage.record
        request = TaskPageRequest(
            job_id=record.job_id,
            stage=record.name,
            window=window(first=given(first), after=_task_key(given(after))),
        )

        async def count() -> int:
            return record.task_count

        return Connection(
            load=lambda: context.loaders.task_pages.load(request),
            count=count,
            to_node=lambda task: Task.from_domain(hierarchy.task_of(self.stage, task)),
            to_cursor=lambda task: cursors.encode("task", task.first_seq, task.started_at.isoformat(), task.task_id),
        )

    logs: Connection[TaskLog] = strawberry.field(
        resolver=resolve_logs, description="Its lines, those of its tasks included, in order."
    )


@strawberry.type(description="One run of a handler, and everything that it said.")
class Job(Node):
    job_id: str = strawberry.field(description="The id that the emitter gave it, such as JB_MANUAL_E2E_LOG_TEST_123.")
    handler_name: str = strawberry.field(description="What runs it; `unknown` until somebody says.")
    source: str | None = strawberry.field(description="Where it came from, such as a queue or a URL.")
    schedule_id: str | None = strawberry.field(description="The schedule that started it, null if none did.")
    status: JobStatus = strawberry.field(description="How it stands.")
    progress: Progress | None = strawberry.field(description="How much is done, where the job says so.")
    error: str | None = strawberry.field(description="Why it failed.")
    metadata: JSON | None = strawberry.field(description="Whatever else is known of it.")
    created_at: datetime = strawberry.field(description="When it was first heard of, by the database's clock.")
    started_at: datetime | None = strawberry.field(description="When it started, by the worker's clock.")
    finished_at: datetime | None = strawberry.field(description="When it ended, by the worker's clock.")
    duration_ms: BigInt | None = strawberry.field(description="From start to end, in milliseconds.")
    log_counts: LogCounts = strawberry.field(description="Its lines by level.")
    last_seq: BigInt = strawberry.field(description="The seq of the newest line, 0 before the first.")
    job: strawberry.Private[jobs.Job]
    scope: strawberry.Private[LogScope]

    @classmethod
    def from_domain(cls, job: jobs.Job) -> Self:
        return cls(
            id=strawberry.ID(cursors.encode("Job", job.job_id)),
            job_id=job.job_id,
            handler_name=job.handler_name,
            source=job.source,
            schedule_id=job.schedule_id,
            status=job.status,
            progress=Progress.from_domain(job.progress) if job.progress else None,
            error=job.error,
            metadata=cast("JSON | None", job.metadata),
            created_at=job.created_at,
            started_at=job.started_at,
            finished_at=job.finished_at,
            duration_ms=duration(job.started_at, job.finished_at),
            log_counts=_counts(job.log_counts),
            last_seq=BigInt(job.last_seq),
            job=job,
            scope=LogScope(job_id=job.job_id),
        )

    @strawberry.field(description="The job that started it.")
    async def parent(self, info: Info) -> Job | None:
        if self.job.parent_job_id is None:
            return None
        parent = await info.context.loaders.jobs.load(self.job.parent_job_id)
        return Job.from_domain(parent) if parent else None

    @strawberry.field(description="The jobs that it started, the newest first.")
    def children(self, info: Info, first: First = 50, after: After = UNSET) -> Connection[Job]:
        asked = window(first=given(first), after=job_key(given(after)))
        return job_connection(info.context, asked, filters.JobFilter(parent_job_id=self.job_id))

    @strawberry.field(description="The execution that it is part of.")
    async def execution(self, info: Info) -> Annotated[Execution, strawberry.lazy("graph.executions")] | None:
        from graph.executions import Execution  # noqa: PLC0415 - it is made of jobs

        if self.job.execution_id is None:
            return None
        execution = await info.context.loaders.executions.load(self.job.execution_id)
        return Execution.from_domain(execution) if execution else None

    @strawberry.field(description="In order of first occurrence.")
    async def stages(self, info: Info) -> list[Stage]:
        records = await info.context.loaders.stages.load(self.job_id)
        return [Stage.from_domain(stage) for stage in hierarchy.stages_of(self.job, records)]

    @strawberry.field(description="One of its stages.")
    async def stage(
        self,
        info: Info,
        name: Annotated[str, strawberry.argument(description="The stage's name.")],
    ) -> Stage | None:
        records, name = await info.context.loaders.stages.load(self.job_id), storable_label(name)
        found = (stage for stage in hierarchy.stages_of(self.job, records) if stage.record.name == name)
        return next(map(Stage.from_domain, found), None)

    logs: Connection[TaskLog] = strawberry.field(resolver=resolve_logs, description="Its lines, in order.")


def job_connection(
    context: Context,
    asked: Window[tuple[datetime, str]],
    chosen: filters.JobFilter,
) -> Connection[Job]:
    request = JobPageRequest(window=asked, filter=chosen)
    return Connection(
        load=lambda: context.loaders.job_pages.load(request),
        count=lambda: context.loaders.job_counts.load(chosen),
        to_node=Job.from_domain,
        to_cursor=lambda job: cursors.encode("job", job.created_at.isoformat(), job.job_id),
    )


def job_key(cursor: str | None) -> tuple[datetime, str] | None:
    return creation_key(cursor, "job", "jobs")


def creation_key(cursor: str | None, kind: str, things: str) -> tuple[datetime, str] | None:
    """Read a cursor of jobs, or of what a job stands for, by creation.

    Raises:
        InvalidInput: if it is of another kind.
    """
    if cursor is None:
        return None
    match cursors.decode(cursor):
        case (found, [str() as created_at, str() as job_id]) if found == kind:
            return moment(created_at, cursor), job_id
        case _:
            raise InvalidInput(f"{cursor[:80]!r} is not a cursor of a list of {things}")


def _task_key(cursor: str | None) -> tuple[int, datetime, str] | None:
    if cursor is None:
        return None
    match cursors.decode(cursor):
        case ("task", [int() as first_seq, str() as started_at, str() as task_id]):
            return first_seq, moment(started_at, cursor), task_id
        case _:
            raise InvalidInput(f"{cursor[:80]!r} is not a cursor of a list of tasks")


def job_window(
    first: int | None,
    after: str | None,
    last: int | None,
    before: str | None,
) -> Window[tuple[datetime, str]]:
    return window(
        first=given(first),
        after=job_key(given(after)),
        last=given(last),
        before=job_key(given(before)),
    )


def moment(text: str, cursor: str) -> datetime:
    """Read a time that is part of a cursor.

    Raises:
        InvalidInput: if it is none.
    """
    with suppress(ValueError, OverflowError):
        time = datetime.fromisoformat(text)
        if time.tzinfo is not None:
            return time.astimezone(UTC)
    raise InvalidInput(f"{cursor[:80]!r} is not a cursor of this API; pass one back as you received it")


def _counts(counts: jobs.LogCounts) -> LogCounts:
    by_level: dict[str, Any] = {name: getattr(counts, name) for name in jobs.LogCounts.NAMES.values()}
    return LogCounts(total=BigInt(counts.total), **by_level)


def duration(started_at: datetime | None, finished_at: datetime | None) -> BigInt | None:
    milliseconds = jobs.duration_ms(started_at, finished_at)
    return None if milliseconds is None else BigInt(milliseconds)
