"""Writes lines for clients of plain HTTP: as JSON, as NDJSON and as text, streamed however many there are."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import quote

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

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


async def stream(
    lines: AsyncGenerator[Iterable[TaskLog], None],
    laid_out: Layout,
    media_type: str,
    file_name: str | None = None,
) -> Response:
    """Answer with lines as they are loaded, a piece at a time.

    The first piece is loaded before the answer begins, so what fails there has its own status. What fails later cuts the
    connection: no client takes a part for the whole.
    """
    pieces = _pieces(lines, laid_out)
    first = await anext(pieces)
    headers = (
        {} if file_name is None else {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(file_name, '')}"}
    )
    return StreamingResponse(_continued(first, pieces), headers=headers, media_type=media_type)


async def _pieces(lines: AsyncGenerator[Iterable[TaskLog], None], laid_out: Layout) -> AsyncGenerator[bytes, None]:
    """Write the pages. A page is never empty."""
    lead = laid_out.head
    async for page in lines:
        yield lead + laid_out.between.join(map(laid_out.write, page))
        lead = laid_out.between
    yield laid_out.tail if lead is laid_out.between else laid_out.head + laid_out.tail


async def _continued(first: bytes, rest: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    yield first
    async for piece in rest:
        yield piece


def accepted_form(request: Request) -> LineFormat:
    """Choose what the client likes best by its Accept header; JSON where it says nothing that we have."""
    media_type = accepted(request.headers.get("accept", ""), tuple(MEDIA_TYPES.values()))
    return next(form for form, name in MEDIA_TYPES.items() if name == media_type)
