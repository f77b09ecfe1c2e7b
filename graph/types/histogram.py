"""A job's lines by time and level, as a timeline shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

import strawberry
from strawberry import UNSET

from domain import histogram
from graph.context import Info
from graph.types.inputs import LogFilterArgument, log_filter
from graph.types.log_counts import LogCounts

DEFAULT_BUCKETS = 60


@strawberry.type(description="The lines that were said in a part of a job's time.")
class LogBucket:
    since: datetime = strawberry.field(description="Where it begins, by the workers' clocks. Inclusive.")
    until: datetime = strawberry.field(description="Where it ends, which is where the next one begins. Exclusive.")
    log_counts: LogCounts = strawberry.field(description="Its lines by level.")

    @classmethod
    def from_domain(cls, bucket: histogram.LogBucket) -> Self:
        return cls(since=bucket.since, until=bucket.until, log_counts=LogCounts.from_domain(bucket.log_counts))


async def resolve_log_histogram(
    root: strawberry.Parent[Any],
    info: Info,
    buckets: Annotated[
        int | None, strawberry.argument(description="At most this many buckets, 1 to 500.")
    ] = DEFAULT_BUCKETS,
    filter: LogFilterArgument = UNSET,  # noqa: A002 - the name that logs has
) -> list[LogBucket]:
    count = DEFAULT_BUCKETS if buckets is None else buckets
    found = await info.context.services.timelines.histogram(root.job_id, count, log_filter(filter))
    return [LogBucket.from_domain(bucket) for bucket in found]
