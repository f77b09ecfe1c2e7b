"""The times of a job's lines: counted by time and level in Postgres."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Interval, case, func, literal, literal_column, select, true

from domain.histogram import ORIGIN, TimeCount
from domain.logs import LogExtent
from domain.requests import TimeCountRequest
from jobtail.events import LogLevel
from persistence.database import Database
from persistence.queries.log_filters import SEARCH_S, matching
from persistence.queries.log_pages import lines_of_job
from persistence.tables import job_tasks, jobs, task_logs

_ORIGIN: ColumnElement[Any] = literal_column(f"'{ORIGIN.isoformat()}'::timestamptz")
"""Written out, since the driver takes the first day of the calendar for infinity."""


class PostgresLogTimes:
    """Satisfies `domain.ports.LogTimes`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def extent(self, job_id: str) -> LogExtent | None:
        """Take the times from the tasks, whose own are kept with every write.

        Where the first lines were pruned, the first that is left tells better where the others begin.
        """
        line, task = task_logs.c, job_tasks.c
        first = (
            select(line.seq, line.timestamp).where(*lines_of_job(job_id)).order_by(line.seq).limit(1).subquery("first")
        )
        first_at = select(func.min(task.first_at)).where(task.job_id == job_id).scalar_subquery()
        last_at = select(func.max(task.last_at)).where(task.job_id == job_id).scalar_subquery()
        query = (
            select(
                jobs.c.last_seq,
                first.c.seq.label("first_seq"),
                case((first.c.seq == 1, first_at), else_=first.c.timestamp).label("first_at"),
                last_at.label("last_at"),
            )
            .select_from(jobs)
            .join(first, true())
            .where(jobs.c.job_id == job_id)
        )
        rows = await self._database.read(query)
        if not rows:
            return None
        (row,) = rows
        return LogExtent(first_seq=row.first_seq, last_seq=row.last_seq, first_at=row.first_at, last_at=row.last_at)

    async def counts(self, request: TimeCountRequest) -> Sequence[TimeCount]:
        line = task_logs.c
        width = literal(timedelta(microseconds=request.width), Interval)
        since = func.date_bin(width, line.timestamp, _ORIGIN)
        query = (
            select(since.label("since"), line.level, func.count().label("lines"))
            .where(
                *lines_of_job(request.job_id),
                line.seq > request.after,
                line.seq <= request.upto,
                *matching(request.filter),
            )
            .group_by("since", line.level)
        )
        rows = await self._database.read(query, within_s=SEARCH_S)
        return [TimeCount(row.since, LogLevel(row.level), row.lines) for row in rows]
