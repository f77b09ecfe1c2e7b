"""The queries."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, cast

import strawberry
from strawberry import UNSET

from domain.executions import ExecutionStatus
from domain.logs import storable_label
from domain.pages import Window, window
from domain.requests import LogScope
from graph.context import Info
from graph.plans.field_reader import asks_for_pages, selected_below
from graph.relay.connections import Connection, Node
from graph.relay.list_cursors import job_key
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
    given,
    log_filter,
)
from graph.types.jobs import Execution, Job, execution_connection, job_connection
from graph.types.lines import ScopeReference, TaskLog
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
        return await _load_job(info, storable_label(job_id))

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
        return job_connection(info, _job_window(first, after, last, before), inputs.job_filter(filter))

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
        return execution_connection(info, first, after, execution_filter(schedule_id, statuses))

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


async def _load_job(info: Info, job_id: str) -> Job | None:
    """Load a job, together with its tasks where its stages are asked for; not yet where pages of its lines are all that is."""
    selected = selected_below(info)
    if asks_for_pages(selected):
        return cast("Job", ScopeReference(LogScope(job_id=job_id)))
    if {name for name, _ in selected} & {"stages", "stage"}:
        found = (await info.context.services.tasks.hierarchies([job_id])).get(job_id)
        return Job.from_domain(found.job, found.stages) if found else None
    job = await info.context.loaders.jobs.load(job_id)
    return Job.from_domain(job) if job else None


def _job_window(
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
