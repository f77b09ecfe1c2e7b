"""OpenTelemetry's log records as lines of jobs. It knows nothing of HTTP and of where lines go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from domain.logs import storable_label
from graph.formats.levels import level_of_name
from jobtail.events import Line, LogLevel
from jobtail.jsonable import jsonable, shown

PREFIX = "jobtail."
STACKTRACE = "exception.stacktrace"
SERVICE_NAME = "service.name"
NO_SERVICE = "unknown_service"
"""What SDKs say, with the program's name behind it, where nobody has named the service."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LEVELS = list(LogLevel)


@dataclass(slots=True)
class JobRecords:
    """What one request says of one job. The execution and the service are those named first."""

    lines: list[Line] = field(default_factory=list)
    execution_id: str | None = None
    service_name: str | None = None


@dataclass(slots=True)
class Placed:
    """A request's records by job id, and how many have none."""

    jobs: dict[str, JobRecords] = field(default_factory=dict)
    unplaced: int = 0


def place(request: ExportLogsServiceRequest, now: datetime) -> Placed:
    """Find the job of every record. `now` dates those that carry no time."""
    placed = Placed()
    for of_resource in request.resource_logs:
        resource = _attributes(of_resource.resource.attributes)
        for of_scope in of_resource.scope_logs:
            around = _Around(of_scope.scope, resource)
            for record in of_scope.log_records:
                _place(record, around, now, placed)
    return placed


class _Around:
    """What a record inherits: the attributes of its scope and of its resource."""

    def __init__(self, scope: InstrumentationScope, resource: Mapping[str, Any]) -> None:
        self.attributes = {**resource, **_attributes(scope.attributes)}
        self.scope_name = scope.name
        name = _label(resource.get(SERVICE_NAME))
        self.service_name = None if name is None or name.startswith(NO_SERVICE) else name


def _place(record: LogRecord, around: _Around, now: datetime, placed: Placed) -> None:
    own = _attributes(record.attributes)
    known = {**around.attributes, **own}
    trace_id = _hex(record.trace_id)
    job_id = _label(known.get(f"{PREFIX}job_id")) or trace_id
    if job_id is None:
        placed.unplaced += 1
        return
    job = placed.jobs.setdefault(storable_label(job_id), JobRecords())
    job.execution_id = job.execution_id or _label(known.get(f"{PREFIX}execution_id"))
    job.service_name = job.service_name or around.service_name
    stage = _label(known.get(f"{PREFIX}stage"))
    job.lines.append(
        Line(
            job_id=job_id,
            message=_message(record, own),
            level=_level(record),
            stage=stage or around.scope_name or None,
            task_id=_label(known.get(f"{PREFIX}task_id")),
            at=_time(record, now),
            metadata=_metadata(record, own, around, is_scope_told=stage is None),
        )
    )


def _message(record: LogRecord, attributes: Mapping[str, Any]) -> str:
    """Give the body as text, a structured one as JSON, with the traceback behind it."""
    body = _value(record.body)
    if body is None:
        body = record.event_name
    said = jsonable(body)
    text = said if isinstance(said, str) else orjson.dumps(said).decode()
    traceback = attributes.get(STACKTRACE)
    if isinstance(traceback, str) and traceback.strip() and traceback.strip() not in text:
        return f"{text}\n{traceback.rstrip()}"
    return text


def _level(record: LogRecord) -> LogLevel:
    """Find the level: four numbers of OpenTelemetry make one, and 0 is none."""
    number = record.severity_number
    if number > 0:
        return _LEVELS[min((number - 1) // 4, len(_LEVELS) - 1)]
    return level_of_name(record.severity_text) or LogLevel.INFO


def _time(record: LogRecord, now: datetime) -> datetime:
    nanoseconds = record.time_unix_nano or record.observed_time_unix_nano
    return _EPOCH + timedelta(microseconds=nanoseconds // 1000) if nanoseconds else now


def _metadata(
    record: LogRecord, attributes: Mapping[str, Any], around: _Around, *, is_scope_told: bool
) -> dict[str, Any] | None:
    hidden = {STACKTRACE} if isinstance(attributes.get(STACKTRACE), str) else set()
    said = {name: value for name, value in attributes.items() if not name.startswith(PREFIX) and name not in hidden}
    besides = {
        "trace_id": _hex(record.trace_id),
        "span_id": _hex(record.span_id),
        "event_name": record.event_name if record.HasField("body") else None,
        SERVICE_NAME: around.service_name,
        "otel.scope.name": None if is_scope_told else around.scope_name,
    }
    metadata = jsonable({**said, **{name: value for name, value in besides.items() if value}})
    return metadata or None


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    match kind:
        case None:
            return None
        case "array_value":
            return [_value(item) for item in value.array_value.values]
        case "kvlist_value":
            return _attributes(value.kvlist_value.values)
        case _:
            return getattr(value, kind)


def _label(value: Any) -> str | None:
    return None if value is None else shown(value) or None


def _hex(identifier: bytes) -> str | None:
    """Write an id of a trace or a span; zeros mean that there is none."""
    return identifier.hex() if any(identifier) else None
