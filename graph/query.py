"""The queries."""

from __future__ import annotations

from typing import Annotated

import strawberry
from strawberry import UNSET

from domain.logs import storable_label
from graph.connections import Connection, Node
from graph.context import Info
from graph.inputs import After, Before, First, JobFilterArgument, Last, job_filter
from graph.nodes import load_node
from graph.types import Job, job_connection, job_window


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
        job = await info.context.loaders.jobs.load(storable_label(job_id))
        return Job.from_domain(job) if job else None

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
        return job_connection(info.context, job_window(first, after, last, before), job_filter(filter))
