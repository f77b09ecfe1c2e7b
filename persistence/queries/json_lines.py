"""Lines that Postgres writes as JSON itself, a row a page.

To take rows apart and write them down again takes the service far longer than Postgres takes to write them at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

from asyncpg import Record
from sqlalchemy import ColumnElement, Select, Text, bindparam, case, cast, func, literal_column, null, select

from domain.written_lines import LINE_ATTRIBUTES, LineSelection, Writing, WrittenLines
from jobtail.events import LogLevel
from persistence.queries.page_sizes import FOUND
from persistence.tables import task_logs

SAID_AT = "said_at"
_UTC: ColumnElement[Any] = literal_column("INTERVAL '0'")
_T: ColumnElement[Any] = literal_column("'T'")
_T_PLACE: ColumnElement[Any] = literal_column("11")
_WHOLE: ColumnElement[Any] = literal_column(str(len("2025-01-15 10:30:00.123456")))
_DIGITS: ColumnElement[Any] = literal_column("""'YYYY-MM-DD"T"HH24:MI:SS.US'""")
_NULL: ColumnElement[Any] = literal_column("'null'")
_LEVELS: Mapping[ColumnElement[Any], ColumnElement[Any]] = {
    literal_column(str(int(level))): literal_column(f"'{level.name}'") for level in LogLevel
}

said_at = cast(func.timezone(_UTC, task_logs.c.timestamp), Text).label(SAID_AT)
"""The time as Postgres writes it quickly, in its ISO style, without the microseconds' last zeros.

It is a column of the lines, so that it is written once however often it is looked at.
"""


_QUOTES: Mapping[Writing, tuple[str, str]] = {Writing.TIME: ('"', 'Z"'), Writing.LEVEL: ('"', '"')}
"""What stands around the text of a value that is not JSON by itself."""


def pieces(selection: LineSelection) -> dict[str, str]:
    """Give what stands before, between and behind the values of an object, by the names that `written` binds them by.

    A client chooses the names of members, so they are no part of a statement's text.
    """
    texts, behind = [], "{"
    for name, attribute in selection.members:
        quote, unquote = _QUOTES.get(LINE_ATTRIBUTES[attribute], ("", ""))
        texts.append(f"{behind}{json.dumps(name)}:{quote}")
        behind = f"{unquote},"
    return {_piece(place): text for place, text in enumerate([*texts, f"{behind[:-1]}}}"])}


def _piece(place: int) -> str:
    return f"piece_{place}"


def written(page: Select[Any], attributes: Sequence[str]) -> Select[Any]:
    """Select the numbers and the JSON objects of a page's lines. That of a line without a message is null.

    Of a page that was cut, also how many lines it would have had.
    """
    lines = page.subquery("written")
    parts: list[ColumnElement[Any]] = [bindparam(_piece(0), type_=Text)]
    for place, attribute in enumerate(attributes, 1):
        parts += [_text(attribute, lines.c), bindparam(_piece(place), type_=Text)]
    line = case((lines.c.message.is_not(null()), reduce(lambda text, part: text.concat(part), parts)))
    arrays: list[ColumnElement[Any]] = [
        func.array_agg(lines.c.seq).label("seqs"),
        func.array_agg(line).label("texts"),
    ]
    return select(*arrays, *(func.max(column).label(FOUND) for column in lines.c if column.name == FOUND))


def _text(attribute: str, line: Any) -> ColumnElement[Any]:
    column, writing = line[attribute], LINE_ATTRIBUTES[attribute]
    if writing is Writing.TIME:
        said, all_digits = line[SAID_AT], func.to_char(func.timezone(_UTC, column), _DIGITS)
        return case((func.octet_length(said) == _WHOLE, func.overlay(said, _T, literal_column("11"))), else_=all_digits)
    if writing is Writing.LEVEL:
        return case(_LEVELS, value=column)
    if attribute == "task_id":
        return case((column == line.stage, _NULL), else_=_json(column))
    if writing is not Writing.TEXT:
        return _or_null(cast(column, Text), column)
    return _or_null(_json(column), column)


def _json(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return cast(func.to_json(column), Text)


def _or_null(text: ColumnElement[Any], column: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.coalesce(text, _NULL) if task_logs.c[str(column.key)].nullable else text


def lines_of(row: Record) -> WrittenLines | None:
    """Read what `written` selected, None if a line of it is null. A page of no lines has nulls for the arrays."""
    texts = row["texts"] or []
    return None if None in texts else WrittenLines(row["seqs"] or [], texts)
