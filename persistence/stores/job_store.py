"""Jobs in Postgres, the newest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, cast

from asyncpg import Record
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Row,
    Text,
    any_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
)

from domain.filters import JobFilter
from domain.jobs import Job, JobPosition, LogCounts, Progress
from domain.pages import Page, page_of
from domain.requests import JobPageRequest
from jobtail.events import JobStatus
from persistence.database import Database
from persistence.prepared_statements import Named, Statement, compiled
from persistence.queries.job_filters import jobs_matching
from persistence.queries.job_pages import JobForm, group_of, many_pages, one_page, values_of
from persistence.queries.page_sizes import FOUND
from persistence.queries.paging import alike, divided, fetch_counts
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
        pages: list[Page[Job] | None] = [None] * len(requests)
        for group, places in alike(map(group_of, requests)).items():
            rows = await self._rows(group.form, [requests[place] for place in places])
            for place, own in zip(places, rows, strict=True):
                found = own[0][FOUND] if own and group.form.large else None
                pages[place] = page_of([job_of(row) for row in own], requests[place].window, found=found)
        return cast("list[Page[Job]]", pages)

    async def _rows(self, form: JobForm, requests: Sequence[JobPageRequest]) -> Sequence[Sequence[Record]]:
        """Load the rows of pages of one form, which are those of one page where the requests differ in nothing."""
        if len(requests) == 1 or not form.own_columns:
            rows = await self._database.fetch(one_page(form), values_of(requests[:1]))
            return [rows] * len(requests)
        return divided(await self._database.fetch(many_pages(form), values_of(requests)), len(requests))

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
