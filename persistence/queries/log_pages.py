"""Pages of lines: the statement of each form of a question, and the rows that it gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from operator import getitem, itemgetter
from typing import Any, NamedTuple, overload

import orjson
from asyncpg import Record
from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    FromClause,
    Select,
    Text,
    any_,
    bindparam,
    case,
    func,
    select,
    true,
    union_all,
)
from sqlalchemy.types import TypeEngine

from domain.filters import EVERYTHING, LogFilter
from domain.logs import TaskLog
from domain.pages import Columnar, Page, Window, page_of
from domain.requests import LogPageRequest, LogScope
from domain.written_lines import NO_LINES, LineSelection, WrittenLines
from jobtail.events import LogLevel
from persistence.prepared_statements import Statement, compiled
from persistence.queries.json_lines import lines_of, pieces, said_at, written
from persistence.queries.log_filters import KINDS, conditions, filter_values, kind_of, levels_of, of_levels
from persistence.queries.page_sizes import FOUND, fitting, size_of, within_bytes
from persistence.queries.paging import columns_of, requested
from persistence.tables import COMMONEST, job_tasks, jobs, task_logs

_LINE = task_logs.c


class PageForm(NamedTuple):
    """What the text of a page depends on."""

    of_stage: bool
    of_task: bool
    levels: tuple[int, ...] | None
    parts: tuple[str, ...]
    """The parts of the filter that are set."""
    is_after: bool
    is_before: bool
    backward: bool
    written: tuple[str, ...] | None = None
    """The attributes that lines are written with."""
    is_cut: bool = False
    """Whether the page is cut where its lines are too large together, and does without those that are by themselves."""


class Group(NamedTuple):
    """What requests have in common that one statement answers; they differ in scope and window."""

    form: PageForm
    limit: int
    max_bytes: int
    may_be_empty: bool
    filter: bytes
    written_as: LineSelection | None


def group_of(request: LogPageRequest) -> Group:
    values, scope, window = _filter_values(request.filter), request.scope, request.window
    form = PageForm(
        scope.stage is not None,
        scope.task_id is not None,
        None if request.filter is EVERYTHING else levels_of(request.filter),
        tuple(values),
        window.after is not None,
        window.before is not None,
        window.backward,
        None if request.written_as is None else request.written_as.attributes,
    )
    given = orjson.dumps(values) if values else b""
    return Group(form, window.limit, request.max_bytes, request.may_be_empty, given, request.written_as)


def values_of_one(request: LogPageRequest) -> dict[str, Any]:
    return _own_values(request) | _common_values(request)


def values_of_many(requests: Sequence[LogPageRequest]) -> dict[str, Any]:
    return columns_of([_own_values(request) for request in requests]) | _common_values(requests[0])


def _own_values(request: LogPageRequest) -> dict[str, Any]:
    window = request.window
    values = {"after": window.after, "before": window.before}
    return scope_values(request.scope) | {name: value for name, value in values.items() if value is not None}


def scope_values(scope: LogScope) -> dict[str, Any]:
    values = {"job_id": scope.job_id, "stage": scope.stage, "task_id": scope.task_id}
    return {name: value for name, value in values.items() if value is not None}


def _common_values(request: LogPageRequest) -> dict[str, Any]:
    rows = request.window.limit + 1
    texts = {} if request.written_as is None else pieces(request.written_as)
    bounds = {"limit": rows, "row_bytes": request.max_bytes // rows}
    bounds |= {"max_bytes": request.max_bytes, "may_be_empty": request.may_be_empty}
    return {**_filter_values(request.filter), **bounds, **texts}


def _filter_values(log_filter: LogFilter) -> dict[str, Any]:
    return {} if log_filter is EVERYTHING else filter_values(log_filter)  # as most pages have it


def own_columns(form: PageForm) -> dict[str, type[TypeEngine[Any]]]:
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
def one_page(form: PageForm) -> Statement:
    own = {name: bindparam(name, type_=kind) for name, kind in own_columns(form).items()}
    return compiled(_selected(_page(form, own), form))


@lru_cache(maxsize=500)
def many_pages(form: PageForm) -> Statement:
    """Select a page for each of the requests, which bears its place."""
    asked = requested(own_columns(form))
    lines = _page(form, {name: asked.c[name] for name in own_columns(form)}, asked)
    page = _selected(lines, form).lateral("page")
    return compiled(select(page, asked.c.place).select_from(asked).join(page, true()))


def _selected(page: Select[Any], form: PageForm) -> Select[Any]:
    if form.is_cut:
        page = within_bytes(
            page,
            ["seq"],
            max_bytes=bindparam("max_bytes", type_=BigInteger),
            may_be_empty=bindparam("may_be_empty", type_=Boolean),
            descending=form.backward,
        )
    return page if form.written is None else written(page, form.written)


def _page(form: PageForm, own: Mapping[str, ColumnElement[Any]], *asked: FromClause) -> Select[Any]:
    """Select the lines of a page, level by level where an index has their levels.

    Few lines are then not looked for among all, and of many no more are read than the page has room for.
    """
    is_indexed = form.levels and int(COMMONEST) not in form.levels
    ways = [(level,) for level in form.levels or ()] if is_indexed else [form.levels]
    limit = bindparam("limit", type_=BigInteger)
    parts = [_ordered(_lines(form, own, levels).correlate(*asked), _LINE.seq, form).limit(limit) for levels in ways]
    if len(parts) == 1:
        return parts[0]
    lines = union_all(*parts).subquery("lines")
    return _ordered(select(lines), lines.c.seq, form).limit(limit)


def _ordered(lines: Select[Any], seq: ColumnElement[int], form: PageForm) -> Select[Any]:
    return lines.order_by(seq.desc() if form.backward else seq.asc())


def _lines(form: PageForm, own: Mapping[str, ColumnElement[Any]], levels: tuple[int, ...] | None) -> Select[Any]:
    more = [said_at] if form.written else []
    return select(*_columns(form), *more).where(*where(form, own), *of_levels(levels))


def _columns(form: PageForm) -> Iterable[ColumnElement[Any]]:
    """Give the columns of a line. The message is null where a line is larger than its share of a page that is not cut.

    The size is known without reading a large value, so what is left out costs nothing.
    """
    if form.is_cut:
        return _LINE
    is_small = size_of(_LINE.message, _LINE.metadata) <= bindparam("row_bytes", type_=BigInteger)
    small = {name: case((is_small, _LINE[name])).label(name) for name in ("message", "metadata")}
    return (small.get(column.name, column) for column in _LINE)


def where(form: PageForm, own: Mapping[str, ColumnElement[Any]]) -> Iterable[ColumnElement[bool]]:
    """Give the conditions of a page, those on levels excepted."""
    yield from lines_of_job(own["job_id"])
    if form.of_stage:
        yield _LINE.stage == own["stage"]
    if form.of_task:
        yield _LINE.task_id == own["task_id"]
    if form.is_after:
        yield _LINE.seq > own["after"]
    if form.is_before:
        yield _LINE.seq < own["before"]
    yield from conditions({name: bindparam(name, type_=kind_of(name)) for name in form.parts})
    yield from _between_ends(form, own)


def _between_ends(form: PageForm, own: Mapping[str, ColumnElement[Any]]) -> Iterable[ColumnElement[bool]]:
    """Look for lines of a stage or of tasks between the first and the last of them only."""
    task = job_tasks.c
    scope = {"stage": form.of_stage, "task_id": form.of_task}
    wanted = [task[name] == own[name] for name, is_asked in scope.items() if is_asked]
    for name, column in (("stages", task.stage), ("task_ids", task.task_id)):
        if name in form.parts:
            wanted.append(column == any_(bindparam(name, type_=KINDS[name][0])))
    if wanted:
        ends = select(func.min(task.first_seq)), select(func.max(task.last_seq))
        first, last = (
            end.where(task.job_id == own["job_id"], *wanted).correlate_except(job_tasks).scalar_subquery()
            for end in ends
        )
        yield _LINE.seq >= first
        yield _LINE.seq <= last


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


def read_page(form: PageForm, rows: Sequence[Record]) -> LogRows | WrittenLines | None:
    """Read what a statement gave for one page, None if a line was larger than its share of it."""
    if form.written is not None:
        return lines_of(rows[0])
    return None if None in map(_READERS["message"], rows) else LogRows(rows)


def cut_page(form: PageForm, rows: Sequence[Record], window: Window[int]) -> Page[TaskLog]:
    """Read what a statement gave for a page that it cut."""
    if form.written is not None:
        return page_of(lines_of(rows[0]) or NO_LINES, window, found=rows[0][FOUND] or 0)
    within, found = fitting(rows, getitem)
    return page_of(LogRows(within), window, found=found)
