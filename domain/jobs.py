"""A job: what it is, how it stands, and how many lines of each level it has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from jobtail.events import JobStatus, LogLevel

UNKNOWN_HANDLER = "unknown"
"""The handler of a job that was registered by its first line."""


@dataclass(frozen=True, slots=True)
class LogCounts:
    """Lines by level, kept with every write."""

    trace: int = 0
    debug: int = 0
    info: int = 0
    warning: int = 0
    error: int = 0
    critical: int = 0

    NAMES: ClassVar[Mapping[LogLevel, str]] = {level: level.name.lower() for level in LogLevel}

    @property
    def total(self) -> int:
        return self.trace + self.debug + self.info + self.warning + self.error + self.critical

    @property
    def failures(self) -> int:
        """Lines at ERROR or above."""
        return self.error + self.critical

    def of(self, levels: Iterable[LogLevel]) -> int:
        return sum(getattr(self, self.NAMES[level]) for level in set(levels))


@dataclass(frozen=True, slots=True)
class Progress:
    current: int
    total: int | None

    @property
    def percentage(self) -> float | None:
        """0 to 100, None where the total is unknown or nothing."""
        if not self.total:
            return None
        return round(100 * min(max(self.current / self.total, 0), 1), 2)


LARGE_PARTS = frozenset({"error", "result", "metadata"})
"""What may be large of a job. A list of jobs has those that are asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    job_id: str
    handler_name: str
    source: str | None
    status: JobStatus
    progress: Progress | None
    error: str | None
    result: str | None
    parent_job_id: str | None
    execution_id: str | None
    schedule_id: str | None
    metadata: Mapping[str, Any] | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    last_seq: int
    """The seq of the newest line, 0 before the first."""
    first_recorded_at: datetime | None
    last_recorded_at: datetime | None
    log_counts: LogCounts


@dataclass(frozen=True, slots=True)
class JobPosition:
    """How far a job is."""

    last_seq: int
    status: JobStatus


def duration_ms(started_at: datetime | None, finished_at: datetime | None) -> int | None:
    """Whole milliseconds between two times, None while one of them is missing, never negative."""
    if started_at is None or finished_at is None:
        return None
    return max(0, round((finished_at - started_at).total_seconds() * 1000))
