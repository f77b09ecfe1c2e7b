"""Jobs in Postgres, the newest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    FromClause,
    Row,
    Text,
    any_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
)

from domain.filters import JobFilter, fold_case
from domain.jobs import Job, JobPosition, LogCounts, Progress
from domain.pages import Page
from domain.requests import JobPageRequest
from jobtail.events import JobStatus
from persistence.database import Database
from persistence.prepared_statements import Named, Statement, compiled
from persistence.queries.log_filters import SEARCH_FOLD
from persistence.queries.paging import fetch_counts, fetch_pages, windowed
from persistence.tables import ACTIVE, LEVEL_COLUMNS, jobs

MOST_POSITIONS = 10_000


class PostgresJobStore:
    """Satisfies `domain.ports.JobStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, job_ids: Sequence[str]) -> Mapping[str, Job]:
        rows = await self._database.fetch(_jobs_by_id(), {"job_ids": list(job_ids)})
        return {row["job_id"]: job_of(row) for row in rows}

    async def pages(self, requests: Sequence[JobPageRequest]) -> Sequence[Page[Job]]:
        keys = [jobs.c.created_at, jobs.c.job_id]
        queries = [
            windowed(select(jobs).where(*jobs_matching(request.filter)), keys, request.window, descending=True)
            for request in requests
        ]
        return await fetch_pages(self._database, queries, [request.window for request in requests], _job)

    async def matching(self, job_ids: Sequence[str], job_filter: JobFilter) -> Sequence[Job]:
        chosen = select(jobs).where(jobs.c.job_id.in_(job_ids), *jobs_matching(job_filter))
        rows = await self._database.read(chosen.order_by(jobs.c.created_at, jobs.c.job_id))
        return [_job(row) for row in rows]

    async def counts(self, job_filters: Sequence[JobFilter]) -> Sequence[int]:
        queries = [select(func.count()).select_from(jobs).where(*jobs_matching(each)) for each in job_filters]
        return await fetch_counts(self._database, queries)

    async def positions(self, job_ids: Sequence[str], *, active_since: datetime | None) -> Mapping[str, JobPosition]:
        wanted: ColumnElement[bool] = jobs.c.job_id.in_(job_ids)
        if active_since is not None:
            wanted = or_(wanted, literal_column(f"({ACTIVE})"), jobs.c.finished_at >= active_since)
        columns = (jobs.c.job_id, jobs.c.last_seq, jobs.c.status)
        rows = await self._database.read(select(*columns).where(wanted).limit(MOST_POSITIONS))
        return {row.job_id: JobPosition(row.last_seq, JobStatus(row.status)) for row in rows}


@cache
def _jobs_by_id() -> Statement:
    return compiled(select(jobs).where(jobs.c.job_id == any_(bindparam("job_ids", type_=ARRAY(Text)))))


def jobs_matching(job_filter: JobFilter) -> list[ColumnElement[bool]]:
    """Give the conditions of a filter."""
    column = jobs.c
    conditions: list[ColumnElement[bool]] = []
    if job_filter.statuses is not None:
        conditions.append(column.status.in_(sorted(job_filter.statuses)))
    if job_filter.handler_names is not None:
        conditions.append(column.handler_name.in_(sorted(job_filter.handler_names)))
    if job_filter.execution_id is not None:
        conditions.append(column.execution_id == job_filter.execution_id)
    if job_filter.parent_job_id is not None:
        conditions.append(column.parent_job_id == job_filter.parent_job_id)
    if job_filter.created_since is not None:
        conditions.append(column.created_at >= job_filter.created_since)
    if job_filter.created_until is not None:
        conditions.append(column.created_at < job_filter.created_until)
    if job_filter.search:
        searched = (column.job_id, column.handler_name, column.source, column.error)
        conditions.append(or_(*(_contains(text, job_filter.search) for text in searched)))
    if job_filter.has_errors is not None:
        with_errors = column.count_error + column.count_critical > 0
        conditions.append(with_errors if job_filter.has_errors else ~with_errors)
    return conditions + seen(job_filter.job_prefix)


def seen(job_prefix: str | None, table: FromClause = jobs) -> list[ColumnElement[bool]]:
    """Leave out the jobs that a token does not show."""
    return [] if job_prefix is None else [func.starts_with(table.c.job_id, job_prefix)]


def _contains(column: ColumnElement[Any], part: str) -> ColumnElement[bool]:
    return func.strpos(func.lower(func.shown_text(column).collate(SEARCH_FOLD)), fold_case(part)) > 0


def counts_of(row: Named) -> LogCounts:
    """Read the counters that a row carries under the names of the tables' columns."""
    return LogCounts(*(int(row[name]) for name in LEVEL_COLUMNS.values()))


def job_of(row: Named) -> Job:
    """Make a job of a row that has the columns of the table."""
    progress = None
    if row["progress_current"] is not None or row["progress_total"] is not None:
        progress = Progress(row["progress_current"] or 0, row["progress_total"])
    return Job(
        job_id=row["job_id"],
        handler_name=row["handler_name"],
        source=row["source"],
        status=JobStatus(row["status"]),
        progress=progress,
        error=row["error"],
        result=row["result"],
        parent_job_id=row["parent_job_id"],
        execution_id=row["execution_id"],
        schedule_id=row["schedule_id"],
        metadata=row["metadata"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        last_seq=row["last_seq"],
        first_recorded_at=row["first_recorded_at"],
        last_recorded_at=row["last_recorded_at"],
        log_counts=counts_of(row),
    )


def _job(row: Row[Any]) -> Job:
    return job_of(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
