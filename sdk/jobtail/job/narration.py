"""The narration of a job as events: which emission becomes which line, in the stage and task that the job is in.

It knows nothing of the emitter that is wrapped, nor of how events are sent.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from datetime import UTC, datetime
from typing import Any

from jobtail.current import present
from jobtail.events import (
    MAIN_STAGE,
    JobFinished,
    JobProgressed,
    JobStatus,
    Line,
    LogLevel,
    TaskChanged,
    TaskStatus,
)
from jobtail.job.calls import Call
from jobtail.job.exception_text import exception_name
from jobtail.jsonable import jsonable_object, shown
from jobtail.process.fork_hooks import ForkedLock, renew_after_fork
from jobtail.sink import EventWriter

SHOWN_LENGTH = 80
"""Where a value is cut in a message that is made of arguments; the metadata holds it whole."""

_tasks = ForkedLock()
"""Of all jobs, for the moment in which one notes a task. Reentrant: a signal handler may emit within an emission."""

_ERROR_ENDINGS = ("error", "failed", "failure")


class Narration:
    """One job's story as one emitter tells it: the current stage, the open tasks, and an event for what is said."""

    def __init__(self, writer: EventWriter, job_id: str, *, keeps_completion: bool = False) -> None:
        """Begin a job's story.

        Args:
            writer: takes the events.
            job_id: the job's.
            keeps_completion: emit_complete leaves its result in `result` and the end to whoever leaves the job, who
                knows whether it came to a good one.
        """
        self.writer = writer
        self.job_id = job_id
        self.result: str | None = None
        self._keeps_completion = keeps_completion
        self._stage: str | None = None
        self._stage_of_task: dict[str, str] = {}
        self._open_tasks: dict[str, str] = {}
        self._current_task: tuple[str, str] | None = None
        """Stage and id, where exactly one task is open: several in parallel cannot be told apart."""
        renew_after_fork(_tasks)

    def here(self) -> tuple[str | None, str | None]:
        """Tell the stage and the task that a line belongs to which names neither."""
        stage = self._present_stage()
        return stage, self._task_in(stage)

    def stage(self, call: Call) -> None:
        stage = _label(call.take_in_turn("stage", "stage_name", "name"))
        message = call.take_in_turn("message", "text")
        self._stage = stage
        self._say(call, shown(message) if message is not None else stage or "", stage=stage)

    def info(self, call: Call) -> None:
        message = call.take_in_turn("message", "text")
        self._say(call, "" if message is None else shown(message))

    def progress(self, call: Call) -> None:
        count = call.take_in_turn("count", "current", "done")
        call.name_metadata()
        total = _total(call.rest)
        message = f"Progress: {shown(count)}" if total is None else f"Progress: {shown(count)} of {total}"
        self._say(call, message)
        if isinstance(count, int) and not isinstance(count, bool):
            self.writer.capture(JobProgressed(job_id=self.job_id, current=int(count), total=total))

    def complete(self, call: Call) -> None:
        result: str | None
        summary = call.take_in_turn("summary", "message", "result")
        if isinstance(summary, Mapping) or (is_dataclass(summary) and not isinstance(summary, type)):
            facts = jsonable_object(summary)
            result = json.dumps(facts, ensure_ascii=False)
            self._say(call, "Completed", facts=facts)
        else:
            result = None if summary is None else shown(summary)
            self._say(call, result or "Completed")
        self.result = result
        if not self._keeps_completion:
            self.writer.capture(
                JobFinished(job_id=self.job_id, status=JobStatus.COMPLETED, result=result, at=datetime.now(UTC)),
            )

    def error(self, call: Call) -> None:
        stage = call.take("stage", "stage_name")
        error = call.take_in_turn("error", "exception", "message")
        if error is None:  # only one was passed: what went wrong, in the stage that we are in
            stage, error = None, stage
        message, facts = shown(error), None
        if isinstance(error, BaseException):
            message = message or type(error).__qualname__
            facts = _exception_facts(error)
        self._say(call, message, level=LogLevel.ERROR, stage=_label(stage), facts=facts)

    def task_added(self, call: Call) -> None:
        task_id = shown(call.take_first("task_id", "id"))
        name = call.take_in_turn("name", "title")
        stage = self._present_stage() or MAIN_STAGE
        with _tasks:
            self._stage_of_task[task_id] = self._open_tasks[task_id] = stage
            self._choose_current_task()
        self._change_task(stage, task_id, TaskStatus.RUNNING, name=None if name is None else shown(name))

    def task_updated(self, call: Call) -> None:
        task_id = shown(call.take_first("task_id", "id"))
        completed = call.take_in_turn("completed")
        result = call.take_in_turn("result")
        status = TaskStatus.COMPLETED if completed else TaskStatus.RUNNING if result is None else TaskStatus.FAILED
        with _tasks:
            stage = self._stage_of_task.setdefault(task_id, self._present_stage() or MAIN_STAGE)
            if status is TaskStatus.RUNNING:
                self._open_tasks[task_id] = stage
            else:
                self._open_tasks.pop(task_id, None)
            self._choose_current_task()
        self._change_task(stage, task_id, status, result=None if result is None else shown(result))

    def other(self, name: str, call: Call) -> None:
        """An emission that only the job's domain knows, such as emit_candidate_match."""
        level = call.take_level() or _level_by_name(name)
        said = dict(call.rest)
        message = call.take_text("message", "text", "summary", "reason")
        self._say(call, message or _described(name, said), level=level)

    def _say(
        self,
        call: Call,
        message: str,
        *,
        stage: str | None = None,
        level: LogLevel = LogLevel.INFO,
        facts: dict[str, Any] | None = None,
    ) -> None:
        task_id: str | None = None
        metadata: dict[str, Any] | None = None
        if call.rest:
            level = call.take_level() or level
            task_id = _label(call.take_id(self.job_id))
            metadata = jsonable_object(call.take_metadata())
        if facts is not None:
            metadata = facts if metadata is None else {**metadata, **facts}
        if stage is None:
            stage = self._present_stage()
        if task_id is None:
            task_id = self._task_in(stage)
        self.writer.capture(
            # Not by Line.now: a twentieth of what an emission takes.
            Line(
                job_id=self.job_id,
                message=message,
                level=level,
                stage=stage,
                task_id=task_id,
                at=datetime.now(UTC),
                metadata=metadata,
            ),
        )

    def _present_stage(self) -> str | None:
        """The one that a context manager opened comes before the one that was last emitted."""
        place = present()
        if place is None or place.stage is None or place.job_id != self.job_id:
            return self._stage
        return place.stage

    def _task_in(self, stage: str | None) -> str | None:
        place = present()
        if place is not None and place.task_id is not None and place.stage == stage and place.job_id == self.job_id:
            return place.task_id
        current = self._current_task
        return current[1] if current is not None and current[0] == (stage or MAIN_STAGE) else None

    def _choose_current_task(self) -> None:
        tasks = self._open_tasks
        self._current_task = next((stage, task_id) for task_id, stage in tasks.items()) if len(tasks) == 1 else None

    def _change_task(
        self,
        stage: str,
        task_id: str,
        status: TaskStatus,
        *,
        name: str | None = None,
        result: str | None = None,
    ) -> None:
        self.writer.capture(
            TaskChanged(
                job_id=self.job_id,
                stage=stage,
                task_id=task_id,
                status=status,
                name=name,
                result=result,
                at=datetime.now(UTC),
            ),
        )


EMISSIONS: dict[str, tuple[Callable[[Narration, Call], None], tuple[str, ...]]] = {
    "emit_stage": (Narration.stage, ("stage", "message")),
    "emit_info": (Narration.info, ("message",)),
    "emit_progress": (Narration.progress, ("count", "metadata")),
    "emit_complete": (Narration.complete, ("summary",)),
    "emit_error": (Narration.error, ("stage", "error")),
    "add_task": (Narration.task_added, ("task_id", "name")),
    "update_task_status": (Narration.task_updated, ("task_id", "completed", "result")),
}
"""By the method that is called: what it means, and how its parameters are usually called."""


def _label(value: Any) -> str | None:
    return None if value is None else shown(value) or None


def _total(rest: Mapping[str, Any]) -> int | None:
    metadata = rest.get("metadata")
    total = metadata.get("total") if isinstance(metadata, Mapping) else None
    total = rest.get("total") if total is None else total
    return int(total) if isinstance(total, int) and not isinstance(total, bool) else None


def _exception_facts(error: BaseException) -> dict[str, Any]:
    facts = {"exception": exception_name(error)}
    if error.__traceback__ is not None:
        facts["traceback"] = "".join(traceback.format_exception(error))
    return facts


def _level_by_name(name: str) -> LogLevel:
    if name.endswith(_ERROR_ENDINGS):
        return LogLevel.ERROR
    return LogLevel.WARNING if "warning" in name else LogLevel.INFO


def _described(name: str, said: Mapping[str, Any]) -> str:
    words = name.removeprefix("emit_").replace("_", " ").strip()
    facts = " ".join(f"{key}={_short(value)}" for key, value in said.items() if _is_short_kind(value))
    title = words[:1].upper() + words[1:]
    return f"{title}: {facts}" if facts else title


def _is_short_kind(value: Any) -> bool:
    return isinstance(value, str | int | float)


def _short(value: Any) -> str:
    text = shown(value)
    return text if len(text) <= SHOWN_LENGTH else text[: SHOWN_LENGTH - 1] + "…"
