"""Events as the service reads them: one JSON object a line, as docs/http.md says. It knows nothing of sending."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from json import JSONEncoder
from json.encoder import encode_basestring
from typing import Any

from jobtail.events import Event, JobFinished, JobProgressed, JobStarted, Line, NumberedEvent, TaskChanged
from jobtail.jsonable import jsonable_object, shown

_LONE_SURROGATES = re.compile("[\ud800-\udfff]")
_quoted = encode_basestring
"""The C function behind json.dumps(ensure_ascii=False): NUL becomes an escape, other planes stay as they are."""
_plain_json = JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def encode(events: Iterable[NumberedEvent]) -> bytes:
    """Write events as NDJSON in UTF-8. Raises nothing, whatever their texts and metadata hold."""
    heads: dict[tuple[str, str | None, str | None], str] = {}
    clock = _Clock()
    written = []
    for n, event in events:
        if type(event) is Line:
            place = (event.job_id, event.stage, event.task_id)
            head = heads.get(place)
            if head is None:
                head = heads[place] = _line_head(event)
            written.append(_line(head, n, event, clock))
        else:
            written.append(_other(n, event))
    written.append("")
    return _utf8("\n".join(written))


def rfc3339_at(moment: datetime) -> str:
    """Write a time in UTC with microseconds. One that UTC's calendar cannot hold keeps its own clock's digits."""
    if moment.tzinfo is not UTC:
        try:
            moment = moment.astimezone(UTC)
        except (OverflowError, OSError, ValueError):
            moment = moment.replace(tzinfo=UTC)
    return moment.isoformat(timespec="microseconds")[:26] + "Z"


def _line_head(event: Line) -> str:
    """Write what lines of one place have in common."""
    fields = {"job_id": event.job_id, "stage": event.stage, "task_id": event.task_id}
    said = "".join(f',"{name}":{_text(value)}' for name, value in fields.items() if value is not None)
    return f'{{"type":"line"{said},"n":'


class _Clock:
    """Writes times that follow each other. What two of the same second have in common is written once."""

    __slots__ = ("_second", "_written")

    def __init__(self) -> None:
        self._second = datetime(1, 1, 1, tzinfo=UTC)
        self._written = "0001-01-01T00:00:00."

    def rfc3339(self, moment: datetime) -> str:
        if moment.tzinfo is not UTC:
            return rfc3339_at(moment)
        since = moment - self._second
        if since.days or since.seconds:
            self._second = moment.replace(microsecond=0)
            self._written = rfc3339_at(moment)[:-7]
            return f"{self._written}{moment.microsecond:06}Z"
        return f"{self._written}{since.microseconds:06}Z"


def _line(head: str, n: int, event: Line, clock: _Clock) -> str:
    at, message, metadata = event.at, event.message, event.metadata
    message = _quoted(message if isinstance(message, str) else shown(message))
    dated = "" if at is None else f',"at":"{clock.rfc3339(at)}"'
    more = "" if metadata is None else f',"metadata":{_object(metadata)}'
    return f'{head}{n}{dated},"level":"{event.level.name}","message":{message}{more}}}'


def _other(n: int, event: Event) -> str:
    """Write an event that comes a few times a job, where clarity is worth more than a microsecond."""
    said = "".join(f',"{name}":{_value(value)}' for name, value in _fields(event).items() if value is not None)
    return f'{{"type":"{_TYPES[type(event)]}","n":{n},"job_id":{_text(event.job_id)}{said}}}'


def _fields(event: Event) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__slots__ if name != "job_id"}


_TYPES: dict[type, str] = {
    JobStarted: "job.started",
    Line: "line",
    JobProgressed: "progress",
    TaskChanged: "task",
    JobFinished: "job.finished",
}


def _value(value: Any) -> str:
    match value:
        case datetime():
            return f'"{rfc3339_at(value)}"'
        case Mapping():
            return _object(value)
        case int() if not isinstance(value, bool):
            return str(int(value))
        case _:
            return _text(value)


def _text(value: Any) -> str:
    written: str = _quoted(str.__str__(value) if isinstance(value, str) else shown(value))
    return written


def _object(metadata: Mapping[str, Any]) -> str:
    try:
        return _plain_json(metadata)
    except Exception:  # noqa: BLE001 - an emitter of one's own may pass what is not plain
        return _plain_json(jsonable_object(metadata))


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _LONE_SURROGATES.sub("\ufffd", text).encode()
