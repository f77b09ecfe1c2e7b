"""The vocabulary of a job's log: levels, statuses and the events that a worker reports.

Events are plain values. They know nothing of how they are sent or stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import Any, NamedTuple, Protocol, Self, TypeAlias
from uuid import UUID

MAIN_STAGE = "main"
"""The stage of a line that came before any stage."""


class LogLevel(IntEnum):
    """How grave a line is. The numbers are those of Python's logging, TRACE added."""

    TRACE = 5
    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40
    CRITICAL = 50

    @classmethod
    def at_or_below(cls, number: int) -> LogLevel:
        """Give the nearest level at or below a number of Python's logging; below all of them it is TRACE."""
        return next((level for level in _GRAVEST_FIRST if number >= level), cls.TRACE)


_GRAVEST_FIRST = tuple(reversed(LogLevel))


class JobStatus(StrEnum):
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def is_final(self) -> bool:
        return self in FINAL_STATUSES


FINAL_STATUSES = frozenset({JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED})


class TaskStatus(StrEnum):
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStarted:
    job_id: str
    handler_name: str
    source: str | None = None
    execution_id: str | None = None
    schedule_id: str | None = None
    """What started this execution; the jobs that it starts in turn have its execution id alone."""
    parent_job_id: str | None = None
    metadata: Mapping[str, Any] | None = None
    total: int | None = None
    at: datetime | None = None


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Line:
    """One line. Without a task it belongs to its stage, without a stage to `main`.

    Nobody changes one. It is not frozen, since that makes it three times as slow to make, and they come by the million.
    """

    job_id: str
    message: str
    level: LogLevel = LogLevel.INFO
    stage: str | None = None
    task_id: str | None = None
    at: datetime | None = None
    metadata: Mapping[str, Any] | None = None

    @classmethod
    def now(
        cls,
        job_id: str,
        message: str,
        level: LogLevel = LogLevel.INFO,
        *,
        stage: str | None = None,
        task_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Self:
        """Make one that is said at this moment."""
        return cls(
            job_id=job_id,
            message=message,
            level=level,
            stage=stage,
            task_id=task_id,
            at=datetime.now(UTC),
            metadata=metadata,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProgressed:
    job_id: str
    current: int
    total: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskChanged:
    """A task's status. With the stage's own name as `task_id` it is the status of the stage."""

    job_id: str
    stage: str
    task_id: str
    status: TaskStatus
    name: str | None = None
    result: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFinished:
    job_id: str
    status: JobStatus
    error: str | None = None
    result: str | None = None
    at: datetime | None = None


Event: TypeAlias = JobStarted | Line | JobProgressed | TaskChanged | JobFinished


class NumberedEvent(NamedTuple):
    """An event with its number, which rises within its writer."""

    n: int
    event: Event


@dataclass(frozen=True, slots=True)
class Batch:
    """Events in the order of their numbers, all of one writer.

    A batch may be sent again after any fault: what was stored before is skipped by (writer, job, n). Without a writer
    it is stored as often as it is sent.
    """

    writer_id: UUID | None
    events: tuple[NumberedEvent, ...]


class Said(Protocol):
    """A line as whoever has it holds it: an event, a stored line, one that was read from the wire."""

    @property
    def message(self) -> str: ...

    @property
    def metadata(self) -> Mapping[str, Any] | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LossNotice:
    """How many lines of a job were given up, and between which times the job had said them."""

    lines: int
    first_at: datetime
    last_at: datetime

    def line(self, job_id: str, stage: str | None) -> Line:
        """Make the line that says so in the job's log, in the stage of what was given up."""
        first, last = rfc3339(self.first_at), rfc3339(self.last_at)
        return Line.now(
            job_id,
            f"{self.lines} {'line' if self.lines == 1 else 'lines'} dropped between {first} and {last}",
            LogLevel.WARNING,
            stage=stage,
            metadata={"dropped": self.lines, "from": first, "until": last},
        )

    @classmethod
    def of(cls, line: Said) -> Self | None:
        """Read what a line says was given up. None if it is no such line."""
        match line.metadata:
            case {"dropped": int() as lines, "from": str() as first, "until": str() as last} if lines > 0:
                try:
                    notice = cls(lines=lines, first_at=_moment(first), last_at=_moment(last))
                except ValueError:
                    return None
                return notice if line.message == notice.line("", None).message else None
        return None


REFUSAL = frozenset({"refused", "n", "reason"})
"""What the metadata of a line hold that stands in for an event which could not be stored."""


def refused(job_id: str, kind: str, n: int | None, reason: str, *, stage: str | None) -> Line:
    """Make the line that says in the job's log that an event could not be stored."""
    return Line.now(
        job_id,
        f"an event of kind {kind} could not be stored and was dropped: {reason}",
        LogLevel.WARNING,
        stage=stage,
        metadata={"refused": kind, "n": n, "reason": reason},
    )


def rfc3339(moment: datetime) -> str:
    """Write a time in UTC with microseconds. One without an offset is local, as Python has it."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
