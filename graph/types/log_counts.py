"""Kept counts, and how long something took, as clients see them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import ClassVar, Self, cast

import strawberry

from domain import jobs
from graph.formats.scalars import BigInt
from graph.plans.columns import Rows


@strawberry.type(description="Lines by level. Kept incrementally with every write: reading them never counts rows.")
class LogCounts:
    total: BigInt = strawberry.field(description="Lines of all levels.")
    trace: BigInt = strawberry.field(description="Lines at TRACE.")
    debug: BigInt = strawberry.field(description="Lines at DEBUG.")
    info: BigInt = strawberry.field(description="Lines at INFO.")
    warning: BigInt = strawberry.field(description="Lines at WARNING.")
    error: BigInt = strawberry.field(description="Lines at ERROR.")
    critical: BigInt = strawberry.field(description="Lines at CRITICAL.")

    stand_ins: ClassVar = (jobs.LogCounts,)
    """They have the same attributes, so that nothing is made of them."""

    @classmethod
    def from_domain(cls, counts: jobs.LogCounts) -> Self:
        return cast("Self", counts)


def _level(place: int, rows: CountRows) -> Sequence[int]:
    return rows.levels[place]


class CountRows(Rows):
    """Counts of several, kept by level."""

    def __init__(self, levels: Sequence[Sequence[int]]) -> None:
        self.levels = levels

    def __len__(self) -> int:
        return len(self.levels[0])

    def make(self) -> Sequence[jobs.LogCounts]:
        return list(map(jobs.LogCounts, *self.levels))

    def _total(self) -> Sequence[int]:
        return list(map(sum, zip(*self.levels, strict=True)))

    columns: ClassVar = {
        "total": _total,
        **{name: partial(_level, place) for place, name in enumerate(jobs.LogCounts.NAMES.values())},
    }


def duration(started_at: datetime | None, finished_at: datetime | None) -> BigInt | None:
    milliseconds = jobs.duration_ms(started_at, finished_at)
    return None if milliseconds is None else BigInt(milliseconds)
