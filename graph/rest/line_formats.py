"""Writes lines for clients of plain HTTP: as JSON, as NDJSON and as text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson
from starlette.requests import Request

from domain.logs import TaskLog
from graph.formats.media_types import accepted
from graph.formats.scalars import write_time

LEVEL_WIDTH = 8


class LineFormat(StrEnum):
    JSON = "json"
    TEXT = "text"
    NDJSON = "ndjson"


MEDIA_TYPES = {
    LineFormat.JSON: "application/json",
    LineFormat.TEXT: "text/plain",
    LineFormat.NDJSON: "application/x-ndjson",
}
SUFFIXES = {LineFormat.JSON: "json", LineFormat.TEXT: "log", LineFormat.NDJSON: "ndjson"}

Write = Callable[[TaskLog], bytes]


def plain_line(line: TaskLog) -> dict[str, Any]:
    """Say what the line is, its place left out."""
    return {
        "timestamp": write_time(line.timestamp),
        "level": line.level.name.lower(),
        "message": line.message,
        "metadata": line.metadata,
    }


def placed_line(line: TaskLog) -> dict[str, Any]:
    return {"id": line.seq, "stage": line.stage, "task_id": line.task_id, **plain_line(line)}


def line_of_job(line: TaskLog) -> dict[str, Any]:
    """Say which job it is of, too: a seq is one of many where there are several jobs."""
    return {"job_id": line.job_id, **placed_line(line)}


def text_line(line: TaskLog) -> bytes:
    place = line.stage if line.task_id is None else f"{line.stage}/{line.task_id}"
    return f"{write_time(line.timestamp)}  {line.level.name:<{LEVEL_WIDTH}}  {place}  {line.message}\n".encode()


@dataclass(frozen=True, slots=True)
class Layout:
    """How a streamed body is made of lines."""

    write: Write
    head: bytes = b""
    between: bytes = b""
    tail: bytes = b""


def layout(form: LineFormat, view: Callable[[TaskLog], dict[str, Any]]) -> Layout:
    if form is LineFormat.TEXT:
        return Layout(text_line)
    return Layout(lambda line: orjson.dumps(view(line), option=orjson.OPT_APPEND_NEWLINE))


def array_in(body: dict[str, Any], name: str) -> Layout:
    """Lay lines out as an array, the last member of a JSON object."""
    head = orjson.dumps(body)[:-1] + b"," + orjson.dumps(name) + b":["
    return Layout(lambda line: orjson.dumps(plain_line(line)), head=head, between=b",", tail=b"]}")


def accepted_form(request: Request) -> LineFormat:
    """Choose what the client likes best by its Accept header; JSON where it says nothing that we have."""
    media_type = accepted(request.headers.get("accept", ""), tuple(MEDIA_TYPES.values()))
    return next(form for form, name in MEDIA_TYPES.items() if name == media_type)
