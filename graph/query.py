"""The queries."""

from __future__ import annotations

from typing import Annotated

import strawberry
from strawberry import UNSET

from domain.executions import ExecutionStatus
from domain.logs import storable_label
from graph.context import Info
from graph.executions import Execution, execution_connection
from graph.relay.connections import Connection, Node
from graph.types import inputs
from graph.types import lines_of_all_jobs as newest
from graph.types.inputs import (
    After,
    Before,
    First,
    JobFilterArgument,
    Last,
    LogFilterArgument,
    execution_filter,
    log_filter,
)
from graph.types.jobs import Job, job_connection, job_window, load_job
from graph.types.lines import TaskLog
from graph.types.nodes import load_node
from graph.types.storage import DESCRIPTION, StorageReport


@strawberry.type(description="What can be read.")
class Query:
    @strawberry.field(description="Anything by its id.")
    async def node(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The `id` of a node.")],  # noqa: A002 - Relay's name
    ) -> Node | None:
        return await load_node(info.context, id)

    @strawberry.field(description="A job by the id that its emitter gave it; null if nothing was heard of it.")
    async def job(
        self,
        info: Info,
        job_id: Annotated[str, strawberry.argument(description="The job's id.")],
    ) -> Job | None:
        return await load_job(info, storable_label(job_id))

    @strawberry.field(description="The jobs, the newest first.")
    def jobs(
        self,
        info: Info,
        first: First = UNSET,
        after: After = UNSET,
        last: Last = UNSET,
        before: Before = UNSET,
        filter: JobFilterArgument = UNSET,  # noqa: A002 - the contract's name
    ) -> Connection[Job]:
        return job_connection(info.context, job_window(first, after, last, before), inputs.job_filter(filter))

    @strawberry.field(description="An execution by its id; null if no job names it.")
    async def execution(
        self,
        info: Info,
        execution_id: Annotated[str, strawberry.argument(description="The execution's id.")],
    ) -> Execution | None:
        execution = await info.context.loaders.executions.load(storable_label(execution_id))
        return Execution.from_domain(execution) if execution else None

    @strawberry.field(description="The executions, the newest first.")
    def executions(
        self,
        info: Info,
        first: First = UNSET,
        after: After = UNSET,
        schedule_id: Annotated[
            str | None, strawberry.argument(description="Only those of this schedule; `unknown` for those of none.")
        ] = UNSET,
        statuses: Annotated[
            list[ExecutionStatus] | None, strawberry.argument(description="Only those with one of these statuses.")
        ] = UNSET,
    ) -> Connection[Execution]:
        return execution_connection(info.context, first, after, execution_filter(schedule_id, statuses))

    @strawberry.field(description=DESCRIPTION)
    def storage(self, info: Info) -> StorageReport:
        return StorageReport(storage=info.context.services.storage)

    @strawberry.field(description=newest.DESCRIPTION)
    def logs(
        self,
        info: Info,
        first: First = UNSET,
        after: After = UNSET,
        filter: LogFilterArgument = UNSET,  # noqa: A002 - the contract's name
        job_filter: JobFilterArgument = UNSET,
    ) -> Connection[TaskLog]:
        chosen, of_jobs = log_filter(filter), inputs.job_filter(job_filter)
        return newest.newest_connection(info.context, first, after, chosen, of_jobs)
