"""Stages and tasks, and how their statuses follow from what was captured.

The counters and times of a task are stored; the status of a stage is not, unless the job stated it: it follows from the
lines, from the stages that came later, and from how the job ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, NamedTuple, overload

from domain.jobs import Job, LogCounts
from domain.pages import Columnar
from jobtail.events import JobStatus, TaskStatus

ENDS: Mapping[JobStatus, TaskStatus] = {
    JobStatus.COMPLETED: TaskStatus.COMPLETED,
    JobStatus.FAILED: TaskStatus.FAILED,
    JobStatus.CANCELLED: TaskStatus.CANCELLED,
}
_OPEN = frozenset({TaskStatus.RUNNING, TaskStatus.CANCELLED})
_FINAL_OTHERWISE = (TaskStatus.FAILED, TaskStatus.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRecord:
    """What is stored of a stage, over all of its tasks."""

    job_id: str
    name: str
    first_seq: int
    started_at: datetime
    last_at: datetime
    task_count: int
    log_counts: LogCounts
    own_failures: int
    """Lines of the stage itself at ERROR or above."""
    stated: TaskStatus | None
    """The status that the job stated for the stage, if it did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRecord:
    """What is stored of a task. The task named as its stage holds the lines of the stage itself."""

    job_id: str
    stage: str
    task_id: str
    name: str | None
    stated: TaskStatus | None
    result: str | None
    first_seq: int
    started_at: datetime
    last_at: datetime
    finished_at: datetime | None
    log_counts: LogCounts

    @property
    def is_stage_itself(self) -> bool:
        return self.task_id == self.stage


class TaskColumns(Columnar[TaskRecord]):
    """Tasks kept as columns, which bear the names of the attributes; `log_counts` is made of one for each level."""

    __slots__ = ("_columns", "_part")

    def __init__(self, columns: Mapping[str, Sequence[Any]], part: slice | None = None) -> None:
        self._columns = columns
        self._part = part

    def __len__(self) -> int:
        return len(self.column("task_id"))

    @overload
    def __getitem__(self, index: int) -> TaskRecord: ...

    @overload
    def __getitem__(self, index: slice) -> TaskColumns: ...

    def __getitem__(self, index: int | slice) -> TaskRecord | TaskColumns:
        if isinstance(index, slice):
            places = range(len(self))[index] if self._part is None else range(self._part.start, self._part.stop)[index]
            return TaskColumns(self._columns, slice(places.start, places.stop))
        return TaskRecord(**{each.name: self.column(each.name)[index] for each in fields(TaskRecord)})

    def column(self, name: str) -> Sequence[Any]:
        if name == "log_counts":
            return list(map(LogCounts, *self.levels()))
        column = self._columns[name]
        return column if self._part is None else column[self._part]

    def levels(self) -> list[Sequence[int]]:
        """List the counts of lines by level, in the order of `LogCounts`."""
        return [self.column(name) for name in LogCounts.NAMES.values()]


class Standing(NamedTuple):
    """What a stage's tasks depend on."""

    name: str
    status: TaskStatus
    job_end: TaskStatus | None
    """How the job ended, None while it goes on. What is stated to run runs no longer than its job."""


@dataclass(frozen=True, slots=True)
class Stage:
    record: StageRecord
    status: TaskStatus
    finished_at: datetime | None
    job_end: TaskStatus | None = None

    @property
    def standing(self) -> Standing:
        return Standing(self.record.name, self.status, self.job_end)


@dataclass(frozen=True, slots=True)
class Task:
    record: TaskRecord
    status: TaskStatus
    finished_at: datetime | None


def stages_of(job: Job, records: Sequence[StageRecord]) -> list[Stage]:
    """Give every stage its status and end. `records` are all stages of the job, in order of first occurrence."""
    if not records:
        return []
    ends: list[datetime | None] = [record.started_at for record in records[1:]]
    ends.append(job.finished_at)
    return [
        _stage(job, record, next_at, is_latest=record is records[-1])
        for record, next_at in zip(records, ends, strict=True)
    ]


def _stage(job: Job, record: StageRecord, next_at: datetime | None, *, is_latest: bool) -> Stage:
    job_end = ENDS.get(job.status)
    status = stage_status(record.stated, record.own_failures, job_end, is_latest=is_latest)
    finished_at = None if status is TaskStatus.RUNNING else max(record.last_at, next_at or record.last_at)
    return Stage(record, status, finished_at, job_end)


def stage_status(
    stated: TaskStatus | None, own_failures: int, job_end: TaskStatus | None, *, is_latest: bool
) -> TaskStatus:
    """Tell how a stage stands. A line of its own at ERROR or above fails it, however it was begun and ended."""
    if stated in _FINAL_OTHERWISE:
        return stated
    if own_failures:
        return TaskStatus.FAILED
    if stated is not None and not (stated is TaskStatus.RUNNING and job_end):
        return stated
    if not is_latest:
        return TaskStatus.COMPLETED
    return job_end or TaskStatus.RUNNING


def task_of(stage: Stage, record: TaskRecord) -> Task:
    """Give a task its status and end."""
    status = task_status(stage.standing, record.task_id, record.stated, record.log_counts.failures)
    if record.is_stage_itself:
        return Task(record, status, stage.finished_at)
    if record.stated is not None and status is record.stated:
        return Task(record, status, record.finished_at)
    return Task(record, status, None if status is TaskStatus.RUNNING else record.last_at)


def task_status(stage: Standing, task_id: str, stated: TaskStatus | None, failures: int) -> TaskStatus:
    """Tell how a task stands: as the job stated, else as its lines at ERROR or above and its stage tell."""
    if task_id == stage.name:
        return stage.status
    if stated is not None:
        return stage.job_end or stated if stated is TaskStatus.RUNNING else stated
    if failures:
        return TaskStatus.FAILED
    return stage.status if stage.status in _OPEN else TaskStatus.COMPLETED
