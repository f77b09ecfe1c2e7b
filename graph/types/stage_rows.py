"""The stages and tasks of a job that was loaded whole, answered by column: few requests ask for more than columns have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, ClassVar

from strawberry import UNSET

from domain.pages import window
from domain.stages import stage_status as hierarchy
from domain.stages.job_stages import JobStages
from graph.context import Info
from graph.formats.scalars import BigInt
from graph.plans.column_rows import Lists, Rows
from graph.relay.connections import Connection
from graph.types.inputs import given
from graph.types.log_counts import CountRows, duration
from graph.types.stages import Stage, StageStatus, Task
from jobtail.events import TaskStatus

_STATUSES = {status: StageStatus(status.value) for status in TaskStatus}


def _of_each(read: Callable[[hierarchy.Stage], Any], rows: StageRows) -> Sequence[Any]:
    return list(map(read, rows.stages.stages))


class StageRows(Rows):
    """All stages of a job."""

    kind = Stage

    def __init__(self, stages: JobStages) -> None:
        self.stages = stages
        self.completed = stages.completed

    def __len__(self) -> int:
        return len(self.stages.parts)

    def make(self) -> Sequence[Stage]:
        tasks, parts = self.stages.tasks, self.stages.parts
        return [Stage.from_domain(stage, tasks[part]) for stage, part in zip(self.stages.stages, parts, strict=True)]

    def _names(self) -> Sequence[str]:
        return self.stages.names

    def _statuses(self) -> Sequence[StageStatus]:
        return [_STATUSES[status] for status in self.stages.statuses]

    def _log_counts(self) -> Rows:
        return CountRows([[sum(level[part]) for part in self.stages.parts] for level in self.stages.tasks.levels()])

    def _tasks(self, info: Info, first: int | None, after: str | None = UNSET) -> Rows | Sequence[Connection[Task]]:
        limit = window(first=given(first)).limit
        if given(after) is not None:
            return [stage.tasks(info, first, after) for stage in self]
        return FirstTasks(self, limit, lambda stage: stage.tasks(info, first))

    def _durations(self) -> Sequence[BigInt | None]:
        return [duration(stage.record.started_at, stage.finished_at) for stage in self.stages.stages]

    columns: ClassVar = {
        "name": _names,
        "status": _statuses,
        "started_at": partial(_of_each, attrgetter("record.started_at")),
        "finished_at": partial(_of_each, attrgetter("finished_at")),
        "duration_ms": _durations,
        "log_counts": _log_counts,
        "task_count": partial(_of_each, attrgetter("record.task_count")),
        "tasks": _tasks,
    }


class FirstTasks(Rows):
    """The connection of each stage to its first tasks."""

    kind = Connection

    def __init__(self, stages: StageRows, limit: int, connect: Callable[[Stage], Connection[Task]]) -> None:
        self._stages = stages
        self._limit = limit
        self._connect = connect

    def __len__(self) -> int:
        return len(self._stages)

    def make(self) -> Sequence[Connection[Task]]:
        return [self._connect(stage) for stage in self._stages]

    def _nodes(self) -> Lists:
        stages = self._stages.stages
        return Lists(
            TaskRows(stages), [slice(part.start, min(part.start + self._limit, part.stop)) for part in stages.parts]
        )

    columns: ClassVar = {"nodes": _nodes}


def _column(name: str, rows: TaskRows) -> Sequence[Any]:
    return rows.stages.tasks.column(name)


class TaskRows(Rows):
    """All tasks of a job, in the order of its task columns."""

    kind = Task

    def __init__(self, stages: JobStages) -> None:
        self.stages = stages

    def __len__(self) -> int:
        return len(self.stages.tasks)

    def make(self) -> Sequence[Task]:
        tasks = self.stages.tasks
        made: dict[int, Task] = {}
        for stage, part in zip(self.stages.stages, self.stages.parts, strict=True):
            made |= {
                place: Task.from_domain(hierarchy.task_of(stage, tasks[place]))
                for place in range(part.start, part.stop)
            }
        return [made[place] for place in range(len(tasks))]

    def _statuses(self) -> Sequence[TaskStatus]:
        return self.stages.task_statuses()

    def _log_counts(self) -> Rows:
        return CountRows(self.stages.tasks.levels())

    columns: ClassVar = {
        **{name: partial(_column, name) for name in ("task_id", "name", "result", "started_at")},
        "status": _statuses,
        "log_counts": _log_counts,
    }
