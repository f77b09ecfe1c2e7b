"""Executions in Postgres, made of their jobs: the root of each, and the lines of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache, lru_cache, partial
from typing import Any, NamedTuple

from asyncpg import Record
from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    FromClause,
    Row,
    Select,
    Text,
    bindparam,
    case,
    exists,
    false,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
    tuple_,
)

from domain.executions import UNKNOWN_SCHEDULE, Execution, ExecutionLine, ExecutionStatus
from domain.filters import ANY_EXECUTION, ExecutionFilter
from domain.pages import Page, page_of
from domain.requests import ExecutionLogCount, ExecutionLogPageRequest, ExecutionPageRequest
from persistence.database import Database
from persistence.prepared_statements import Statement, compiled
from persistence.queries.job_filters import seen
from persistence.queries.job_pages import AFTER, BEFORE, columns_with, in_window
from persistence.queries.log_filters import matching, search_time
from persistence.queries.log_pages import log_of
from persistence.queries.page_sizes import FOUND, bounds_of, jobs_within_bytes, within_bytes
from persistence.queries.paging import fetch_counts, fetch_pages, windowed
from persistence.stores.job_store import job_of
from persistence.stores.log_store import kept_lines, tasks_matching
from persistence.tables import ACTIVE, job_tasks, jobs, task_logs

_NEVER = 2**63 - 1
"""A seq that no line reaches."""


class PostgresExecutionStore:
    """Satisfies `domain.ports.ExecutionStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, execution_ids: Sequence[str], *, job_prefix: str | None = None) -> Mapping[str, Execution]:
        values = {"execution_ids": list(execution_ids), "job_prefix": job_prefix}
        found = await self._database.fetch(_roots_by_id(has_prefix=job_prefix is not None), values)
        return {row["execution_id"]: _execution(row) for row in found}

    async def pages(self, requests: Sequence[ExecutionPageRequest]) -> Sequence[Page[Execution]]:
        return [await self._page(request) for request in requests]

    async def _page(self, request: ExecutionPageRequest) -> Page[Execution]:
        chosen, window = request.filter, request.window
        values: dict[str, Any] = {"schedule_id": chosen.schedule_id, "job_prefix": chosen.job_prefix}
        values |= {"limit": window.limit + 1, "max_bytes": request.max_bytes}
        values |= dict(zip(AFTER, window.after or (), strict=False)) | dict(
            zip(BEFORE, window.before or (), strict=False)
        )
        rows = await self._database.fetch(_roots(_form_of(request)), values)
        found = rows[0][FOUND] if rows and request.large else None
        return page_of([_execution(row) for row in rows], window, found=found)

    async def count(self, execution_filter: ExecutionFilter) -> int:
        chosen = execution_filter
        query = select(func.count()).select_from(jobs).where(*_where(chosen, chosen.schedule_id, chosen.job_prefix))
        if execution_filter == ANY_EXECUTION:
            query = select(func.count(jobs.c.execution_id.distinct()))  # asks no job whether it is a root
        (count,) = await fetch_counts(self._database, [query])
        return count

    async def log_pages(self, requests: Sequence[ExecutionLogPageRequest]) -> Sequence[Page[ExecutionLine]]:
        queries = [_page(request) for request in requests]
        within_s = search_time(request.filter for request in requests)
        windows = [request.window for request in requests]
        return await fetch_pages(self._database, queries, windows, _line, within_s=within_s)

    async def log_counts(self, requests: Sequence[ExecutionLogCount]) -> Sequence[int]:
        queries = [
            _kept_count(request) if request.filter.is_countable else _real_count(request) for request in requests
        ]
        within_s = search_time(request.filter for request in requests)
        return await fetch_counts(self._database, queries, within_s=within_s)


def _in_order_of_roots(query: Select[Any], table: Any = jobs) -> Select[Any]:
    """Order the jobs of an execution as `root_key` does, which is an index's order too."""
    return query.order_by(table.c.schedule_id.is_(None), table.c.created_at, table.c.job_id)


def _where(execution_filter: ExecutionFilter, schedule_id: Any, prefix: Any) -> list[ColumnElement[bool]]:
    """Choose the roots, by a schedule and a prefix that are given as values or as parameters. A job is asked by one step into the index whether it is the first of its execution.

    The question is a truth value of its own, and no comparison with the answer: Postgres would expect a single row of
    all to be equal to that, and sort all roots instead of reading the first ones.
    """
    first = jobs.alias("first")
    own = select(first.c.job_id == jobs.c.job_id).where(
        first.c.execution_id == jobs.c.execution_id, *seen(prefix, first)
    )
    own = own.correlate(jobs)
    is_root: ColumnElement[bool] = _in_order_of_roots(own, first).limit(1).scalar_subquery()
    conditions = [jobs.c.execution_id.is_not(None), *seen(prefix), is_root]
    if execution_filter.schedule_id == UNKNOWN_SCHEDULE:
        conditions.append(or_(jobs.c.schedule_id.is_(None), jobs.c.schedule_id == UNKNOWN_SCHEDULE))
    elif execution_filter.schedule_id is not None:
        conditions.append(jobs.c.schedule_id == schedule_id)
    if execution_filter.statuses is not None:
        conditions.append(or_(false(), *(_stands(status, prefix) for status in sorted(execution_filter.statuses))))
    return conditions


def _stands(status: ExecutionStatus, prefix: Any) -> ColumnElement[bool]:
    """Say in SQL what `Execution.status` says in Python."""
    root_status = jobs.c.status
    has_failed, has_active = (exists(_others(jobs.c.execution_id, prefix, which)) for which in (_FAILED, _ACTIVE))
    later = exists(_others(jobs.c.execution_id, prefix, _OTHER.c.finished_at > jobs.c.finished_at))
    is_judged = ~has_active & ~later
    match status:
        case ExecutionStatus.RUNNING:
            return or_(literal_column(f"({ACTIVE})"), (root_status == "COMPLETED") & ~has_failed & has_active)
        case ExecutionStatus.COMPLETED:
            return (root_status == "COMPLETED") & (is_judged | (~has_failed & ~has_active))
        case ExecutionStatus.FAILED:
            return or_(
                literal_column("(jobs.status IN ('CANCELLED', 'FAILED'))"),
                (root_status == "COMPLETED") & has_failed & ~is_judged,
            )


class _Form(NamedTuple):
    """All that the text of a page depends on."""

    filter: ExecutionFilter
    """Without values: a schedule or a prefix that is set stands for any."""
    is_after: bool
    is_before: bool
    backward: bool
    large: tuple[str, ...]


def _form_of(request: ExecutionPageRequest) -> _Form:
    chosen, window = request.filter, request.window
    is_known = chosen.schedule_id is not None and chosen.schedule_id != UNKNOWN_SCHEDULE
    prefix = None if chosen.job_prefix is None else ""
    form = replace(chosen, schedule_id="" if is_known else chosen.schedule_id, job_prefix=prefix)
    is_after, is_before = window.after is not None, window.before is not None
    return _Form(form, is_after, is_before, window.backward, tuple(sorted(request.large)))


@lru_cache(maxsize=500)
def _roots(form: _Form) -> Statement:
    """Select a page of roots, the newest first."""
    prefix = None if form.filter.job_prefix is None else _PREFIX
    where = _where(form.filter, bindparam("schedule_id", type_=Text), prefix)
    query = select(*columns_with(form.large), *_sums(jobs.c.execution_id, prefix)).where(*where)
    query = in_window(query, is_after=form.is_after, is_before=form.is_before, backward=form.backward)
    if form.large:
        max_bytes = bindparam("max_bytes", type_=BigInteger)
        query = jobs_within_bytes(query, ["created_at", "job_id"], max_bytes=max_bytes, descending=not form.backward)
    return compiled(query)


_PREFIX = bindparam("job_prefix", type_=Text)


@cache
def _roots_by_id(*, has_prefix: bool) -> Statement:
    prefix = _PREFIX if has_prefix else None
    ids = func.unnest(bindparam("execution_ids", type_=ARRAY(Text)))
    wanted = ids.table_valued("execution_id").render_derived("wanted")
    own = select(jobs).where(jobs.c.execution_id == wanted.c.execution_id, *seen(prefix)).correlate(wanted)
    root = _in_order_of_roots(own).limit(1).lateral("root")
    return compiled(select(root, *_sums(root.c.execution_id, prefix)).select_from(wanted).join(root, true()))


def _sums(execution_id: ColumnElement[Any], prefix: Any) -> list[ColumnElement[Any]]:
    """Count the jobs of an execution that failed, and those that run, and find the last end: each by an index of its own."""
    of = partial(_others, execution_id, prefix)
    return [
        of(_FAILED).with_only_columns(func.count()).scalar_subquery().label("failed_jobs"),
        of(_ACTIVE).with_only_columns(func.count()).scalar_subquery().label("running_jobs"),
        of(true()).with_only_columns(func.max(_OTHER.c.finished_at)).scalar_subquery().label("last_end"),
    ]


_OTHER = jobs.alias("other")
_FAILED: ColumnElement[bool] = literal_column("(other.status IN ('CANCELLED', 'FAILED'))")
_ACTIVE: ColumnElement[bool] = literal_column(f"(other.{ACTIVE})")


def _others(execution_id: ColumnElement[Any], prefix: Any, which: ColumnElement[bool]) -> Select[Any]:
    mine = _OTHER.c.execution_id == execution_id
    return select(_OTHER.c.job_id).where(mine, which, *seen(prefix, _OTHER)).correlate_except(_OTHER)


def _execution(row: Record) -> Execution:
    return Execution(
        execution_id=row["execution_id"],
        root=job_of(row),
        failed_jobs=row["failed_jobs"],
        running_jobs=row["running_jobs"],
        last_end=row["last_end"],
    )


def _page(request: ExecutionLogPageRequest) -> Select[Any]:
    """Select a page of lines: the jobs in their order, and of each as many lines as the page may want of it.

    So Postgres stops at the job with which the page is full, and never sorts a whole log.
    """
    window, job = request.window, _jobs_with_lines(request)
    line = _lines_of_job(request, job)
    query = select(line, job.c.created_at.label("job_created_at")).select_from(job).join(line, true())
    rows = windowed(query, [job.c.created_at, job.c.job_id, line.c.seq], replace(window, after=None, before=None))
    order = ["job_created_at", "job_id", "seq"]
    return within_bytes(rows, order, **bounds_of(request), descending=window.backward)


def _jobs_with_lines(request: ExecutionLogPageRequest) -> FromClause:
    """Select the jobs that a page may need, in its order.

    Where the counters tell that each has a line to give, two more than the page has places suffice: for the line that
    tells whether there is more, and for the job of the cursor, which may have given its last.
    """
    window, log_filter, column = request.window, request.filter, jobs.c
    key = tuple_(column.created_at, column.job_id)
    query = select(column.job_id, column.created_at, column.first_recorded_at, column.last_recorded_at).where(
        column.execution_id == request.execution_id, *seen(request.job_prefix), kept_lines(jobs, log_filter) > 0
    )
    if window.after is not None:
        query = query.where(key >= _job_bound(window.after))
    if window.before is not None:
        query = query.where(key <= _job_bound(window.before))
    if log_filter.is_countable and not tasks_matching(log_filter):
        query = query.limit(window.limit + 2)
    order = (column.created_at, column.job_id)
    return query.order_by(*(each.desc() if window.backward else each.asc() for each in order)).subquery("job")


def _lines_of_job(request: ExecutionLogPageRequest, job: FromClause) -> FromClause:
    window, column = request.window, task_logs.c
    lines = select(task_logs).where(*_are_of(job), *matching(request.filter))
    if window.after is not None:
        lines = lines.where(column.seq > _seq_bound(job, window.after, otherwise=0))
    if window.before is not None:
        lines = lines.where(column.seq < _seq_bound(job, window.before, otherwise=_NEVER))
    order = column.seq.desc() if window.backward else column.seq.asc()
    return lines.order_by(order).limit(window.limit + 1).correlate(job).lateral("line")


def _are_of(job: FromClause) -> list[ColumnElement[bool]]:
    """Join lines to their job, whose first and last recorded_at leave out the partitions that hold none of them."""
    column = task_logs.c
    return [
        column.job_id == job.c.job_id,
        column.recorded_at >= job.c.first_recorded_at,
        column.recorded_at <= job.c.last_recorded_at,
    ]


def _job_bound(key: tuple[datetime, str, int]) -> ColumnElement[Any]:
    created_at, job_id, _ = key
    return tuple_(literal(created_at, jobs.c.created_at.type), literal(job_id, Text))


def _seq_bound(job: FromClause, key: tuple[datetime, str, int], *, otherwise: int) -> ColumnElement[int]:
    """Bound the lines of the job at which a window begins or ends, and not those of others."""
    _, job_id, seq = key
    return case((job.c.job_id == job_id, literal(seq, BigInteger)), else_=literal(otherwise, BigInteger))


def _line(row: Row[Any]) -> ExecutionLine:
    return ExecutionLine(log_of(row), row.job_created_at)


def _kept_count(request: ExecutionLogCount) -> Select[Any]:
    """Sum the counters of the jobs or, where stages or tasks are asked for, of their tasks."""
    conditions = tasks_matching(request.filter)
    if not conditions:
        return _sum_over_jobs(request, kept_lines(jobs, request.filter))
    of_tasks = select(func.sum(kept_lines(job_tasks, request.filter)))
    return _sum_over_jobs(request, _of_job(of_tasks.where(job_tasks.c.job_id == jobs.c.job_id, *conditions)))


def _real_count(request: ExecutionLogCount) -> Select[Any]:
    lines = select(func.count()).select_from(task_logs)
    return _sum_over_jobs(request, _of_job(lines.where(*_are_of(jobs), *matching(request.filter))))


def _of_job(query: Select[Any]) -> ColumnElement[Any]:
    """Ask job by job. A join Postgres might begin with all tasks, or all lines, that there are."""
    return query.correlate(jobs).scalar_subquery()


def _sum_over_jobs(request: ExecutionLogCount, count: ColumnElement[Any]) -> Select[Any]:
    mine = (jobs.c.execution_id == request.execution_id, *seen(request.job_prefix))
    return select(func.sum(count)).select_from(jobs).where(*mine)
