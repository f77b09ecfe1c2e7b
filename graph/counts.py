"""Kept counts, and how long something took, as clients see them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

import strawberry

from domain import jobs
from graph.scalars import BigInt


@strawberry.type(description="Lines by level. Kept incrementally with every write: reading them never counts rows.")
class LogCounts:
    total: BigInt = strawberry.field(description="Lines of all levels.")
    trace: BigInt = strawberry.field(description="Lines at TRACE.")
    debug: BigInt = strawberry.field(description="Lines at DEBUG.")
    info: BigInt = strawberry.field(description="Lines at INFO.")
    warning: BigInt = strawberry.field(description="Lines at WARNING.")
    error: BigInt = strawberry.field(description="Lines at ERROR.")
    critical: BigInt = strawberry.field(description="Lines at CRITICAL.")

    @classmethod
    def from_domain(cls, counts: jobs.LogCounts) -> Self:
        by_level: dict[str, Any] = {name: getattr(counts, name) for name in jobs.LogCounts.NAMES.values()}
        return cls(total=BigInt(counts.total), **by_level)


def duration(started_at: datetime | None, finished_at: datetime | None) -> BigInt | None:
    milliseconds = jobs.duration_ms(started_at, finished_at)
    return None if milliseconds is None else BigInt(milliseconds)
