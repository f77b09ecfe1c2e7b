"""The fields of capture events, checked by hand: a request has hundreds of events, and milliseconds for them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from domain.logs import storable_time
from graph.formats.levels import level_of_name
from jobtail.events import (
    Event,
    JobFinished,
    JobProgressed,
    JobStarted,
    JobStatus,
    Line,
    LogLevel,
    TaskChanged,
    TaskStatus,
)

END = 2**63
"""Where whole numbers of 64 bits end."""
EXACT = 2**53 - 1
"""The largest whole number that every reader of JSON takes for what it is: what is served has to be within it."""
_SHOWN = 60


class Wrong(Exception):
    """What is wrong with a line, before its number is known."""

    @classmethod
    def of(cls, name: str, wanted: str, value: Any) -> Wrong:
        if value is None:
            return cls(f"{name} is missing: it must be {wanted}")
        said = repr(value) if not isinstance(value, dict | list) else type(value).__name__
        return cls(f"{name} must be {wanted}, not {said if len(said) <= _SHOWN else said[:_SHOWN] + '...'}")


def _line(job_id: str, fields: dict[str, Any]) -> Line:
    get = fields.get
    message, stage, task_id = get("message"), get("stage"), get("task_id")
    level, at, metadata = get("level"), get("at"), get("metadata")
    if type(message) is not str:
        raise Wrong.of("message", "a string", message)
    if stage is not None and type(stage) is not str:
        raise Wrong.of("stage", "a string", stage)
    if task_id is not None and type(task_id) is not str:
        raise Wrong.of("task_id", "a string", task_id)
    if metadata is not None and type(metadata) is not dict:
        raise Wrong.of("metadata", "an object", metadata)
    return Line(
        job_id=job_id,
        message=message,
        level=_LEVELS[level] if type(level) is str and level in _LEVELS else _level(level),
        stage=stage,
        task_id=task_id,
        at=None if at is None else _time(at),
        metadata=metadata,
    )


def _job_started(job_id: str, fields: dict[str, Any]) -> JobStarted:
    return JobStarted(
        job_id=job_id,
        handler_name=_text(fields, "handler_name"),
        source=_optional_text(fields, "source"),
        execution_id=_optional_text(fields, "execution_id"),
        schedule_id=_optional_text(fields, "schedule_id"),
        parent_job_id=_optional_text(fields, "parent_job_id"),
        metadata=_metadata(fields),
        total=_optional_whole(fields, "total"),
        at=_at(fields),
    )


def _progress(job_id: str, fields: dict[str, Any]) -> JobProgressed:
    current = _optional_whole(fields, "current")
    if current is None:
        raise Wrong.of("current", "a whole number", None)
    return JobProgressed(job_id=job_id, current=current, total=_optional_whole(fields, "total"))


def _task(job_id: str, fields: dict[str, Any]) -> TaskChanged:
    task_id = _text(fields, "task_id")
    if not task_id:
        raise Wrong.of("task_id", "a string that is not empty", task_id)
    return TaskChanged(
        job_id=job_id,
        stage=_text(fields, "stage"),
        task_id=task_id,
        status=TaskStatus(_status(fields, TASK_STATUSES)),
        name=_optional_text(fields, "name"),
        result=_optional_text(fields, "result"),
        at=_at(fields),
    )


def _job_finished(job_id: str, fields: dict[str, Any]) -> JobFinished:
    return JobFinished(
        job_id=job_id,
        status=JobStatus(_status(fields, FINAL_STATUSES)),
        error=_optional_text(fields, "error"),
        result=_optional_text(fields, "result"),
        at=_at(fields),
    )


READERS: dict[str, Callable[[str, dict[str, Any]], Event]] = {
    "job.started": _job_started,
    "line": _line,
    "progress": _progress,
    "task": _task,
    "job.finished": _job_finished,
}
TASK_STATUSES = [status.value for status in TaskStatus]
FINAL_STATUSES = [status.value for status in JobStatus if status.is_final]
_LEVELS = {level.name: level for level in LogLevel}
"""What nearly every line says, found without a call."""


def _level(value: Any) -> LogLevel:
    if value is None:
        return LogLevel.INFO
    level = None
    if type(value) is str:
        level = level_of_name(value)
    elif type(value) is int:
        level = LogLevel.at_or_below(value)
    if level is None:
        raise Wrong.of("level", f"one of {', '.join(_LEVELS)} or a number of Python's logging", value)
    return level


def _time(value: Any) -> datetime:
    """Read a time of any year: a clock may be wrong, and its line shall not be lost."""
    if type(value) is str:
        try:
            # RFC 3339 has t and z in either case.
            time = datetime.fromisoformat(value if value.endswith("Z") else value.upper())
        except ValueError:
            pass
        else:
            if time.tzinfo is UTC:
                return time
            if time.tzinfo is not None:
                return storable_time(time)
    raise Wrong.of("at", "an RFC 3339 time with an offset such as 2025-01-15T10:30:00.123456Z", value)


def _at(fields: dict[str, Any]) -> datetime | None:
    value = fields.get("at")
    return None if value is None else _time(value)


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if type(value) is not str:
        raise Wrong.of(name, "a string", value)
    return value


def _optional_text(fields: dict[str, Any], name: str) -> str | None:
    return None if fields.get(name) is None else _text(fields, name)


def _optional_whole(fields: dict[str, Any], name: str) -> int | None:
    value = fields.get(name)
    if value is None:
        return None
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise Wrong.of(name, "a whole number within 64 bits", value)
    if not -EXACT <= value <= EXACT:
        raise Wrong.of(name, f"a whole number that JSON holds exactly, from -{EXACT} to {EXACT}", value)
    return value


def _metadata(fields: dict[str, Any]) -> dict[str, Any] | None:
    value = fields.get("metadata")
    if value is None or type(value) is dict:
        return value
    raise Wrong.of("metadata", "an object", value)


def _status(fields: dict[str, Any], statuses: list[str]) -> str:
    value = fields.get("status")
    if type(value) is not str or value not in statuses:
        raise Wrong.of("status", f"one of {', '.join(statuses)}", value)
    return value
