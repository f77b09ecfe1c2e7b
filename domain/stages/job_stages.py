"""The stages of a job from the columns of its tasks: what is asked of all of them is answered without an object of each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from operator import add

from domain.jobs import Job, LogCounts
from domain.stages.stage_status import (
    ENDS,
    Stage,
    StageRecord,
    Standing,
    TaskColumns,
    stage_status,
    stages_of,
    task_status,
)
from jobtail.events import TaskStatus


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """A job with its stages. Requests that ask for it at the same time share it."""

    job: Job
    stages: JobStages | None
    """None where its tasks are too many to be loaded with it."""


class JobStages:
    """The stages of a job in order of first occurrence, from all of its tasks.

    Those come by stage, and in order of first occurrence within one.
    """

    def __init__(self, job: Job, tasks: TaskColumns) -> None:
        self._job = job
        self.tasks = tasks
        self.parts = _parts(tasks)
        """Where the tasks of each stage are."""

    @cached_property
    def stages(self) -> list[Stage]:
        return stages_of(self._job, [_sum(self.tasks[part]) for part in self.parts])

    @cached_property
    def names(self) -> list[str]:
        names = self.tasks.column("stage")
        return [names[part.start] for part in self.parts]

    @property
    def statuses(self) -> list[TaskStatus]:
        return [standing.status for standing in self._standings]

    @cached_property
    def _standings(self) -> list[Standing]:
        job_end, latest = ENDS.get(self._job.status), self.parts[-1:]
        ids, stated, failures = self.tasks.column("task_id"), self.tasks.column("stated"), self._failures
        standings = []
        for name, part in zip(self.names, self.parts, strict=True):
            own = ids.index(name, part.start, part.stop) if name in ids[part] else None
            said, failed = (None, 0) if own is None else (stated[own], failures[own])
            status = stage_status(said, failed, job_end, is_latest=part in latest)
            standings.append(Standing(name, status, job_end))
        return standings

    @cached_property
    def _failures(self) -> list[int]:
        return _failures(self.tasks)

    def task_statuses(self) -> list[TaskStatus]:
        """Tell how the tasks stand, in their own order."""
        ids, stated, failures = self.tasks.column("task_id"), self.tasks.column("stated"), self._failures
        statuses: list[TaskStatus] = [TaskStatus.RUNNING] * len(ids)
        for part, standing in zip(self.parts, self._standings, strict=True):
            tasks = zip(ids[part], stated[part], failures[part], strict=True)
            statuses[part] = [task_status(standing, *task) for task in tasks]
        return statuses


def _parts(tasks: TaskColumns) -> list[slice]:
    """Find where the tasks of each stage are, in order of the stages' first occurrence."""
    parts, begin = [], 0
    for _, run in groupby(tasks.column("stage")):
        end = begin + len(list(run))
        parts.append(slice(begin, end))
        begin = end
    first_seqs, started_ats = tasks.column("first_seq"), tasks.column("started_at")
    return sorted(parts, key=lambda part: (first_seqs[part.start], min(started_ats[part])))


def _failures(tasks: TaskColumns) -> list[int]:
    """Count the lines at ERROR or above of each task."""
    return list(map(add, tasks.column("error"), tasks.column("critical")))


def _sum(tasks: TaskColumns) -> StageRecord:
    name, ids = tasks.column("stage")[0], tasks.column("task_id")
    place = ids.index(name) if name in ids else None
    return StageRecord(
        job_id=tasks.column("job_id")[0],
        name=name,
        first_seq=min(tasks.column("first_seq")),
        started_at=min(tasks.column("started_at")),
        last_at=max(tasks.column("last_at")),
        task_count=len(ids),
        log_counts=LogCounts(*map(sum, tasks.levels())),
        own_failures=0 if place is None else _failures(tasks)[place],
        stated=None if place is None else tasks.column("stated")[place],
    )
