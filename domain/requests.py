"""Requests: what is asked of the stores, by the keys and filters of each list. Pages answer them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from domain.filters import ExecutionFilter, JobFilter, LogFilter
from domain.jobs import LARGE_PARTS
from domain.pages import MAX_PAGE_BYTES, Window
from domain.written_lines import LineSelection


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPageRequest:
    """Jobs by creation, the newest first; the key is (created_at, job_id)."""

    window: Window[tuple[datetime, str]]
    filter: JobFilter
    large: frozenset[str] = LARGE_PARTS
    """Which of them are loaded. The others are None."""
    max_bytes: int = MAX_PAGE_BYTES
    """Where these are larger together, the page ends early and says that there is more. One job it holds at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPageRequest:
    """Tasks of a stage by first occurrence; the key is (first_seq, started_at, task_id)."""

    job_id: str
    stage: str
    window: Window[tuple[int, datetime, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogScope:
    """Where lines are looked for: a job, or a stage or a task of it."""

    job_id: str
    stage: str | None = None
    task_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPageRequest:
    """Lines of a job in order of seq; the key is the seq."""

    scope: LogScope
    window: Window[int]
    filter: LogFilter
    max_bytes: int = MAX_PAGE_BYTES
    """Where the lines are larger together, the page ends early and says that there is more. One line it holds at least."""
    may_be_empty: bool = False
    """Whether it may hold none where the first one is larger by itself."""
    written_as: LineSelection | None = None
    """If it is given, the items may be `WrittenLines` with these members; where they are not, they are lines as ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogCount:
    """A question for how many lines match."""

    scope: LogScope
    filter: LogFilter


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionPageRequest:
    """Executions by the creation of their roots, the newest first; the key is the root's (created_at, job_id)."""

    window: Window[tuple[datetime, str]]
    filter: ExecutionFilter
    large: frozenset[str] = LARGE_PARTS
    """As of a `JobPageRequest`, of the roots."""
    max_bytes: int = MAX_PAGE_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionLogPageRequest:
    """Lines of all jobs of an execution, job by job; the key is (created_at and job_id of the job, seq)."""

    execution_id: str
    window: Window[tuple[datetime, str, int]]
    filter: LogFilter
    max_bytes: int = MAX_PAGE_BYTES
    """As of a `LogPageRequest`."""
    may_be_empty: bool = False
    job_prefix: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionLogCount:
    """A question for how many lines of an execution match."""

    execution_id: str
    filter: LogFilter
    job_prefix: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeCountRequest:
    """Lines of a job to be counted by time and level."""

    job_id: str
    filter: LogFilter
    after: int = 0
    """A seq, exclusive."""
    upto: int = 0
    """A seq, inclusive."""
    width: int = 1
    """In microseconds."""


NewestKey: TypeAlias = tuple[datetime, str, int]
"""A place among the lines of all jobs: recorded_at, job_id, seq, all descending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewestLogRequest:
    """Lines of all jobs that match, the newest first by the time of their storing."""

    limit: int
    after: NewestKey | None = None
    filter: LogFilter
    job_filter: JobFilter
    max_bytes: int = MAX_PAGE_BYTES
    """As of a `LogPageRequest`."""
    may_be_empty: bool = False


LATEST_CLOCK = timedelta(days=1)
"""How far a worker's clock may be ahead: what was stored this long before a filter's `since` is not looked at."""
