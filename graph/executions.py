"""Executions: thin views of what their jobs make of them."""

from __future__ import annotations

from datetime import datetime
from typing import Self

import strawberry
from strawberry import UNSET

from domain import cursors, executions, filters
from domain.errors import InvalidInput
from domain.pages import window
from domain.ports import ExecutionLogCount, ExecutionLogPageRequest, ExecutionPageRequest
from graph.context import Context, Info
from graph.formats.scalars import BigInt
from graph.relay.connections import Connection, Node
from graph.relay.list_cursors import creation_key, job_key, moment
from graph.types.inputs import After, Before, First, Last, LogFilterArgument, given, log_filter
from graph.types.jobs import Job, job_connection
from graph.types.lines import TaskLog
from graph.types.log_counts import duration


@strawberry.type(
    description="A run of a schedule, or whatever else jobs name as what they are part of: what these jobs make of it. "
    "Its root, the first of them (one that a schedule started before all others), says how it goes.",
)
class Execution(Node):
    execution_id: str = strawberry.field(description="The id that its jobs give it.")
    schedule_id: str = strawberry.field(description="What started it; `unknown` where no job says.")
    status: executions.ExecutionStatus = strawberry.field(description="How its root stands.")
    started_at: datetime = strawberry.field(
        description="When its root started or, where that is unknown, was heard of."
    )
    finished_at: datetime | None = strawberry.field(description="When its root ended.")
    duration_ms: BigInt | None = strawberry.field(description="From start to end, in milliseconds.")
    result_summary: str | None = strawberry.field(description="What came of it, as its root said.")
    error_message: str | None = strawberry.field(description="Why its root failed; `cancelled` if it only was that.")

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
        )

    @strawberry.field(description="All jobs that are part of it, the newest first.")
    def jobs(self, info: Info, first: First = 50, after: After = UNSET) -> Connection[Job]:
        asked = window(first=given(first), after=job_key(given(after)))
        return job_connection(info.context, asked, filters.JobFilter(execution_id=self.execution_id))

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
            to_node=lambda line: TaskLog.from_domain(line.log),
            to_cursor=lambda line: line_cursor(line, self.execution_id),
        )


def execution_connection(
    context: Context,
    first: int | None,
    after: str | None,
    chosen: filters.ExecutionFilter,
) -> Connection[Execution]:
    asked = window(first=given(first), after=creation_key(given(after), "execution", "executions"))
    request = ExecutionPageRequest(window=asked, filter=chosen)
    return Connection(
        load=lambda: context.loaders.execution_pages.load(request),
        count=lambda: context.services.executions.count(chosen),
        to_node=Execution.from_domain,
        to_cursor=lambda each: cursors.encode("execution", each.root.created_at.isoformat(), each.root.job_id),
    )


def line_cursor(line: executions.ExecutionLine, execution_id: str) -> str:
    created_at = line.job_created_at.isoformat()
    return cursors.encode("executionLog", execution_id, created_at, line.log.job_id, line.log.seq)


def line_key(cursor: str | None, execution_id: str) -> tuple[datetime, str, int] | None:
    if cursor is None:
        return None
    match cursors.decode(cursor):
        case ("executionLog", [str() as other, str() as created_at, str() as job_id, int() as seq]) if seq >= 0:
            if other != execution_id:
                raise InvalidInput(f"this cursor belongs to the log of execution {other!r}, not to {execution_id!r}")
            return moment(created_at, cursor), job_id, seq
        case _:
            raise InvalidInput(f"{cursor[:80]!r} is not a cursor of the log of an execution")
