"""The plain HTTP API, described for programs: OpenAPI 3.1. What follows from the code is taken from there."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, Final, TypeAlias

import orjson
from starlette.requests import Request
from starlette.responses import Response

from domain.access import Scope
from domain.pages import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE
from graph.capture.endpoint import WRITER_HEADER
from graph.capture.event_fields import END, FINAL_STATUSES, TASK_STATUSES
from graph.capture.event_reader import MAX_EVENTS
from graph.capture.otlp_encoding import PROTOBUF
from graph.errors import CODES
from graph.http.scrape import FORMATS
from graph.rest.line_formats import MEDIA_TYPES, LineFormat
from graph.rest.routes import NAMED_JOBS, WHOLE
from jobtail.events import LogLevel

Json: TypeAlias = dict[str, Any]

JSON, NDJSON, TEXT = MEDIA_TYPES[LineFormat.JSON], MEDIA_TYPES[LineFormat.NDJSON], MEDIA_TYPES[LineFormat.TEXT]
PATH: Final = "/openapi.json"

_text: Json = {"type": "string"}
_label: Json = {"type": "string", "minLength": 1}
_time: Json = {"type": "string", "format": "date-time"}
_whole: Json = {"type": "integer", "minimum": 0}
_int64: Json = {"type": "integer", "minimum": -END, "maximum": END - 1}
_object: Json = {"type": "object"}
_level: Json = {"enum": [level.name.lower() for level in LogLevel]}
_flag: Json = {"enum": ["1", "0", "true", "false"]}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _list_of(item: Json) -> Json:
    return {"type": "array", "items": item}


def _or_null(schema: Json) -> Json:
    return {"oneOf": [schema, {"type": "null"}]}


def _record(required: Json, optional: Json | None = None) -> Json:
    return {"type": "object", "properties": {**required, **(optional or {})}, "required": list(required)}


def _event(kind: str, required: Json, optional: Json) -> Json:
    """Describe an event of capture: what is optional may be null too."""
    numbered = {"type": {"const": kind}, "job_id": _label, "n": {"type": "integer", "minimum": 1, "maximum": END - 1}}
    return _record({**numbered, **required}, {name: _or_null(schema) for name, schema in optional.items()})


EVENTS: Final = [
    _event(
        "job.started",
        {"handler_name": _text},
        dict.fromkeys(("source", "execution_id", "schedule_id", "parent_job_id"), _text)
        | {"metadata": _object, "total": _int64, "at": _time},
    ),
    _event(
        "line",
        {"message": _text},
        {
            "stage": _text,
            "task_id": _text,
            "level": {
                "type": ["string", "integer"],
                "description": f"{', '.join(LogLevel.__members__)} in any case, WARN, FATAL, or a number of Python's logging.",
                "examples": ["INFO"],
            },
            "metadata": _object,
            "at": _time,
        },
    ),
    _event("progress", {"current": _int64}, {"total": _int64}),
    _event(
        "task",
        {"stage": _text, "task_id": _label, "status": {"enum": TASK_STATUSES}},
        {"name": _text, "result": _text, "at": _time},
    ),
    _event("job.finished", {"status": {"enum": FINAL_STATUSES}}, {"error": _text, "result": _text, "at": _time}),
]
_said: Json = {"timestamp": _time, "level": _level, "message": _text, "metadata": _or_null(_object)}
_placed: Json = {"id": {"type": "integer", "minimum": 1}, "stage": _text, "task_id": _or_null(_text), **_said}
_counted: Json = _record({"task_id": _text, "log_count": _whole})
SCHEMAS: Final[Json] = {
    "Event": {"oneOf": EVENTS},
    "Recorded": _record({"stored": _whole, "skipped": _whole}),
    "Line": _record(_placed),
    "LineOfJob": _record({"job_id": _text, **_placed}),
    "Stages": _record({"job_id": _text, "stages": _list_of(_record({"stage": _text, "tasks": _list_of(_counted)}))}),
    "TaskLines": _record({"task_id": _text, "logs": _list_of(_record(_said))}),
    "Error": _record(
        {
            "error": _record(
                {
                    "code": {"enum": sorted(CODES)},
                    "message": _text,
                    "request_id": _text,
                },
                {"line": {"type": "integer", "minimum": 1}, "job_ids": {**_list_of(_text), "maxItems": NAMED_JOBS}},
            )
        }
    ),
    "RpcStatus": _record({"code": _whole, "message": _text}),
}

REASONS: Final = {
    400: "Something of the request is wrong; the message says what.",
    401: "There is no valid token.",
    403: "The token does not allow this.",
    404: "It is not there, or hidden from this token.",
    408: "The body did not arrive in time.",
    409: "Several jobs have that task; `job_ids` names them.",
    413: "The body is too large: send less at a time.",
    415: "The body is encoded in a way that is not understood.",
    422: "It cannot be done, or costs too much: ask for less, or send the batch in halves.",
    429: "Too many requests: wait for Retry-After seconds.",
    500: "A defect of the service.",
    503: "The database is away: wait for Retry-After seconds.",
}
TOKEN: Final = {"type": "http", "scheme": "bearer", "description": "Needed where the service has access control."}
_ALWAYS = (401, 403, 429, 500, 503)


def _errors(*statuses: int, body: str = "Error") -> Json:
    content = {JSON: {"schema": _ref(body)}}
    return {str(status): {"description": REASONS[status], "content": content} for status in sorted(statuses)}


def _answer(what: str, content: Json) -> Json:
    return {"200": {"description": what, "content": content}}


def _operation(summary: str, responses: Json, parameters: list[Json] | None = None, **more: Any) -> Json:
    return {"summary": summary, "parameters": parameters or [], **more, "responses": responses}


def _parameter(name: str, schema: Json, description: str, where: str = "query") -> Json:
    return {"name": name, "in": where, "required": where == "path", "schema": schema, "description": description}


def _id(name: str) -> Json:
    return _parameter(name, _label, "Percent-encoded, slashes too.", "path")


def _filters(after: Json) -> list[Json]:
    forms = ", ".join(MEDIA_TYPES.values())
    return [
        _parameter("stage", _list_of(_text), "Of one of these stages."),
        _parameter("task_id", _list_of(_text), "Of one of these tasks."),
        _parameter("level", _list_of(_level), "Of one of these levels; a list with commas is taken too."),
        _parameter("min_level", _level, "Of this level or a graver one."),
        _parameter("search", _text, "A part of the message, in any case."),
        _parameter("regex", _flag, "Whether `search` is a regular expression."),
        _parameter("since", _time, "From this time on."),
        _parameter("until", _time, "Before this time."),
        _parameter("since_seq", {**_whole, "maximum": WHOLE}, "From this line of the job on."),
        _parameter("until_seq", {**_whole, "maximum": WHOLE}, "Before this line of the job."),
        _parameter("after", after, "What `next` of the page before said."),
        _parameter(
            "limit",
            {**_whole, "maximum": WHOLE},
            f"Lines at most: {MAX_PAGE_SIZE} for a page of JSON ({DEFAULT_PAGE_SIZE} if missing), any number else.",
        ),
        _parameter("format", {"enum": [form.value for form in LineFormat]}, f"Instead of the header Accept: {forms}."),
        _parameter("download", _flag, "Whether a browser saves the answer as a file."),
    ]


def _lines(of_what: str, name: str, line: str, after: Json) -> Json:
    page = _record({name: _text, "total_count": _whole, "logs": _list_of(_ref(line)), "next": _or_null(after)})
    content = {JSON: {"schema": page}, TEXT: {"schema": _text}, NDJSON: {"schema": _ref(line)}}
    answers = _answer("A page of JSON, or all as text or as NDJSON: a line each.", content)
    responses = {**answers, **_errors(400, 404, 422, *_ALWAYS)}
    return {"get": _operation(f"Read the lines of {of_what}.", responses, [_id(name), *_filters(after)])}


def _read(summary: str, answer: str, *ids: str, refused: tuple[int, ...] = ()) -> Json:
    answers = _answer("All of them, in their order.", {JSON: {"schema": _ref(answer)}})
    responses = {**answers, **_errors(400, 404, *refused, *_ALWAYS)}
    return {"get": _operation(summary, responses, [_id(name) for name in ids])}


def _health(summary: str, *parts: str) -> Json:
    state = {JSON: {"schema": _record(dict.fromkeys(("status", *parts), _text))}}
    away = {"503": {"description": "What is not `ok` is away.", "content": state}} if parts else {}
    return {"get": _operation(summary, {**_answer("It does.", state), **away}, security=[])}


def _capture() -> Json:
    writer = _parameter(WRITER_HEADER, {"type": "string", "format": "uuid"}, "Made when the writer starts.", "header")
    answers = _answer("The events are committed.", {JSON: {"schema": _ref("Recorded")}})
    return {
        "post": _operation(
            f"Store events, {MAX_EVENTS:,} at most, one JSON object a line.",
            {**answers, **_errors(400, 408, 413, 415, 422, *_ALWAYS)},
            [{**writer, "required": True}],
            requestBody={"required": True, "content": {NDJSON: {"schema": _ref("Event")}}},
        )
    }


def _otlp() -> Json:
    kinds = {JSON: {"schema": _object}, PROTOBUF: {}}
    answers = _answer("An ExportLogsServiceResponse, in the type of the request.", kinds)
    refusals = _errors(400, 408, 413, 415, 422, *_ALWAYS, body="RpcStatus")
    for refusal in refusals.values():
        refusal["content"] = {**refusal["content"], PROTOBUF: {}}
    body = {"required": True, "description": "An ExportLogsServiceRequest.", "content": kinds}
    return {"post": _operation("Store log records of OpenTelemetry.", {**answers, **refusals}, requestBody=body)}


def _metrics() -> Json:
    answers = _answer("All metrics.", {kind: {"schema": _text} for kind in FORMATS})
    summary = f"Read the metrics: needs the scope `{Scope.METRICS}`."
    return {"get": _operation(summary, {**answers, **_errors(*_ALWAYS)})}


def _paths() -> Json:
    described, seq = _answer("OpenAPI 3.1.", {JSON: {"schema": _object}}), {**_whole, "maximum": WHOLE}
    return {
        "/api/capture": _capture(),
        "/v1/logs": _otlp(),
        "/api/pulse/jobs/{job_id}/stages": _read(
            "Count the lines of a job's tasks.", "Stages", "job_id", refused=(422,)
        ),
        "/api/pulse/jobs/{job_id}/tasks/{task_id}/logs": _read(
            "Read the lines of a task.", "TaskLines", "job_id", "task_id"
        ),
        "/api/pulse/tasks/{task_id}/logs": _read(
            "Read the lines of the only task of that id.", "TaskLines", "task_id", refused=(409,)
        ),
        "/jobs/{job_id}/logs": _lines("a job", "job_id", "Line", seq),
        "/executions/{execution_id}/logs": _lines("all jobs of an execution", "execution_id", "LineOfJob", _text),
        "/healthz": _health("Does the process live?"),
        "/readyz": _health("Can it serve?", "database", "channel"),
        "/metrics": _metrics(),
        PATH: {"get": _operation("Read this description.", described, security=[])},
    }


def description() -> Json:
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Jobtail",
            "version": version("jobtail-server"),
            "description": "The log of background jobs by plain HTTP. All else, live lines included, is by GraphQL at `/graphql`.",
        },
        "security": [{}, {"token": []}],
        "paths": _paths(),
        "components": {"schemas": SCHEMAS, "securitySchemes": {"token": TOKEN}},
    }


async def openapi(_: Request) -> Response:
    return Response(orjson.dumps(description()), media_type=JSON)
