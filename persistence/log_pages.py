"""Pages of lines: the statement of each form of a question, and the rows that it gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple, overload

import orjson
from asyncpg import Record
from sqlalchemy import (
    ARRAY,
    TIMESTAMP,
    BigInteger,
    ColumnElement,
    Select,
    Text,
    any_,
    bindparam,
    case,
    false,
    func,
    literal,
    literal_column,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from domain import patterns
from domain.filters import LogFilter, fold_case
from domain.logs import TaskLog
from domain.pages import Columnar
from domain.ports import LogPageRequest
from jobtail.events import LogLevel
from persistence.paging import columns_of, requested
from persistence.statements import Statement, compiled
from persistence.tables import jobs, task_logs

SEARCH_FOLD = "search_fold"
"""The collation, made by a migration, that lowers letters as `fold_case` does."""

SEARCH_S = 8.0
"""How long one statement may search for a pattern."""

_LINE = task_logs.c
_FOLDED = func.lower(_LINE.message.collate(SEARCH_FOLD))
_KINDS: Mapping[str, tuple[TypeEngine[Any], Callable[[Any], ColumnElement[bool]]]] = {
    "stages": (ARRAY(Text), lambda value: _LINE.stage == any_(value)),
    "task_ids": (ARRAY(Text), lambda value: _LINE.task_id == any_(value)),
    "execution_id": (Text(), lambda value: _LINE.execution_id == value),
    "since": (TIMESTAMP(timezone=True), lambda value: _LINE.timestamp >= value),
    "until": (TIMESTAMP(timezone=True), lambda value: _LINE.timestamp < value),
    "since_seq": (BigInteger(), lambda value: _LINE.seq >= value),
    "until_seq": (BigInteger(), lambda value: _LINE.seq < value),
    "search": (Text(), lambda value: func.strpos(_FOLDED, value) > 0),
    "pattern": (Text(), lambda value: _FOLDED.collate("C").regexp_match(value)),
    "exact_pattern": (Text(), lambda value: _LINE.message.collate("C").regexp_match(value)),
    "metadata": (JSONB(), _LINE.metadata.op("@>")),
}
"""Of each part of a filter, the type of its value, and the condition that it makes of it."""


def filter_values(log_filter: LogFilter) -> dict[str, Any]:
    """List the parts of a filter that are set, as `_KINDS` takes them. Levels are no value: they are in the text."""
    parts = {
        "stages": None if log_filter.stages is None else sorted(log_filter.stages),
        "task_ids": None if log_filter.task_ids is None else sorted(log_filter.task_ids),
        "execution_id": log_filter.execution_id,
        "since": log_filter.since,
        "until": log_filter.until,
        "since_seq": log_filter.since_seq,
        "until_seq": log_filter.until_seq,
        "metadata": None if log_filter.metadata is None else dict(log_filter.metadata),
    }
    if log_filter.search:
        parts |= _searched(log_filter.search, is_pattern=log_filter.regex)
    return {name: value for name, value in parts.items() if value is not None}


def _searched(search: str, *, is_pattern: bool) -> dict[str, str]:
    """Name what is looked for by where: patterns go by code points alone, hence the collation "C" of their conditions."""
    if not is_pattern:
        return {"search": fold_case(search)}
    pattern = patterns.compiled(search)
    return {"pattern" if pattern.ignores_case else "exact_pattern": pattern.postgres}


def search_time(log_filters: Iterable[LogFilter]) -> float | None:
    """Bound the time of a statement with these filters, in seconds, None where no pattern is searched for."""
    return SEARCH_S if any(each.has_pattern for each in log_filters) else None


def matching(log_filter: LogFilter) -> list[ColumnElement[bool]]:
    """Say in SQL what `LogFilter.matches` says in Python."""
    values = filter_values(log_filter)
    conditions = [_KINDS[name][1](literal(value, _KINDS[name][0])) for name, value in values.items()]
    return _of_levels(_levels(log_filter)) + conditions


def _levels(log_filter: LogFilter) -> tuple[int, ...] | None:
    """List the wanted levels, None where all are."""
    wanted = log_filter.wanted_levels
    return None if len(wanted) == len(LogLevel) else tuple(sorted(map(int, wanted)))


def _of_levels(levels: tuple[int, ...] | None) -> list[ColumnElement[bool]]:
    """Name the levels in the text, so that Postgres sees which index has them."""
    if levels is None:
        return []
    return [_LINE.level.in_([literal_column(str(level)) for level in levels]) if levels else false()]


class Form(NamedTuple):
    """What the text of a page depends on."""

    of_stage: bool
    of_task: bool
    levels: tuple[int, ...] | None
    parts: tuple[str, ...]
    """The parts of the filter that are set."""
    is_after: bool
    is_before: bool
    backward: bool


class Group(NamedTuple):
    """What requests have in common that one statement answers; they differ in scope and window."""

    form: Form
    limit: int
    max_bytes: int
    filter: bytes


def group_of(request: LogPageRequest) -> Group:
    values, scope, window = filter_values(request.filter), request.scope, request.window
    form = Form(
        scope.stage is not None,
        scope.task_id is not None,
        _levels(request.filter),
        tuple(values),
        window.after is not None,
        window.before is not None,
        window.backward,
    )
    return Group(form, window.limit, request.max_bytes, orjson.dumps(values) if values else b"")


def values_of_one(request: LogPageRequest) -> dict[str, Any]:
    return _own_values(request) | _common_values(request)


def values_of_many(requests: Sequence[LogPageRequest]) -> dict[str, Any]:
    return columns_of([_own_values(request) for request in requests]) | _common_values(requests[0])


def _own_values(request: LogPageRequest) -> dict[str, Any]:
    scope, window = request.scope, request.window
    values = {
        "job_id": scope.job_id,
        "stage": scope.stage,
        "task_id": scope.task_id,
        "after": window.after,
        "before": window.before,
    }
    return {name: value for name, value in values.items() if value is not None}


def _common_values(request: LogPageRequest) -> dict[str, Any]:
    rows = request.window.limit + 1
    return {**filter_values(request.filter), "limit": rows, "row_bytes": request.max_bytes // rows}


def _own_columns(form: Form) -> dict[str, type[TypeEngine[Any]]]:
    """List what requests of one group differ in."""
    columns: dict[str, tuple[type[TypeEngine[Any]], bool]] = {
        "job_id": (Text, True),
        "stage": (Text, form.of_stage),
        "task_id": (Text, form.of_task),
        "after": (BigInteger, form.is_after),
        "before": (BigInteger, form.is_before),
    }
    return {name: kind for name, (kind, is_there) in columns.items() if is_there}


@lru_cache(maxsize=500)
def one_page(form: Form) -> Statement:
    own = {name: bindparam(name, type_=kind) for name, kind in _own_columns(form).items()}
    return compiled(_page(form, own))


@lru_cache(maxsize=500)
def many_pages(form: Form) -> Statement:
    """Select a page for each of the requests, which bears its place."""
    asked = requested(_own_columns(form))
    page = _page(form, {name: asked.c[name] for name in _own_columns(form)}).correlate(asked).lateral("page")
    return compiled(select(page, asked.c.place).select_from(asked).join(page, true()))


def _page(form: Form, own: Mapping[str, ColumnElement[Any]]) -> Select[Any]:
    """Select the columns of a line. The message is null where a line is larger than its share of the page.

    The size is known without reading a large value, so what is left out costs nothing.
    """
    size = func.octet_length(_LINE.message) + func.coalesce(func.pg_column_size(_LINE.metadata), literal_column("0"))
    is_small = size <= bindparam("row_bytes", type_=BigInteger)
    small = {name: case((is_small, _LINE[name])).label(name) for name in ("message", "metadata")}
    lines = select(*(small.get(column.name, column) for column in _LINE)).where(*_where(form, own))
    order = _LINE.seq.desc() if form.backward else _LINE.seq.asc()
    return lines.order_by(order).limit(bindparam("limit", type_=BigInteger))


def _where(form: Form, own: Mapping[str, ColumnElement[Any]]) -> Iterable[ColumnElement[bool]]:
    """Give the conditions of a page."""
    yield from lines_of_job(own["job_id"])
    if form.of_stage:
        yield _LINE.stage == own["stage"]
    if form.of_task:
        yield _LINE.task_id == own["task_id"]
    if form.is_after:
        yield _LINE.seq > own["after"]
    if form.is_before:
        yield _LINE.seq < own["before"]
    yield from _of_levels(form.levels)
    for name in form.parts:
        kind, condition = _KINDS[name]
        yield condition(bindparam(name, type_=kind))


def lines_of_job(job_id: ColumnElement[Any] | str) -> list[ColumnElement[bool]]:
    """Choose the lines of a job.

    Its own first and last recorded_at let Postgres leave out the partitions that hold none of them.
    """
    return [
        _LINE.job_id == job_id,
        _LINE.recorded_at >= _bound_of_job(jobs.c.first_recorded_at, job_id),
        _LINE.recorded_at <= _bound_of_job(jobs.c.last_recorded_at, job_id),
    ]


def _bound_of_job(bound: ColumnElement[Any], job_id: ColumnElement[Any] | str) -> ColumnElement[Any]:
    return select(bound).where(jobs.c.job_id == job_id).correlate_except(jobs).scalar_subquery()


_LEVELS = {int(level): level for level in LogLevel}
_NAMES = tuple(column.name for column in _LINE)
_READERS = {name: itemgetter(place) for place, name in enumerate(_NAMES)}


def log_of(row: Any) -> TaskLog:
    """Make a line of a row that begins with the columns of the table, by position: pages have hundreds of them."""
    job_id, seq, execution_id, stage, task_id, timestamp, recorded_at, level, message, metadata = row[: len(_NAMES)]
    return TaskLog(
        job_id=job_id,
        seq=seq,
        execution_id=execution_id,
        stage=stage,
        task_id=None if task_id == stage else task_id,
        timestamp=timestamp,
        recorded_at=recorded_at,
        level=_LEVELS[level],
        message=message,
        metadata=metadata,
    )


class LogRows(Columnar[TaskLog]):
    """Lines as the driver gave them."""

    __slots__ = ("_rows",)

    def __init__(self, rows: Sequence[Record]) -> None:
        self._rows = rows

    __hash__ = None  # type: ignore[assignment]  # as of a list, with which it may be equal

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> TaskLog: ...

    @overload
    def __getitem__(self, index: slice) -> LogRows: ...

    def __getitem__(self, index: int | slice) -> TaskLog | LogRows:
        return LogRows(self._rows[index]) if isinstance(index, slice) else log_of(self._rows[index])

    def column(self, name: str) -> list[Any]:
        values = list(map(_READERS[name], self._rows))
        if name == "level":
            return [_LEVELS[level] for level in values]
        if name == "task_id":
            stages = map(_READERS["stage"], self._rows)
            return [None if task_id == stage else task_id for task_id, stage in zip(values, stages, strict=True)]
        return values


def is_cut(rows: Iterable[Record]) -> bool:
    """Tell whether a line was larger than its share of the page."""
    return None in map(_READERS["message"], rows)
