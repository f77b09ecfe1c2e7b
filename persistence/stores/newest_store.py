"""Lines of all jobs in Postgres, the newest first, by the batches in which they were stored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    CompoundSelect,
    FromClause,
    Row,
    Select,
    and_,
    case,
    exists,
    false,
    func,
    literal,
    null,
    or_,
    select,
    true,
    tuple_,
    union_all,
)

from domain.errors import InvalidInput
from domain.filters import ANY_JOB, JobFilter, LogFilter
from domain.logs import TaskLog
from domain.pages import Page, Window, page_of
from domain.requests import LATEST_CLOCK, NewestKey, NewestLogRequest
from jobtail.events import LogLevel
from persistence.database import Database
from persistence.queries.job_filters import jobs_matching, seen
from persistence.queries.log_filters import matching, search_time
from persistence.queries.log_pages import log_of
from persistence.queries.page_sizes import bounds_of, fitting, within_bytes
from persistence.queries.paging import fetch_counts
from persistence.stores.log_store import kept_lines, tasks_matching
from persistence.tables import job_tasks, jobs, level_bits, stored_batches, task_logs


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much one call looks at."""

    batches: int = 100_000
    """So many batches are passed at most, by what is known of them."""
    batches_read: int = 10_000
    lines_read: int = 50_000
    bytes_read: int = 64 * 1024 * 1024
    """The lines of so many batches are read at most, and none behind the batch with which so much has been read."""


ROUNDING = timedelta(milliseconds=1)
"""More than what the times of lines in distant years are rounded by, those of their batches being exact."""

_KEY = ("recorded_at", "job_id", "first_seq")
_COLUMNS = [column.name for column in task_logs.c]


class PostgresNewestLogStore:
    """Satisfies `domain.ports.NewestLogStore`."""

    def __init__(self, database: Database, bounds: Bounds | None = None) -> None:
        self._database = database
        self._bounds = bounds or Bounds()

    async def page(self, request: NewestLogRequest) -> Page[TaskLog]:
        rows = await self._database.read(
            _page(request, self._bounds), within_s=search_time([request.filter]), in_order=True
        )
        lines, found = fitting([row for row in rows if not row.is_stop])
        stops = [row for row in rows if row.is_stop]
        page = page_of([log_of(row) for row in lines], Window(limit=request.limit, after=request.after), found=found)
        if not stops or len(lines) < found:
            return page
        return replace(page, has_next=True, scanned_to=_key_of(stops[0]))

    async def count(self, log_filter: LogFilter, job_filter: JobFilter) -> int:
        if log_filter.is_countable:
            (count,) = await fetch_counts(self._database, [_kept_count(log_filter, job_filter)])
            return count
        (row,) = await self._database.read(
            _real_count(log_filter, job_filter, self._bounds), within_s=search_time([log_filter]), in_order=True
        )
        if row.is_stopped:
            raise InvalidInput(
                "too many lines would have to be read to count those that match: leave totalCount out, or filter by "
                "levels, stages and tasks alone, of which counts are kept, or by fewer jobs or a later `since`"
            )
        return int(row.lines)


def _key_of(row: Row[Any]) -> NewestKey:
    return row.recorded_at, row.job_id, row.seq


def _descending(table: FromClause) -> list[ColumnElement[Any]]:
    return [table.c[name].desc() for name in _KEY]


def _passed(log_filter: LogFilter, job_filter: JobFilter, after: NewestKey | None, most: int) -> Select[Any]:
    """Select the batches that a call passes, the newest first."""
    column = stored_batches.c
    query = select(stored_batches, column.last_seq.label("until_seq"))
    if after is not None:
        recorded_at, job_id, seq = (literal(part, column[name].type) for part, name in zip(after, _KEY, strict=True))
        is_begun = and_(column.recorded_at == recorded_at, column.job_id == job_id)
        until_seq = case((is_begun, func.least(column.last_seq, seq - 1)), else_=column.last_seq)
        query = select(stored_batches, until_seq.label("until_seq")).where(
            tuple_(*(column[name] for name in _KEY)) < tuple_(recorded_at, job_id, seq)
        )
    query = query.where(*seen(job_filter.job_prefix, stored_batches))
    if log_filter.since is not None:
        query = query.where(column.recorded_at >= log_filter.since - LATEST_CLOCK)
    if job_filter.created_since is not None:
        query = query.where(column.recorded_at >= job_filter.created_since)
    if log_filter.wanted_levels and min(log_filter.wanted_levels) >= LogLevel.ERROR:
        query = query.where(column.levels >= level_bits([LogLevel.ERROR]))
    if job_filter.execution_id is not None or job_filter.parent_job_id is not None:
        query = query.where(*_while_jobs_spoke(job_filter))
    return query.order_by(*_descending(stored_batches)).limit(most)


def _while_jobs_spoke(job_filter: JobFilter) -> list[ColumnElement[bool]]:
    """Pass only what was stored while the jobs spoke, where an index finds them."""
    of_jobs = jobs_matching(job_filter)
    first = select(func.min(jobs.c.first_recorded_at)).where(*of_jobs).scalar_subquery()
    last = select(func.max(jobs.c.last_recorded_at)).where(*of_jobs).scalar_subquery()
    return [stored_batches.c.recorded_at >= first, stored_batches.c.recorded_at <= last]


def _read(passed: Select[Any], log_filter: LogFilter, job_filter: JobFilter, most: int, bounds: Bounds) -> Select[Any]:
    """Select those of them whose lines are read, at most so many; those that are too many are told by `is_within`."""
    batches = passed.subquery("passed")
    chosen = select(batches).where(*_may_have(batches, log_filter, job_filter))
    batch = chosen.order_by(*_descending(batches)).limit(most).subquery("chosen")
    lines = batch.c.until_seq - batch.c.first_seq + 1

    def before(amount: ColumnElement[Any]) -> ColumnElement[Any]:
        return func.sum(amount).over(order_by=_descending(batch), rows=(None, 0)) - amount

    is_within = and_(before(lines) < bounds.lines_read, before(batch.c.size) < bounds.bytes_read)
    return select(batch, is_within.label("is_within")).order_by(*_descending(batch))


def _may_have(batches: FromClause, log_filter: LogFilter, job_filter: JobFilter) -> list[ColumnElement[bool]]:
    """Leave out the batches of which is known that no line of them matches.

    Whether the job matches is asked batch by batch: a join Postgres might begin with all jobs there are, and then sort.
    """
    column = batches.c
    conditions: list[ColumnElement[bool]] = []
    if len(log_filter.wanted_levels) < len(LogLevel):
        wanted = level_bits(log_filter.wanted_levels)
        conditions.append(column.levels.op("&")(wanted) != 0 if wanted else false())
    if log_filter.since is not None:
        conditions.append(column.last_at >= log_filter.since - ROUNDING)
    if log_filter.until is not None:
        conditions.append(column.first_at < log_filter.until + ROUNDING)
    if log_filter.since_seq is not None:
        conditions.append(column.last_seq >= log_filter.since_seq)
    if log_filter.until_seq is not None:
        conditions.append(column.first_seq < log_filter.until_seq)
    if job_filter != ANY_JOB:
        own = select(and_(true(), *jobs_matching(job_filter))).where(jobs.c.job_id == column.job_id)
        conditions.append(own.correlate(batches).scalar_subquery())
    return conditions


def _lines_of(batch: FromClause, log_filter: LogFilter) -> Select[Any]:
    column = task_logs.c
    return select(task_logs).where(
        column.job_id == batch.c.job_id,
        column.recorded_at == batch.c.recorded_at,
        column.seq >= batch.c.first_seq,
        column.seq <= batch.c.until_seq,
        *matching(log_filter),
    )


def _page(request: NewestLogRequest, bounds: Bounds) -> CompoundSelect[Any]:
    """Select a page and, where it is not full for what was looked at, the place up to which that was.

    Both see the same batches, being one statement. The latter is worked out only if it is wanted.
    """
    log_filter, job_filter = request.filter, request.job_filter
    # Where each batch that is read has a line to give, so many suffice.
    gives = log_filter == LogFilter(levels=log_filter.levels, min_level=log_filter.min_level)
    most = request.limit + 2 if gives else bounds.batches_read
    passed = _passed(log_filter, job_filter, request.after, bounds.batches)
    read = _read(passed, log_filter, job_filter, most, bounds)
    page = _lines(request, read.subquery("batch")).cte("page").prefix_with("MATERIALIZED")
    lines = within_bytes(select(page), ["recorded_at", "job_id", "seq"], **bounds_of(request), descending=True)
    line = lines.subquery("cut")
    return union_all(
        select(*(line.c[name] for name in _COLUMNS), line.c.found, literal(False).label("is_stop")),  # noqa: FBT003 - SQL's
        _stop(passed, read, most, bounds).where(
            select(func.count()).select_from(page).scalar_subquery() <= request.limit
        ),
    )


def _lines(request: NewestLogRequest, batch: FromClause) -> Select[Any]:
    own = _lines_of(batch, request.filter).order_by(task_logs.c.seq.desc()).limit(request.limit + 1)
    line = own.correlate(batch).lateral("line")
    query = select(line).select_from(batch).join(line, true()).where(batch.c.is_within)
    return query.order_by(*_descending(batch), line.c.seq.desc()).limit(request.limit + 1)


def _stop(passed: Select[Any], read: Select[Any], most: int, bounds: Bounds) -> Select[Any]:
    """Select the place of the last batch that was looked at, in the form of a line; nothing where all were.

    That is the last one read where there were more to read, else the last one passed.
    """
    batch: CTE = read.cte("read").prefix_with("MATERIALIZED")
    last_read = _places(batch).where(batch.c.is_within).order_by(*_ascending(batch)).limit(1)
    passed_by = passed.subquery("passed_by")
    last_passed = _places(passed_by).order_by(*_descending(passed_by)).offset(bounds.batches - 1).limit(1)
    full = _is_stopped(batch, most)
    last = union_all(last_read.where(full).subquery().select(), last_passed.where(~full).subquery().select()).subquery(
        "stop"
    )
    known = {"job_id": last.c.job_id, "seq": last.c.first_seq, "recorded_at": last.c.recorded_at}
    columns = [known.get(column.name, null().cast(column.type)).label(column.name) for column in task_logs.c]
    return select(*columns, null().cast(BigInteger).label("found"), literal(True).label("is_stop"))  # noqa: FBT003 - SQL's


def _ascending(table: FromClause) -> list[ColumnElement[Any]]:
    return [table.c[name].asc() for name in _KEY]


def _places(table: FromClause) -> Select[Any]:
    return select(*(table.c[name] for name in _KEY))


def _is_stopped(read: FromClause, most: int) -> ColumnElement[bool]:
    """Tell whether there were more batches to read."""
    left = exists(select(1).select_from(read).where(~read.c.is_within))
    return or_(left, select(func.count()).select_from(read).scalar_subquery() == most)


def _kept_count(log_filter: LogFilter, job_filter: JobFilter) -> Select[Any]:
    """Sum the counters of the jobs or, where stages or tasks are asked for, of their tasks."""
    conditions = tasks_matching(log_filter)
    if not conditions:
        return select(func.sum(kept_lines(jobs, log_filter))).where(*jobs_matching(job_filter))
    of_tasks = select(func.sum(kept_lines(job_tasks, log_filter))).where(*conditions)
    if job_filter == ANY_JOB:
        return of_tasks
    return of_tasks.join_from(job_tasks, jobs, job_tasks.c.job_id == jobs.c.job_id).where(*jobs_matching(job_filter))


def _real_count(log_filter: LogFilter, job_filter: JobFilter, bounds: Bounds) -> Select[Any]:
    passed = _passed(log_filter, job_filter, None, bounds.batches)
    batch = _read(passed, log_filter, job_filter, bounds.batches_read, bounds).cte("read").prefix_with("MATERIALIZED")
    own = _lines_of(batch, log_filter).with_only_columns(func.count()).correlate(batch).scalar_subquery()
    more = select(1).select_from(passed.subquery("passed_by")).offset(bounds.batches - 1)
    return select(
        select(func.coalesce(func.sum(own), 0))
        .select_from(batch)
        .where(batch.c.is_within)
        .scalar_subquery()
        .label("lines"),
        or_(_is_stopped(batch, bounds.batches_read), exists(more)).label("is_stopped"),
    )
