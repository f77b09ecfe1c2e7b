"""OpenTelemetry's log records as lines of jobs. It knows nothing of HTTP, of encodings, and of where lines go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from domain.logs import storable_label
from domain.memory import memory_of
from graph.capture.otlp_severities import level_of
from jobtail.events import Line
from jobtail.jsonable import jsonable, shown

PREFIX = "jobtail."
PLACES = frozenset({f"{PREFIX}{name}" for name in ("job_id", "execution_id", "stage", "task_id")})
"""The attributes that say where a line belongs. They are no metadata of it."""
EXPORTER = ("telemetry.", "service.instance.id")
"""What attributes of the resource begin with that SDKs add by themselves: of the exporter, and a random name of its process."""
STACKTRACE = "exception.stacktrace"
SERVICE_NAME = "service.name"
NO_SERVICE = "unknown_service"
"""What SDKs say, with the program's name behind it, where nobody has named the service."""
LINE_BYTES = 700
"""What a line takes beside its text and its metadata."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BadRecord(ValueError):
    """A record that cannot be read. It is rejected alone."""


@dataclass(slots=True)
class Record:
    """A log record as its encoding was read."""

    body: Any = None
    has_body: bool = False
    event_name: str = ""
    severity_number: int = 0
    severity_text: str = ""
    time_unix_nano: int = 0
    attributes: Mapping[str, Any] = field(default_factory=dict)
    trace_id: str | None = None
    span_id: str | None = None


class Surroundings:
    """What records inherit: the attributes of their scope and of their resource, the nearer before the further."""

    def __init__(
        self, resource: Mapping[str, Any], scope: Mapping[str, Any], *, scope_name: str = "", scope_version: str = ""
    ) -> None:
        self.attributes = {**resource, **scope}
        self.scope_name = scope_name
        name = _label(resource.get(SERVICE_NAME))
        self.service_name = None if name is None or name.startswith(NO_SERVICE) else name
        kept = {
            name: value
            for name, value in resource.items()
            if name not in PLACES and name != SERVICE_NAME and not name.startswith(EXPORTER)
        }
        kept |= {name: value for name, value in scope.items() if name not in PLACES}
        kept |= {SERVICE_NAME: self.service_name} if self.service_name else {}
        kept |= {"otel.scope.version": scope_version} if scope_version else {}
        self.metadata: Mapping[str, Any] = jsonable(kept)


@dataclass(slots=True)
class JobRecords:
    """What one request says of one job. The execution and the service are those named first."""

    lines: list[Line] = field(default_factory=list)
    execution_id: str | None = None
    service_name: str | None = None


@dataclass(slots=True)
class Placed:
    """A request's records by job id, and how many have none or cannot be read."""

    now: datetime
    """Dates the records that carry no time."""
    jobs: dict[str, JobRecords] = field(default_factory=dict)
    unplaced: int = 0
    unread: int = 0
    memory_bytes: int = 0
    """What the lines take."""

    def add(self, record: Record, around: Surroundings) -> None:
        """Find the record's job, and make a line of it."""
        own, inherited = record.attributes, around.attributes
        job_id = _label(own.get("jobtail.job_id", inherited.get("jobtail.job_id"))) or record.trace_id
        if job_id is None:
            self.unplaced += 1
            return
        job = self.jobs.setdefault(storable_label(job_id), JobRecords())
        execution_id = own.get("jobtail.execution_id", inherited.get("jobtail.execution_id"))
        job.execution_id = job.execution_id or _label(execution_id)
        job.service_name = job.service_name or around.service_name
        stage = _label(own.get("jobtail.stage", inherited.get("jobtail.stage")))
        message, metadata = _message(record), _metadata(record, around, is_scope_told=stage is None)
        job.lines.append(
            Line(
                job_id=job_id,
                message=message,
                level=level_of(record.severity_number, record.severity_text),
                stage=stage or around.scope_name or None,
                task_id=_label(own.get("jobtail.task_id", inherited.get("jobtail.task_id"))),
                at=_EPOCH + timedelta(microseconds=record.time_unix_nano // 1000)
                if record.time_unix_nano
                else self.now,
                metadata=metadata,
            )
        )
        self.memory_bytes += LINE_BYTES + 3 * len(message) + 2 * memory_of(metadata)


def _message(record: Record) -> str:
    """Give the body as text, a structured one as JSON, with the traceback behind it."""
    said = jsonable(record.body if record.has_body else record.event_name)
    text = "" if said is None else said if isinstance(said, str) else orjson.dumps(said).decode()
    traceback = record.attributes.get(STACKTRACE)
    if isinstance(traceback, str) and traceback.strip() and traceback.strip() not in text:
        return "\n".join(filter(None, (text, traceback.rstrip())))
    return text


def _metadata(record: Record, around: Surroundings, *, is_scope_told: bool) -> dict[str, Any] | None:
    own = jsonable({name: value for name, value in record.attributes.items() if name not in PLACES})
    if isinstance(stacktrace := own.get(STACKTRACE), str) and stacktrace.strip():
        del own[STACKTRACE]
    metadata = {**around.metadata, **own, **dict(_besides(record, around, is_scope_told=is_scope_told))}
    return metadata or None


def _besides(record: Record, around: Surroundings, *, is_scope_told: bool) -> Iterator[tuple[str, str]]:
    """Yield what is no attribute."""
    if record.trace_id is not None:
        yield "trace_id", record.trace_id
    if record.span_id is not None:
        yield "span_id", record.span_id
    if record.has_body and record.event_name:
        yield "event_name", record.event_name
    if around.scope_name and not is_scope_told:
        yield "otel.scope.name", around.scope_name


def _label(value: Any) -> str | None:
    return None if value is None else shown(value) or None
