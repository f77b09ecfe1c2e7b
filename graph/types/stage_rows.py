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
from graph.plans.columns import Lists, Rows
from graph.relay.connections import Connection
from graph.types.inputs import given
from graph.types.log_counts import CountRows, duration
from graph.types.stages import Stage, StageStatus, Task, TaskRows
from jobtail.events import TaskStatus

_STATUSES = {status: StageStatus(status.value) for status in TaskStatus}


def _of_each(read: Callable[[hierarchy.Stage], Any], rows: StageRows) -> Sequence[Any]:
    return list(map(read, rows.stages.stages))


class StageRows(Rows):
    """All stages of a job."""

    def __init__(self, stages: JobStages) -> None:
        self.stages = stages
        self.shared = stages

    def __len__(self) -> int:
        return len(self.stages.parts)

    def make(self) -> Sequence[Stage]:
        tasks, parts = self.stages.tasks, self.stages.parts
        return [Stage.from_domain(stage, tasks[part]) for stage, part in zip(self.stages.stages, parts, strict=True)]

    def shown(self, tasks: Sequence[hierarchy.TaskRecord]) -> list[Task]:
        """Show all tasks of the job, in their own order."""
        made: dict[int, Task] = {}
        for stage, part in zip(self.objects, self.stages.parts, strict=True):
            made |= zip(range(part.start, part.stop), stage.shown(tasks[part]), strict=True)
        return [made[place] for place in range(len(tasks))]

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

    def __init__(self, stages: StageRows, limit: int, connect: Callable[[Stage], Connection[Task]]) -> None:
        self._stages = stages
        self._limit = limit
        self._connect = connect

    def __len__(self) -> int:
        return len(self._stages)

    def make(self) -> Sequence[Connection[Task]]:
        return [self._connect(stage) for stage in self._stages]

    def _nodes(self) -> Lists:
        stages, limit = self._stages.stages, self._limit
        parts = [slice(part.start, min(part.start + limit, part.stop)) for part in stages.parts]
        return Lists(TaskRows(stages.tasks, lambda _: stages.task_statuses(), self._stages.shown), parts)

    columns: ClassVar = {"nodes": _nodes}
