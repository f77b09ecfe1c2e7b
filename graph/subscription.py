"""The subscriptions: the lines of a job, and jobs as they change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, cast

import strawberry
from strawberry import UNSET

from domain import cursors
from domain.errors import InvalidInput
from domain.live import tail_hub as hub
from domain.live.job_feed import PACE_S
from domain.logs import storable_label
from graph.context import Info
from graph.formats.scalars import BigInt
from graph.types.inputs import JobFilterArgument, LogFilterArgument, given, job_filter, log_filter
from graph.types.jobs import Job
from graph.types.lines import LineRows, TaskLog
from jobtail.events import JobStatus

JobId = Annotated[str, strawberry.argument(description="The job's id. One that is not known yet is waited for.")]


@strawberry.type(
    description="Rows in seq order. No row is missing that was not pruned, none comes twice, whatever fails in between.",
)
class LogBatch:
    job_id: strawberry.Private[str]
    batch: strawberry.Private[hub.TailBatch]

    @strawberry.field(description="New lines; none in a batch that only says how things stand.")
    def logs(self) -> list[TaskLog]:
        return cast("list[TaskLog]", LineRows(self.batch.rows))

    @strawberry.field(description="Hand it back as `after` to go on exactly here.")
    def end_cursor(self) -> str:
        return cursors.log_cursor(self.job_id, self.batch.cursor)

    @strawberry.field(description="True once the lines that stood when it was asked for have all been sent.")
    def caught_up(self) -> bool:
        return self.batch.caught_up

    @strawberry.field(
        description="The job's newest seq known to the server: lastSeq minus the last row's seq is how far behind the "
        "reader is.",
    )
    def last_seq(self) -> BigInt:
        return BigInt(self.batch.last_seq)

    @strawberry.field(description="Set on the last batch, after which the stream completes: how the job ended.")
    def job_status(self) -> JobStatus | None:
        return self.batch.job_status


@strawberry.type(description="What can be watched.")
class Subscription:
    @strawberry.subscription(
        description="The lines of a job. `after`: everything behind that cursor, then live. `afterSeq`: the same by line "
        "number, 0 for the whole log. `last`: the newest N lines, then live. None of them: newly captured lines only. At "
        "most one may be given.",
    )
    async def job_logs(
        self,
        info: Info,
        job_id: JobId,
        after: Annotated[str | None, strawberry.argument(description="The cursor to go on behind.")] = UNSET,
        after_seq: Annotated[BigInt | None, strawberry.argument(description="The line to go on behind.")] = UNSET,
        last: Annotated[int | None, strawberry.argument(description="How many of the newest lines.")] = UNSET,
        filter: LogFilterArgument = UNSET,  # noqa: A002 - the contract's name
    ) -> AsyncGenerator[LogBatch, None]:
        job_id = storable_label(job_id)
        start, newest = _start(job_id, given(after), given(after_seq), given(last))
        batches = info.context.services.hub.follow(job_id, log_filter(filter), after=start, last=newest)
        async with aclosing(batches):
            async for batch in batches:
                yield LogBatch(job_id=job_id, batch=batch)

    @strawberry.subscription(
        description="The job as it changes: status, progress, stages, counts. The first event is its present state.",
    )
    async def job_updated(self, info: Info, job_id: JobId) -> AsyncGenerator[Job, None]:
        async with info.context.services.hub.tail(storable_label(job_id)) as followed:
            while True:
                changed = followed.changed
                job = await followed.job()
                if job is not None:
                    yield Job.from_domain(job)
                await changed.wait()
                await asyncio.sleep(PACE_S)

    @strawberry.subscription(description="New and changed jobs that match.")
    async def jobs_updated(self, info: Info, filter: JobFilterArgument = UNSET) -> AsyncGenerator[Job, None]:  # noqa: A002
        async with aclosing(info.context.services.feed.watch(job_filter(filter))) as changes:
            async for job in changes:
                yield Job.from_domain(job)


def _start(
    job_id: str,
    after: str | None,
    after_seq: int | None,
    last: int | None,
) -> tuple[int | None, int | None]:
    """Read where to begin: behind which seq, or with how many of the newest lines."""
    if sum(argument is not None for argument in (after, after_seq, last)) > 1:
        raise InvalidInput("give at most one of after, afterSeq and last")
    if after is not None:
        return cursors.log_seq(after, job_id), None
    return after_seq, last
