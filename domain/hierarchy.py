"""Stages and tasks, and how their statuses follow from what was captured.

The counters and times of a task are stored; the status of a stage is not, unless the job stated it: it follows from the
lines, from the stages that came later, and from how the job ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any, overload

from domain.jobs import Job, LogCounts
from domain.pages import Columnar
from jobtail.events import JobStatus, TaskStatus

_ENDS = {
    JobStatus.COMPLETED: TaskStatus.COMPLETED,
    JobStatus.FAILED: TaskStatus.FAILED,
    JobStatus.CANCELLED: TaskStatus.CANCELLED,
}


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
    """Tasks kept as columns, which bear the names of the attributes."""

    __slots__ = ("_columns",)

    def __init__(self, columns: Mapping[str, Sequence[Any]]) -> None:
        self._columns = columns

    def __len__(self) -> int:
        return len(self._columns["task_id"])

    @overload
    def __getitem__(self, index: int) -> TaskRecord: ...

    @overload
    def __getitem__(self, index: slice) -> TaskColumns: ...

    def __getitem__(self, index: int | slice) -> TaskRecord | TaskColumns:
        found: dict[str, Any] = {name: values[index] for name, values in self._columns.items()}
        return TaskColumns(found) if isinstance(index, slice) else TaskRecord(**found)

    def column(self, name: str) -> Sequence[Any]:
        return self._columns[name]


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """A job with its tasks."""

    job: Job
    tasks: TaskColumns | None
    """By stage, in order of first occurrence within one. None where there are too many to be loaded with their job."""


@dataclass(frozen=True, slots=True)
class Stage:
    record: StageRecord
    status: TaskStatus
    finished_at: datetime | None
    job_end: TaskStatus | None = None
    """How the job ended, None while it goes on. What is stated to run runs no longer than its job."""


@dataclass(frozen=True, slots=True)
class Task:
    record: TaskRecord
    status: TaskStatus
    finished_at: datetime | None


def summed_up(tasks: TaskColumns) -> list[tuple[StageRecord, TaskColumns]]:
    """Sum up all tasks of a job, which come as in a `Hierarchy`, to its stages in order of first occurrence."""
    parts, begin = [], 0
    for name, run in groupby(tasks.column("stage")):
        own = tasks[begin : begin + len(list(run))]
        parts.append((_sum(name, own), own))
        begin += len(own)
    return sorted(parts, key=lambda part: (part[0].first_seq, part[0].started_at))


def _sum(name: str, tasks: TaskColumns) -> StageRecord:
    ids, counts = tasks.column("task_id"), tasks.column("log_counts")
    place = ids.index(name) if name in ids else None
    return StageRecord(
        job_id=tasks.column("job_id")[0],
        name=name,
        first_seq=min(tasks.column("first_seq")),
        started_at=min(tasks.column("started_at")),
        last_at=max(tasks.column("last_at")),
        task_count=len(ids),
        log_counts=LogCounts(*(sum(map(read, counts)) for read in _COUNTS)),
        own_failures=0 if place is None else counts[place].failures,
        stated=None if place is None else tasks.column("stated")[place],
    )


_COUNTS = [attrgetter(name) for name in LogCounts.NAMES.values()]


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
    job_end = _ENDS.get(job.status)
    stated = None if record.stated is TaskStatus.RUNNING and job_end else record.stated
    status = stated or _stage_status(record, job_end, is_latest=is_latest)
    finished_at = None if status is TaskStatus.RUNNING else max(record.last_at, next_at or record.last_at)
    return Stage(record, status, finished_at, job_end)


def _stage_status(record: StageRecord, job_end: TaskStatus | None, *, is_latest: bool) -> TaskStatus:
    if record.own_failures:
        return TaskStatus.FAILED
    if not is_latest:
        return TaskStatus.COMPLETED
    return job_end or TaskStatus.RUNNING


def task_of(stage: Stage, record: TaskRecord) -> Task:
    """Give a task its status and end."""
    status = task_status(stage, record.task_id, record.stated, record.log_counts.failures)
    if record.is_stage_itself:
        return Task(record, status, stage.finished_at)
    if record.stated is not None and status is record.stated:
        return Task(record, status, record.finished_at)
    return Task(record, status, None if status is TaskStatus.RUNNING else record.last_at)


def task_status(stage: Stage, task_id: str, stated: TaskStatus | None, failures: int) -> TaskStatus:
    """Tell how a task stands: as the job stated, else as its lines at ERROR or above and its stage tell."""
    if task_id == stage.record.name:
        return stage.status
    if stated is TaskStatus.RUNNING and stage.job_end:
        return stage.job_end
    if stated is not None:
        return stated
    if failures:
        return TaskStatus.FAILED
    is_open = stage.status in {TaskStatus.RUNNING, TaskStatus.CANCELLED}
    return stage.status if is_open else TaskStatus.COMPLETED
