"""The mutations: a job's start, its lines and its end, for whoever has no emitter."""

from __future__ import annotations

from typing import Annotated

import strawberry

from domain.errors import InvalidInput, NotFound
from domain.logs import storable_label
from graph.context import Info
from graph.formats.scalars import BigInt
from graph.types.inputs import CaptureLineInput, FinishJobInput, StartJobInput
from graph.types.jobs import Job

MOST_LINES = 2_000
"""That one mutation captures."""


@strawberry.type(description="The numbers that captured lines were given.")
class CapturePayload:
    first_seq: BigInt = strawberry.field(description="The seq of the first line.")
    last_seq: BigInt = strawberry.field(description="The seq of the last line.")


@strawberry.type(description="What can be captured.")
class Mutation:
    @strawberry.mutation(description="Say that a job starts. One that has ended starts anew.")
    async def start_job(
        self,
        info: Info,
        input: Annotated[StartJobInput, strawberry.argument(description="The job.")],  # noqa: A002 - the contract's name
    ) -> Job:
        await info.context.services.recorder.record_job(input.job_id, [input.to_event()])
        return await _job(info, input.job_id)

    @strawberry.mutation(description="Capture lines of a job, all or nothing. A job unknown so far is registered.")
    async def capture_logs(
        self,
        info: Info,
        job_id: Annotated[str, strawberry.argument(description="The job that said them.")],
        lines: Annotated[list[CaptureLineInput], strawberry.argument(description="At least one, in order.")],
    ) -> CapturePayload:
        if not lines:
            raise InvalidInput("lines is empty; send at least one line")
        if len(lines) > MOST_LINES:
            raise InvalidInput(
                f"lines has {MOST_LINES:,} items at most, not {len(lines):,}: send the rest in another mutation"
            )
        stored = await info.context.services.recorder.record_job(job_id, [line.to_event(job_id) for line in lines])
        return CapturePayload(first_seq=BigInt(stored.first), last_seq=BigInt(stored.last))

    @strawberry.mutation(description="Say how a job ended.")
    async def finish_job(
        self,
        info: Info,
        input: Annotated[FinishJobInput, strawberry.argument(description="The end.")],  # noqa: A002 - the contract's name
    ) -> Job:
        event = input.to_event()
        await _job(info, input.job_id)
        await info.context.services.recorder.record_job(input.job_id, [event])
        return await _job(info, input.job_id)


async def _job(info: Info, job_id: str) -> Job:
    job = await info.context.loaders.jobs.load(storable_label(job_id))
    if job is None:
        raise NotFound("job", job_id)
    return Job.from_domain(job)
