"""Capture events as NDJSON: lines of bytes become events, or the first bad one is named.

It knows the contract's fields and nothing of HTTP. What a batch means to the database is the recorder's.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from typing import Any

import orjson

from domain.errors import InvalidInput
from domain.logs import storable_label
from graph.levels import level_of_name, level_of_number
from graph.times import read_time
from jobtail.events import (
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

MAX_EVENTS = 200_000
"""Of one request. A job's events are stored by one statement, which has to end within its time."""

_ROUNDED_FROM = 2.0**63
"""orjson reads a whole number beyond 64 bits as the nearest float."""
_MAX_DIGITS = 4_000
"""Python reads no longer numbers (sys.set_int_max_str_digits)."""
_END = 2**63
_SHOWN = 60
_BOM = b"\xef\xbb\xbf"


class BadLine(InvalidInput):
    """A line that is no capture event."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line


class EventReader:
    """Reads the events of one request, piece by piece, in the order of its lines."""

    def __init__(self) -> None:
        self.events: list[NumberedEvent] = []
        self._line = 0
        self._rest: list[bytes] = []
        self._unread_bytes = 0
        self._last_n: dict[str, int] = {}
        self._labels: dict[Any, str] = {}

    @property
    def unread_bytes(self) -> int:
        """How long the line is of which the end has not come yet."""
        return self._unread_bytes

    def feed(self, piece: bytes) -> None:
        """Take the next bytes of the body; a line may be spread over any number of them.

        Raises:
            BadLine: for the first line that is wrong.
        """
        head, newline, tail = piece.rpartition(b"\n")
        if not newline:
            self._rest.append(tail)
            self._unread_bytes += len(tail)
            return
        whole = b"".join((*self._rest, head)) if self._rest else head
        self._rest, self._unread_bytes = [tail] if tail else [], len(tail)
        self._read(whole)

    def finish(self) -> tuple[NumberedEvent, ...]:
        """Read the last line, which may lack its end, and give all events.

        Raises:
            BadLine: if it is wrong.
        """
        last, self._rest, self._unread_bytes = b"".join(self._rest), [], 0
        self._read(last)
        return tuple(self.events)

    def _read(self, lines: bytes) -> None:
        number = self._line
        if not number and lines.startswith(_BOM):
            lines = lines[len(_BOM) :]
        try:
            for line in lines.split(b"\n"):
                number += 1
                if line:
                    self._add(line)
        except _Wrong as wrong:
            raise BadLine(number, str(wrong)) from None
        if len(self.events) > MAX_EVENTS:
            raise BadLine(number, f"a request takes {MAX_EVENTS} events at most: send the rest in another")
        self._line = number

    def _add(self, line: bytes) -> None:
        """Read one event. Requests have hundreds, so what is right passes with few calls, and what is not is looked at twice."""
        try:
            fields = orjson.loads(line)
        except orjson.JSONDecodeError:
            if line.isspace():
                return
            fields = _lenient(line)
        if type(fields) is not dict:
            raise _Wrong("it must be a JSON object")
        if (metadata := fields.get("metadata")) is not None and _may_be_rounded(metadata):
            fields = _lenient(line)
        try:
            read = _READERS[fields["type"]]
        except (KeyError, TypeError):
            raise _Wrong.of("type", f"one of {', '.join(_READERS)}", fields.get("type")) from None
        try:
            label = self._labels[fields["job_id"]]
        except (KeyError, TypeError):
            label = self._label(fields.get("job_id"))
        n = fields.get("n")
        if type(n) is not int or not 0 < n < _END:
            raise _Wrong.of("n", "a whole number from 1 on", n)
        if n <= self._last_n[label]:
            raise _Wrong(f"n must rise within its job: {n} comes behind {self._last_n[label]}")
        self._last_n[label] = n
        self.events.append(NumberedEvent(n, read(label, fields)))

    def _label(self, job_id: Any) -> str:
        """Give the job's id as it is stored, so that two spellings of one job share its numbers."""
        if type(job_id) is not str or not job_id:
            raise _Wrong.of("job_id", "a string that is not empty", job_id)
        label = self._labels[job_id] = storable_label(job_id)
        self._last_n.setdefault(label, 0)
        return label


class _Wrong(Exception):
    """What is wrong with a line, before its number is known."""

    @classmethod
    def of(cls, name: str, wanted: str, value: Any) -> _Wrong:
        if value is None:
            return cls(f"{name} is missing: it must be {wanted}")
        said = repr(value) if not isinstance(value, dict | list) else type(value).__name__
        return cls(f"{name} must be {wanted}, not {said if len(said) <= _SHOWN else said[:_SHOWN] + '...'}")


def _may_be_rounded(metadata: Any) -> bool:
    values = [metadata]
    while values:
        value = values.pop()
        kind = type(value)
        if kind is dict:
            values.extend(value.values())
        elif kind is list:
            values.extend(value)
        elif kind is float and abs(value) >= _ROUNDED_FROM:
            return True
    return False


def _lenient(line: bytes) -> Any:
    """Read what orjson refuses or rounds: lone surrogates, bytes that are no UTF-8, NaN, numbers of any size."""
    try:
        return json.loads(
            line.decode("utf-8", "replace"),
            strict=False,
            parse_constant=str,
            parse_int=_whole,
            parse_float=_float,
        )
    except json.JSONDecodeError as error:
        raise _Wrong(f"it is no JSON: {error.msg} at column {error.colno}") from None
    except RecursionError:
        raise _Wrong("its JSON is nested too deep") from None


def _whole(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MAX_DIGITS else digits


def _float(digits: str) -> float | str:
    number = float(digits)
    return number if math.isfinite(number) else digits


def _line(job_id: str, fields: dict[str, Any]) -> Line:
    get = fields.get
    message, stage, task_id = get("message"), get("stage"), get("task_id")
    level, at, metadata = get("level"), get("at"), get("metadata")
    if type(message) is not str:
        raise _Wrong.of("message", "a string", message)
    if stage is not None and type(stage) is not str:
        raise _Wrong.of("stage", "a string", stage)
    if task_id is not None and type(task_id) is not str:
        raise _Wrong.of("task_id", "a string", task_id)
    if metadata is not None and type(metadata) is not dict:
        raise _Wrong.of("metadata", "an object", metadata)
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
        raise _Wrong.of("current", "a whole number", None)
    return JobProgressed(job_id=job_id, current=current, total=_optional_whole(fields, "total"))


def _task(job_id: str, fields: dict[str, Any]) -> TaskChanged:
    task_id = _text(fields, "task_id")
    if not task_id:
        raise _Wrong.of("task_id", "a string that is not empty", task_id)
    return TaskChanged(
        job_id=job_id,
        stage=_text(fields, "stage"),
        task_id=task_id,
        status=TaskStatus(_status(fields, _TASK_STATUSES)),
        name=_optional_text(fields, "name"),
        result=_optional_text(fields, "result"),
        at=_at(fields),
    )


def _job_finished(job_id: str, fields: dict[str, Any]) -> JobFinished:
    return JobFinished(
        job_id=job_id,
        status=JobStatus(_status(fields, _FINAL_STATUSES)),
        error=_optional_text(fields, "error"),
        result=_optional_text(fields, "result"),
        at=_at(fields),
    )


_READERS: dict[str, Callable[[str, dict[str, Any]], Event]] = {
    "job.started": _job_started,
    "line": _line,
    "progress": _progress,
    "task": _task,
    "job.finished": _job_finished,
}
_TASK_STATUSES = [status.value for status in TaskStatus]
_FINAL_STATUSES = [status.value for status in JobStatus if status.is_final]
_LEVELS = {level.name: level for level in LogLevel}
"""What nearly every line says, found without a call."""


def _level(value: Any) -> LogLevel:
    if value is None:
        return LogLevel.INFO
    level = None
    if type(value) is str:
        level = level_of_name(value)
    elif type(value) is int:
        level = level_of_number(value)
    if level is None:
        raise _Wrong.of("level", f"one of {', '.join(_LEVELS)} or a number of Python's logging", value)
    return level


def _time(value: Any) -> datetime:
    """Read a time; the common form, in UTC, without a look at the others."""
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        pass
    else:
        if time.tzinfo is UTC and MINYEAR < time.year < MAXYEAR:
            return time
    if (time_in_utc := read_time(value)) is None:
        raise _Wrong.of("at", "an RFC 3339 time with an offset such as 2025-01-15T10:30:00.123456Z", value)
    return time_in_utc


def _at(fields: dict[str, Any]) -> datetime | None:
    value = fields.get("at")
    return None if value is None else _time(value)


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if type(value) is not str:
        raise _Wrong.of(name, "a string", value)
    return value


def _optional_text(fields: dict[str, Any], name: str) -> str | None:
    return None if fields.get(name) is None else _text(fields, name)


def _optional_whole(fields: dict[str, Any], name: str) -> int | None:
    value = fields.get(name)
    if value is None:
        return None
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise _Wrong.of(name, "a whole number within 64 bits", value)
    return value


def _metadata(fields: dict[str, Any]) -> dict[str, Any] | None:
    value = fields.get("metadata")
    if value is None or type(value) is dict:
        return value
    raise _Wrong.of("metadata", "an object", value)


def _status(fields: dict[str, Any], statuses: list[str]) -> str:
    value = fields.get("status")
    if type(value) is not str or value not in statuses:
        raise _Wrong.of("status", f"one of {', '.join(statuses)}", value)
    return value
