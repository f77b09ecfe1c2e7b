"""The vocabulary of a job's log: levels, statuses and the events that a worker reports.

Events are plain values. They know nothing of how they are sent or stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any, NamedTuple, TypeAlias
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
