"""Filters of lines, and their meaning on a row in memory. persistence/ says the same in SQL; a property test holds the two equal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.executions import ExecutionStatus
from domain.logs import TaskLog
from domain.regex.pattern import compiled
from jobtail.events import JobStatus, LogLevel
from jobtail.shown_text import shown


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFilter:
    """Lines that satisfy everything that is set. None sets nothing, an empty set matches no line."""

    levels: frozenset[LogLevel] | None = None
    min_level: LogLevel | None = None
    stages: frozenset[str] | None = None
    task_ids: frozenset[str] | None = None
    """A stage's own lines have the stage's name as their task."""
    execution_id: str | None = None
    since: datetime | None = None
    """Inclusive."""
    until: datetime | None = None
    """Exclusive."""
    since_seq: int | None = None
    """The number of a line, inclusive."""
    until_seq: int | None = None
    """Exclusive."""
    search: str | None = None
    """A plain substring of the message as a terminal shows it, whatever its case, or a regular expression."""
    regex: bool = False
    """Whether `search` is a regular expression."""
    metadata: Mapping[str, Any] | None = None
    """An object that the line's metadata contains, as jsonb's @> understands it."""
    without: LogFilter | None = None
    """Lines that match this are left out. It has no `without` of its own."""

    def __post_init__(self) -> None:
        """Refuse a regular expression that is wrong before anything is asked.

        Raises:
            InvalidInput: saying what is wrong with it, and where.
        """
        if self.regex and self.search:
            compiled(self.search)

    @property
    def has_pattern(self) -> bool:
        """Whether a regular expression is searched for, which takes time."""
        return (self.regex and bool(self.search)) or (self.without is not None and self.without.has_pattern)

    @property
    def is_countable(self) -> bool:
        """Whether the kept counts by stage, task and level can answer it."""
        bounds = (self.since, self.until, self.since_seq, self.until_seq)
        others = (self.execution_id, self.search or None, self.metadata, self.without)
        return all(part is None for part in (*bounds, *others))

    def seqs_within(self, first: int, last: int) -> tuple[int, int]:
        """Narrow a range of lines, both ends inclusive, to those whose numbers match: empty if its first exceeds its last."""
        if self.since_seq is not None:
            first = max(first, self.since_seq)
        return first, last if self.until_seq is None else min(last, self.until_seq - 1)

    @property
    def wanted_levels(self) -> frozenset[LogLevel]:
        levels = frozenset(LogLevel) if self.levels is None else self.levels
        return frozenset(level for level in levels if self.min_level is None or level >= self.min_level)

    def matches(self, row: TaskLog) -> bool:
        return (
            (self.levels is None or row.level in self.levels)
            and (self.min_level is None or row.level >= self.min_level)
            and (self.stages is None or row.stage in self.stages)
            and (self.task_ids is None or (row.task_id or row.stage) in self.task_ids)
            and (self.execution_id is None or row.execution_id == self.execution_id)
            and (self.since is None or row.timestamp >= self.since)
            and (self.until is None or row.timestamp < self.until)
            and (self.since_seq is None or row.seq >= self.since_seq)
            and (self.until_seq is None or row.seq < self.until_seq)
            and (not self.search or self._finds(self.search, row.message))
            and (self.metadata is None or (row.metadata is not None and contains(row.metadata, self.metadata)))
            and (self.without is None or not self.without.matches(row))
        )

    def _finds(self, search: str, message: str) -> bool:
        """Look in what is seen of the message: colours neither hide a hit nor make one."""
        message = shown(message)
        if not self.regex:
            return fold_case(search) in fold_case(message)
        pattern = compiled(search)
        return pattern.is_in(fold_case(message) if pattern.ignores_case else message)


EVERYTHING = LogFilter()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Jobs that satisfy everything that is set."""

    statuses: frozenset[JobStatus] | None = None
    handler_names: frozenset[str] | None = None
    execution_id: str | None = None
    parent_job_id: str | None = None
    created_since: datetime | None = None
    """Inclusive."""
    created_until: datetime | None = None
    """Exclusive."""
    search: str | None = None
    """A plain substring of the job id, the handler's name, the source or the error, as shown, whatever its case."""
    has_errors: bool | None = None
    """Whether a line at ERROR or above was captured."""
    job_prefix: str | None = None
    """What the id begins with. No client's argument: what its token lets it see."""


ANY_JOB = JobFilter()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionFilter:
    """Executions that satisfy everything that is set."""

    schedule_id: str | None = None
    """`UNKNOWN_SCHEDULE` finds those for which none was named."""
    statuses: frozenset[ExecutionStatus] | None = None
    job_prefix: str | None = None
    """As of a `JobFilter`: others are no jobs of an execution."""


ANY_EXECUTION = ExecutionFilter()


def fold_case(text: str) -> str:
    """Lower each character by itself, as Postgres does: Python's lower() knows final sigmas and one-to-many forms."""
    return text.lower() if text.isascii() else text.replace("\u03a3", "\u03c3").replace("\u0130", "i").lower()


def contains(whole: Any, part: Any) -> bool:
    """Tell whether a JSON value contains another, by the rules of jsonb's @>."""
    match whole, part:
        case Mapping(), Mapping():
            return all(key in whole and contains(whole[key], item) for key, item in part.items())
        case ((list() | tuple()), (list() | tuple())):
            return _has_all(whole, part)
        case (bool(), _) | (_, bool()):
            return whole is part
        case _:
            return bool(whole == part)


def _has_all(whole: Sequence[Any], part: Sequence[Any]) -> bool:
    """Tell whether a list has all items of another. Those without parts are looked up, which takes no time for each other."""
    plain = {_key(each) for each in whole if not isinstance(each, Mapping | list | tuple)}
    nested = [each for each in whole if isinstance(each, Mapping | list | tuple)]
    return all(
        any(contains(candidate, item) for candidate in nested)
        if isinstance(item, Mapping | list | tuple)
        else _key(item) in plain
        for item in part
    )


def _key(value: Any) -> tuple[bool, Any]:
    """Keep true apart from 1, which is its equal in Python."""
    return isinstance(value, bool), value
