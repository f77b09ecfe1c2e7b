"""Keyset pages, several of them in one statement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Integer, Row, Select, literal, tuple_, union_all

from domain.pages import Page, Window, page_of
from persistence.database import Database

Item = TypeVar("Item")

PAGES_A_STATEMENT = 100
"""Keeps a statement's parameters far below the protocol's 32,767."""


def windowed(
    query: Select[Any],
    keys: Sequence[ColumnElement[Any]],
    window: Window[Any],
    *,
    descending: bool = False,
) -> Select[Any]:
    """Limit a query to a window of the list that is ordered by `keys`; one row more tells whether there is more."""
    key = tuple_(*keys)
    after, before = (_bound(keys, value) for value in (window.after, window.before))
    if after is not None:
        query = query.where(key < after if descending else key > after)
    if before is not None:
        query = query.where(key > before if descending else key < before)
    downwards = descending is not window.backward
    return query.order_by(*(column.desc() if downwards else column.asc() for column in keys)).limit(window.limit + 1)


def _bound(keys: Sequence[ColumnElement[Any]], value: Any) -> ColumnElement[Any] | None:
    if value is None:
        return None
    parts = value if isinstance(value, tuple) else (value,)
    return tuple_(*(literal(part, column.type) for part, column in zip(parts, keys, strict=True)))


async def fetch_pages(
    database: Database,
    queries: Sequence[Select[Any]],
    windows: Sequence[Window[Any]],
    convert: Callable[[Row[Any]], Item],
) -> list[Page[Item]]:
    """Load the page of each query, in order. `queries` were made by `windowed`."""
    pages: list[Page[Item]] = []
    for start in range(0, len(queries), PAGES_A_STATEMENT):
        part = slice(start, start + PAGES_A_STATEMENT)
        pages += await _fetch(database, queries[part], windows[part], convert)
    return pages


async def _fetch(
    database: Database,
    queries: Sequence[Select[Any]],
    windows: Sequence[Window[Any]],
    convert: Callable[[Row[Any]], Item],
) -> list[Page[Item]]:
    if len(queries) == 1:
        return [_page(await database.read(queries[0]), windows[0], convert)]
    marked = [
        query.add_columns(literal(index, Integer).label("page")).subquery().select()
        for index, query in enumerate(queries)
    ]
    rows_by_page: list[list[Row[Any]]] = [[] for _ in queries]
    for row in await database.read(union_all(*marked)):
        rows_by_page[row.page].append(row)
    return [_page(rows, window, convert) for rows, window in zip(rows_by_page, windows, strict=True)]


def _page(rows: Sequence[Row[Any]], window: Window[Any], convert: Callable[[Row[Any]], Item]) -> Page[Item]:
    """Make a page. A query that cuts its rows by size gives the number of those before the cut as `found`."""
    found = getattr(rows[0], "found", None) if rows else None
    return page_of([convert(row) for row in rows], window, found=found)


async def fetch_counts(database: Database, queries: Sequence[Select[Any]]) -> list[int]:
    """Load the one number that each query selects, in order; what is null counts as nothing."""
    counts: list[int] = []
    for start in range(0, len(queries), PAGES_A_STATEMENT):
        marked = [
            query.add_columns(literal(index, Integer).label("place"))
            for index, query in enumerate(queries[start : start + PAGES_A_STATEMENT])
        ]
        found = {row.place: row[0] for row in await database.read(union_all(*marked))}
        counts += [int(found[index] or 0) for index in range(len(marked))]
    return counts
