"""Retention: how long lines are kept, by level, by the age since they were stored. What deletes them is not known here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, TypeAlias

from domain.durations import read_duration
from domain.errors import InvalidInput
from domain.jobs import Job
from jobtail.events import LogLevel

LONG = timedelta(weeks=10)
"""From here on a week more or less is no matter."""

PrunedLevels: TypeAlias = Mapping[LogLevel, datetime]
"""Of each level that was ever pruned, before when its lines were stored that are gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What is too old: lines of these levels that were stored before."""

    levels: frozenset[LogLevel]
    before: datetime


@dataclass(frozen=True, slots=True)
class Retention:
    """How old lines of each level may become."""

    ages: Mapping[LogLevel, timedelta]

    @property
    def longest(self) -> timedelta:
        return max(self.ages.values())

    def spans(self, now: datetime) -> Iterator[Span]:
        """Give what is too old, from the oldest on. The first span is of all levels; those of each are among those before."""
        for age in sorted(set(self.ages.values()), reverse=True):
            yield Span(levels=frozenset(level for level in LogLevel if self.ages[level] <= age), before=now - age)


def read_retention(older_than: str, levels: Mapping[str, str]) -> Retention:
    """Read durations: that of all lines, and those of the levels that are kept for a shorter time.

    One that is given for a level holds for the lesser levels too, unless they have their own.

    Raises:
        InvalidInput: if something is no duration or no level, or if a level would outlive a graver one.
    """
    age, chosen = read_duration(older_than, "the age"), older_than
    given = {_level(name): text for name, text in levels.items()}
    ages: dict[LogLevel, timedelta] = {}
    for level in sorted(LogLevel, reverse=True):
        if level in given:
            own = read_duration(given[level], f"the age of {level.name.lower()}")
            if own > age:
                raise InvalidInput(
                    f"{level.name.lower()}={given[level]} is longer than {chosen}, and a level cannot be kept for longer "
                    "than graver ones"
                )
            age, chosen = own, given[level]
        ages[level] = age
    return Retention(ages)


def _level(name: str) -> LogLevel:
    try:
        return LogLevel[name.upper()]
    except KeyError:
        known = ", ".join(level.name.lower() for level in LogLevel)
        raise InvalidInput(f"{name!r} is no level; they are {known}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class DroppedWeek:
    """A partition that went as a whole."""

    name: str
    lines: int | None
    """As of the partition's storage."""
    size: int
    """In bytes, on the disk."""


@dataclass(slots=True)
class Pruned:
    """What went, or would go."""

    weeks: list[DroppedWeek] = field(default_factory=list)
    lines: dict[LogLevel, int] = field(default_factory=dict)
    """Those that were deleted beside."""
    size: int = 0
    """About how many bytes these lines were."""
    in_use: str | None = None
    """The partition that somebody used all the time. It is left to another run, and so is what is newer."""

    def add(self, level: LogLevel, lines: int, size: int) -> None:
        self.lines[level] = self.lines.get(level, 0) + lines
        self.size += size


class LogPruner(Protocol):
    async def pruned_levels(self) -> PrunedLevels:
        """Tell what has been pruned."""

    async def prune(
        self, retention: Retention, now: datetime, *, whole_weeks: bool = False, is_dry: bool = False
    ) -> Pruned | None:
        """Delete what is too old, or only tell what that is; None if another process is at it.

        With `whole_weeks`, lines that are too old for all levels stay until their week is.
        """


def pruned_before(job: Job, levels: PrunedLevels) -> datetime | None:
    """Tell before when lines of a job were stored that may be gone, None while all of them are there."""
    first = job.first_recorded_at
    found = [before for level, before in levels.items() if first and first < before and job.log_counts.of([level])]
    return max(found, default=None)
