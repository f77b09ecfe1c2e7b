"""Stages and their tasks: thin views of the domain's values."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from enum import Enum
from functools import partial
from typing import Any, ClassVar, Self

import strawberry
from strawberry import UNSET

from domain import cursors
from domain.pages import Page, page_of, window
from domain.requests import LogScope, TaskPageRequest
from domain.stages import stage_status as hierarchy
from graph.context import Info
from graph.formats.scalars import BigInt
from graph.plans.columns import Rows, column_of
from graph.relay.connections import Connection, Node
from graph.relay.list_cursors import task_key
from graph.types.inputs import After, First, given
from graph.types.lines import ScopeReference, TaskLog, resolve_logs
from graph.types.log_counts import CountRows, LogCounts, duration
from jobtail.events import TaskStatus

strawberry.enum(TaskStatus, description="How a task stands.")


@strawberry.enum(description="How a stage stands.")
class StageStatus(Enum):
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


def _task_id(self: Task) -> strawberry.ID:
    scope = self.scope
    return strawberry.ID(cursors.encode("Task", scope.job_id, scope.stage or "", scope.task_id or ""))


def _stage_id(self: Stage) -> strawberry.ID:
    return strawberry.ID(cursors.encode("Stage", self.scope.job_id, self.scope.stage or ""))


@strawberry.type(description="A unit of work within a stage, or the stage's own lines.")
class Task(Node):
    id: strawberry.ID = strawberry.field(resolver=_task_id, description="Unique over all types; opaque.")
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
            task_id=record.task_id,
            name=record.name,
            status=task.status,
            result=record.result,
            started_at=record.started_at,
            finished_at=task.finished_at,
            duration_ms=duration(record.started_at, task.finished_at),
            log_counts=LogCounts.from_domain(record.log_counts),
            scope=LogScope(job_id=record.job_id, stage=record.stage, task_id=record.task_id),
        )

    logs: Connection[TaskLog] = strawberry.field(resolver=resolve_logs, description="Its lines, in order.")


def _stored(name: str, rows: TaskRows) -> list[Any]:
    return column_of(rows.records, name)


class TaskRows(Rows):
    """Tasks as they are stored, and how they stand."""

    def __init__(
        self,
        records: Sequence[hierarchy.TaskRecord],
        statuses: Callable[[Sequence[hierarchy.TaskRecord]], list[TaskStatus]],
        to_tasks: Callable[[Sequence[hierarchy.TaskRecord]], Sequence[Task]],
    ) -> None:
        self.records, self._statuses_of, self._to_tasks = records, statuses, to_tasks

    def __len__(self) -> int:
        return len(self.records)

    def make(self) -> Sequence[Task]:
        return self._to_tasks(self.records)

    def _statuses(self) -> list[TaskStatus]:
        return self._statuses_of(self.records)

    def _log_counts(self) -> Sequence[Any]:
        records = self.records
        if isinstance(records, hierarchy.TaskColumns):
            return CountRows(records.levels())
        return column_of(records, "log_counts")

    columns: ClassVar = {
        **{name: partial(_stored, name) for name in ("task_id", "name", "result", "started_at")},
        "status": _statuses,
        "log_counts": _log_counts,
    }


@strawberry.type(description="A phase of a job.")
class Stage(Node):
    id: strawberry.ID = strawberry.field(resolver=_stage_id, description="Unique over all types; opaque.")
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
    known_tasks: strawberry.Private[hierarchy.TaskColumns | None] = None
    """All of its tasks, where they were loaded with its job."""

    stand_ins: ClassVar = (ScopeReference,)

    @classmethod
    def from_domain(cls, stage: hierarchy.Stage, tasks: hierarchy.TaskColumns | None = None) -> Self:
        record = stage.record
        return cls(
            name=record.name,
            status=StageStatus(stage.status.value),
            started_at=record.started_at,
            finished_at=stage.finished_at,
            duration_ms=duration(record.started_at, stage.finished_at),
            log_counts=LogCounts.from_domain(record.log_counts),
            task_count=BigInt(record.task_count),
            stage=stage,
            scope=LogScope(job_id=record.job_id, stage=record.name),
            known_tasks=tasks,
        )

    @strawberry.field(description="Its tasks, in order of first occurrence.")
    def tasks(self, info: Info, first: First = 100, after: After = UNSET) -> Connection[Task]:
        context, record = info.context, self.stage.record
        request = TaskPageRequest(
            job_id=record.job_id,
            stage=record.name,
            window=window(first=given(first), after=task_key(given(after))),
        )

        async def count() -> int:
            return record.task_count

        return Connection(
            load=lambda: context.loaders.task_pages.load(request),
            loading=self._first_tasks(request),
            count=count,
            to_nodes=lambda records: TaskRows(records, self._task_statuses, self.shown),
            to_cursor=lambda task: cursors.encode("task", task.first_seq, task.started_at.isoformat(), task.task_id),
        )

    def shown(self, records: Sequence[hierarchy.TaskRecord]) -> list[Task]:
        """Show tasks of this stage."""
        return [Task.from_domain(hierarchy.task_of(self.stage, record)) for record in records]

    def _task_statuses(self, records: Sequence[hierarchy.TaskRecord]) -> list[TaskStatus]:
        standing, names = self.stage.standing, ("task_id", "stated", "log_counts")
        return [
            hierarchy.task_status(standing, task_id, stated, counts.failures)
            for task_id, stated, counts in zip(*(column_of(records, name) for name in names), strict=True)
        ]

    def _first_tasks(self, request: TaskPageRequest) -> asyncio.Future[Page[hierarchy.TaskRecord]] | None:
        """Make the first page of the tasks that are known."""
        if self.known_tasks is None or request.window.after is not None:
            return None
        page: asyncio.Future[Page[hierarchy.TaskRecord]] = asyncio.get_running_loop().create_future()
        page.set_result(page_of(self.known_tasks, request.window))
        return page

    logs: Connection[TaskLog] = strawberry.field(
        resolver=resolve_logs, description="Its lines, those of its tasks included, in order."
    )
