"""Keyset pages, several of them in one statement."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from asyncpg import Record
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    FromClause,
    Integer,
    Row,
    Select,
    bindparam,
    column,
    func,
    literal,
    tuple_,
    union_all,
)
from sqlalchemy.types import TypeEngine

from domain.pages import Page, Window, page_of
from persistence.database import Database
from persistence.queries.page_sizes import FOUND, fitting

Item = TypeVar("Item")
Form = TypeVar("Form", bound=Hashable)

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
    return query.order_by(*(each.desc() if downwards else each.asc() for each in keys)).limit(window.limit + 1)


def _bound(keys: Sequence[ColumnElement[Any]], value: Any) -> ColumnElement[Any] | None:
    if value is None:
        return None
    parts = value if isinstance(value, tuple) else (value,)
    return tuple_(*(literal(part, key.type) for part, key in zip(parts, keys, strict=True)))


async def fetch_pages(
    database: Database,
    queries: Sequence[Select[Any]],
    windows: Sequence[Window[Any]],
    convert: Callable[[Row[Any]], Item],
    *,
    within_s: float | None = None,
) -> list[Page[Item]]:
    """Load the page of each query, in order. `queries` were made by `windowed`.

    Raises:
        OutOfTime: if a statement, given `within_s`, takes longer.
    """
    pages: list[Page[Item]] = []
    for start in range(0, len(queries), PAGES_A_STATEMENT):
        part = slice(start, start + PAGES_A_STATEMENT)
        pages += await _fetch(database, queries[part], windows[part], convert, within_s)
    return pages


async def _fetch(
    database: Database,
    queries: Sequence[Select[Any]],
    windows: Sequence[Window[Any]],
    convert: Callable[[Row[Any]], Item],
    within_s: float | None,
) -> list[Page[Item]]:
    if len(queries) == 1:
        return [_page(await database.read(queries[0], within_s=within_s), windows[0], convert)]
    marked = [
        query.add_columns(literal(index, Integer).label("page")).subquery().select()
        for index, query in enumerate(queries)
    ]
    rows_by_page: list[list[Row[Any]]] = [[] for _ in queries]
    for row in await database.read(union_all(*marked), within_s=within_s):
        rows_by_page[row.page].append(row)
    return [_page(rows, window, convert) for rows, window in zip(rows_by_page, windows, strict=True)]


def _page(rows: Sequence[Row[Any]], window: Window[Any], convert: Callable[[Row[Any]], Item]) -> Page[Item]:
    """Make a page of rows, which the query may have cut by size."""
    found = None
    if rows and hasattr(rows[0], FOUND):
        rows, found = fitting(rows) if hasattr(rows[0], "message") else (rows, rows[0].found)
    return page_of([convert(row) for row in rows], window, found=found)


async def fetch_counts(
    database: Database, queries: Sequence[Select[Any]], *, within_s: float | None = None
) -> list[int]:
    """Load the one number that each query selects, in order; what is null counts as nothing.

    Raises:
        OutOfTime: if a statement, given `within_s`, takes longer.
    """
    counts: list[int] = []
    for start in range(0, len(queries), PAGES_A_STATEMENT):
        marked = [
            query.add_columns(literal(index, Integer).label("place"))
            for index, query in enumerate(queries[start : start + PAGES_A_STATEMENT])
        ]
        found = {row.place: row[0] for row in await database.read(union_all(*marked), within_s=within_s)}
        counts += [int(found[index] or 0) for index in range(len(marked))]
    return counts


def requested(columns: Mapping[str, TypeEngine[Any] | type[TypeEngine[Any]]]) -> FromClause:
    """Make a table of many requests, a row each, of one array a column; `place` counts them from 1."""
    arrays = [bindparam(name, type_=ARRAY(kind)) for name, kind in columns.items()]
    named = [column(name, kind) for name, kind in columns.items()]
    return func.unnest(*arrays).table_valued(*named, with_ordinality="place").render_derived("asked")


def columns_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Turn the values of many requests into what `requested` takes."""
    return {name: [row[name] for row in rows] for name in rows[0]}


def alike(forms: Iterable[Form]) -> dict[Form, list[int]]:
    """Gather the places of requests by form. Those of one field have one form, however many they are."""
    places: dict[Form, list[int]] = defaultdict(list)
    for place, form in enumerate(forms):
        places[form].append(place)
    return places


def divided(rows: Iterable[Record], count: int) -> list[list[Record]]:
    """Give each request the rows that bear its place."""
    parts: list[list[Record]] = [[] for _ in range(count)]
    for row in rows:
        parts[row["place"] - 1].append(row)
    return parts
