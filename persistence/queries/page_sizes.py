"""Pages of lines that end where they are larger together than a page may be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Select,
    Subquery,
    Text,
    case,
    cast,
    func,
    literal,
    literal_column,
    or_,
    select,
)

from domain.requests import ExecutionLogPageRequest, LogPageRequest, NewestLogRequest

Row = TypeVar("Row")

FOUND = "found"
METADATA_WEIGHT = 8
"""How many times its size in Postgres metadata takes as objects, at most."""
_LARGE = {"message", "metadata"}
"""The columns whose values may be large."""


def bounds_of(request: LogPageRequest | ExecutionLogPageRequest | NewestLogRequest) -> dict[str, Any]:
    """Give what `within_bytes` bounds a page by."""
    return {
        "max_bytes": literal(request.max_bytes, BigInteger),
        "may_be_empty": literal(request.may_be_empty, Boolean),
    }


def within_bytes(
    lines: Select[Any],
    keys: Sequence[str],
    *,
    max_bytes: ColumnElement[int],
    may_be_empty: ColumnElement[bool],
    descending: bool,
) -> Select[Any]:
    """Cut a page of lines, ordered by `keys`, where they are larger together, though not before the first.

    The message of that is left out where it is too large by itself and the page may be empty. The sizes are known without
    reading large values, so what is left out costs nothing. What is `found` counts the lines before the cut.
    """
    rows = lines.subquery()
    sized = _sized(rows, size_of(rows.c.message, rows.c.metadata), _order(rows, keys, descending=descending))
    fits = sized.c.bytes <= max_bytes
    columns = [sized.c[column.name] for column in (*rows.c, sized.c.found)]
    shown = [
        case((or_(fits, ~may_be_empty), column)).label(column.name) if column.name in _LARGE else column
        for column in columns
    ]
    is_within = or_(fits, sized.c.place_in_page == 1)
    return select(*shown).where(is_within).order_by(*_order(sized, keys, descending=descending))


def jobs_within_bytes(
    jobs: Select[Any], keys: Sequence[str], *, max_bytes: ColumnElement[int], descending: bool
) -> Select[Any]:
    """Cut a page of jobs as one of lines. The first is there whatever its size."""
    rows = jobs.subquery()
    texts = [func.coalesce(func.octet_length(rows.c[name]), 0) for name in ("error", "result")]
    size = texts[0] + texts[1] + _metadata_size(rows.c.metadata)
    sized = _sized(rows, size, _order(rows, keys, descending=descending))
    columns = [sized.c[column.name] for column in (*rows.c, sized.c.found)]
    is_within = or_(sized.c.bytes <= max_bytes, sized.c.place_in_page == 1)
    return select(*columns).where(is_within).order_by(*_order(sized, keys, descending=descending))


def _sized(rows: Subquery, size: ColumnElement[int], order: Sequence[ColumnElement[Any]]) -> Subquery:
    return select(
        rows,
        func.count().over().label(FOUND),
        func.sum(size).over(order_by=order, rows=(None, 0)).label("bytes"),
        func.row_number().over(order_by=order).label("place_in_page"),
    ).subquery()


def size_of(message: ColumnElement[Any], metadata: ColumnElement[Any]) -> ColumnElement[int]:
    """Give about how much memory a line takes. A large value is read for it only where its metadata was compressed."""
    return func.octet_length(message) + _metadata_size(metadata)


def _metadata_size(metadata: ColumnElement[Any]) -> ColumnElement[int]:
    is_compressed = func.pg_column_compression(metadata).is_not(None)
    written = case(
        (is_compressed, func.octet_length(cast(metadata, Text))), else_=func.coalesce(func.pg_column_size(metadata), 0)
    )
    return literal_column(str(METADATA_WEIGHT), BigInteger) * written


def _order(rows: Subquery, keys: Sequence[str], *, descending: bool) -> list[ColumnElement[Any]]:
    return [rows.c[key].desc() if descending else rows.c[key].asc() for key in keys]


def fitting(rows: Sequence[Row], value: Callable[[Row, str], Any] = getattr) -> tuple[Sequence[Row], int]:
    """Give the rows of a page that was cut, and how many were found before. `value` reads a column of a row."""
    if not rows:
        return rows, 0
    is_empty = value(rows[0], "message") is None
    return ([] if is_empty else rows), int(value(rows[0], FOUND))
