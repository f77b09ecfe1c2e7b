"""Folding: a job's events become the values that one statement stores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from domain.jobs import UNKNOWN_HANDLER, LogCounts
from domain.logs import EARLIEST, LATEST, storable, storable_json, storable_label, storable_time
from jobtail.events import (
    MAIN_STAGE,
    Event,
    JobFinished,
    JobProgressed,
    JobStarted,
    JobStatus,
    Line,
    LogLevel,
    NumberedEvent,
    TaskChanged,
    TaskStatus,
)


class NewLine(NamedTuple):
    """A line before it has its number. A tuple, since a batch makes hundreds of them."""

    stage: str
    task_id: str | None
    at: datetime
    level: LogLevel
    message: str
    metadata: Mapping[str, Any] | None


_NO_LINES = dict.fromkeys(LogLevel, 0)


@dataclass(slots=True, kw_only=True)
class TaskDelta:
    """What a batch changes of one task."""

    first_line: int
    """How many lines of the batch came before the task was first named in it."""
    first_at: datetime
    last_at: datetime
    name: str | None = None
    status: TaskStatus | None = None
    result: str | None = None
    finished_at: datetime | None = None
    counts: dict[LogLevel, int] = field(default_factory=_NO_LINES.copy)
    """In the order of the levels."""


@dataclass(slots=True, kw_only=True)
class JobDelta:
    """What a batch changes of the job. None leaves a value as it is."""

    handler_name: str | None = None
    source: str | None = None
    execution_id: str | None = None
    schedule_id: str | None = None
    parent_job_id: str | None = None
    metadata: Mapping[str, Any] | None = None
    status: JobStatus | None = None
    is_restarted: bool = False
    """The job was started in this batch: what an earlier run left behind of its end is cleared."""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error: str | None = None
    result: str | None = None
    progress_current: int | None = None
    progress_total: int | None = None
    assumed_handler_name: str = UNKNOWN_HANDLER
    assumed_execution_id: str | None = None
    """What is assumed holds where the job was told nothing else, now or before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobBatch:
    """One writer's news of one job."""

    job_id: str
    writer_id: UUID | None
    first_n: int
    last_n: int
    job: JobDelta
    tasks: Mapping[tuple[str, str], TaskDelta]
    """By stage and task id, the stage's own name where a line has no task."""
    lines: Sequence[NewLine]

    @property
    def log_counts(self) -> LogCounts:
        totals = {LogCounts.NAMES[level]: sum(task.counts[level] for task in self.tasks.values()) for level in LogLevel}
        return LogCounts(**totals)


@dataclass(frozen=True, slots=True)
class Appended:
    """The batch is stored and committed."""

    last_seq: int
    """The seq of its last line; the lines before it are numbered without gaps."""
    recorded_at: datetime
    execution_id: str | None
    status: JobStatus


@dataclass(frozen=True, slots=True)
class AlreadyAt:
    """Nothing was stored: the writer's position already reaches into the batch."""

    last_n: int


def fold(
    job_id: str,
    writer_id: UUID | None,
    events: Sequence[NumberedEvent],
    now: datetime,
    *,
    execution_id: str | None = None,
    handler_name: str | None = None,
) -> JobBatch:
    """Fold events of one job, in the order of their numbers. `now` dates what carries no time of its own.

    The execution and the handler are for a job that was never told its own: no event that merely has lines names them.
    """
    folding = _Folding(now)
    folding.job.assumed_execution_id = _label(execution_id)
    folding.job.assumed_handler_name = _text(handler_name) or UNKNOWN_HANDLER
    for numbered in events:
        folding.add(numbered.event)
    return JobBatch(
        job_id=job_id,
        writer_id=writer_id,
        first_n=events[0].n,
        last_n=events[-1].n,
        job=folding.job,
        tasks=folding.tasks,
        lines=folding.lines,
    )


class _Place(NamedTuple):
    """Where a line belongs."""

    stage: str
    task_id: str | None
    task: TaskDelta


class _Folding:
    def __init__(self, now: datetime) -> None:
        self.now = now
        self.job = JobDelta()
        self.tasks: dict[tuple[str, str], TaskDelta] = {}
        self.lines: list[NewLine] = []
        self._places: dict[tuple[str | None, str | None], _Place] = {}

    def add(self, event: Event) -> None:
        match event:
            case Line():
                self._line(event)
            case TaskChanged():
                self._task_changed(event)
            case JobProgressed():
                self.job.progress_current = event.current
                self.job.progress_total = event.total if event.total is not None else self.job.progress_total
            case JobStarted():
                self._started(event)
            case JobFinished():
                self._finished(event)

    def _time(self, at: datetime | None) -> datetime:
        return self.now if at is None else storable_time(at)

    def _line(self, event: Line) -> None:
        stage, task_id, at, message, metadata = event.stage, event.task_id, event.at, event.message, event.metadata
        if at is None:
            at = self.now
        elif at.tzinfo is None or not EARLIEST <= at <= LATEST:
            at = storable_time(at)
        place = self._places.get((stage, task_id)) or self._place(stage, task_id, at)
        task = place.task
        task.counts[event.level] += 1
        if at > task.last_at:
            task.last_at = at
        elif at < task.first_at:
            task.first_at = at
        if metadata is not None:
            metadata = storable_json(metadata)
        self.lines.append(NewLine(place.stage, place.task_id, at, event.level, storable(message), metadata))

    def _place(self, stage: str | None, task_id: str | None, at: datetime) -> _Place:
        """Work out once a batch where the lines of a stage and task belong."""
        stage_label = storable_label(stage or MAIN_STAGE)
        task_label = storable_label(task_id) if task_id else stage_label
        place = _Place(
            stage=stage_label,
            task_id=None if task_label == stage_label else task_label,
            task=self._task(stage_label, task_label, at),
        )
        self._places[stage, task_id] = place
        return place

    def _task_changed(self, event: TaskChanged) -> None:
        at = self._time(event.at)
        task = self._task(storable_label(event.stage or MAIN_STAGE), storable_label(event.task_id), at)
        task.name = _text(event.name) or task.name
        if task.finished_at is not None and at < task.finished_at:
            return
        task.status = event.status
        task.result = _text(event.result) or task.result
        task.finished_at = None if event.status is TaskStatus.RUNNING else at

    def _task(self, stage: str, task_id: str, at: datetime) -> TaskDelta:
        task = self.tasks.get((stage, task_id))
        if task is None:
            task = self.tasks[stage, task_id] = TaskDelta(first_line=len(self.lines), first_at=at, last_at=at)
        task.first_at = min(task.first_at, at)
        task.last_at = max(task.last_at, at)
        return task

    def _started(self, event: JobStarted) -> None:
        job = self.job
        job.handler_name = storable(event.handler_name)
        job.source = _text(event.source) or job.source
        job.execution_id = _label(event.execution_id) or job.execution_id
        job.schedule_id = _label(event.schedule_id) or job.schedule_id
        job.parent_job_id = _label(event.parent_job_id) or job.parent_job_id
        job.metadata = storable_json(event.metadata) if event.metadata is not None else job.metadata
        job.progress_total = event.total if event.total is not None else job.progress_total
        at = self._time(event.at)
        if self._is_late(at):
            return
        job.status = JobStatus.RUNNING
        job.is_restarted = True
        job.started_at = at
        job.finished_at = job.error = job.result = None

    def _finished(self, event: JobFinished) -> None:
        at = self._time(event.at)
        if self._is_late(at):
            return
        self.job.status = event.status
        self.job.finished_at = at
        self.job.error = _text(event.error)
        self.job.result = _text(event.result)

    def _is_late(self, at: datetime) -> bool:
        """Tell whether the job has ended since, as append.sql does over the batches."""
        return self.job.finished_at is not None and at < self.job.finished_at


def _text(value: str | None) -> str | None:
    return None if value is None else storable(value)


def _label(value: str | None) -> str | None:
    return None if value is None else storable_label(value)
