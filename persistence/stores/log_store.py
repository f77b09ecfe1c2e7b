"""Lines in Postgres: stored by one statement, read by keyset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import orjson
from asyncpg import Record
from sqlalchemy import ColumnElement, Table, literal

from domain.batches import AlreadyAt, Appended, JobBatch
from domain.filters import EVERYTHING, LogFilter
from domain.logs import TaskLog
from domain.pages import Page, page_of
from domain.requests import LogCount, LogPageRequest
from jobtail.events import JobStatus, LogLevel
from persistence.database import Database
from persistence.queries.log_counts import count_group_of, counts, values_of_counts
from persistence.queries.log_filters import search_time
from persistence.queries.log_pages import (
    PageForm,
    cut_page,
    group_of,
    many_pages,
    one_page,
    read_page,
    values_of_many,
    values_of_one,
)
from persistence.queries.paging import alike, divided
from persistence.sql import statement
from persistence.tables import LEVEL_COLUMNS, job_tasks, level_bits


class PostgresLogStore:
    """Satisfies `domain.ports.LogWriter` and `LogReader`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, batch: JobBatch) -> Appended | AlreadyAt:
        values = values_of(batch)
        if batch.job.parent_job_id is not None and await self._closes_circle(batch.job_id, batch.job.parent_job_id):
            values["parent_job_id"] = None
        row = await self._database.write(statement("append"), values)
        if row is not None:
            status = JobStatus(row["status"])
            return Appended(row["last_seq"], row["recorded_at"], row["execution_id"], status)
        asked = {"job_id": batch.job_id, "writer_id": batch.writer_id}
        position = await self._database.write(statement("position"), asked)
        assert position is not None, "a position that refused the batch exists"
        return AlreadyAt(position["last_n"])

    async def _closes_circle(self, job_id: str, parent_job_id: str) -> bool:
        """Tell whether a parent is the job itself or comes from it: a task that replaced itself is said to be its own child."""
        values = {"job_id": job_id, "parent_job_id": parent_job_id}
        (row,) = await self._database.fetch(statement("closes_circle"), values)
        return bool(row["is_so"])

    async def pages(self, requests: Sequence[LogPageRequest]) -> Sequence[Page[TaskLog]]:
        if len(requests) == 1:
            return await self._pages_alike(group_of(requests[0]).form, requests)
        pages: list[Page[TaskLog] | None] = [None] * len(requests)
        for group, places in alike(map(group_of, requests)).items():
            chosen = [requests[place] for place in places]
            for place, page in zip(places, await self._pages_alike(group.form, chosen), strict=True):
                pages[place] = page
        return cast("list[Page[TaskLog]]", pages)

    async def _pages_alike(self, form: PageForm, requests: Sequence[LogPageRequest]) -> list[Page[TaskLog]]:
        filters = [request.filter for request in requests if request.filter is not EVERYTHING]
        within_s, fetch = search_time(filters) if filters else None, self._database.fetch
        if len(requests) == 1:
            found = await fetch(one_page(form), values_of_one(requests[0]), within_s=within_s)
            rows: Sequence[Sequence[Record]] = [found]
        else:
            found = await fetch(many_pages(form), values_of_many(requests), within_s=within_s)
            rows = divided(found, len(requests))
        pages = [read_page(form, own) for own in rows]
        large = [request for page, request in zip(pages, requests, strict=True) if page is None]
        cut = iter(await self._cut_pages(form, large, within_s) if large else ())
        return [
            next(cut) if page is None else page_of(page, request.window)
            for page, request in zip(pages, requests, strict=True)
        ]

    async def _cut_pages(
        self, form: PageForm, requests: Sequence[LogPageRequest], within_s: float | None
    ) -> list[Page[TaskLog]]:
        """Load pages, of which only now is looked where they are too large.

        A line of any size is not written by Postgres, for which it might become too large.
        """
        cut = form._replace(is_cut=True, written=form.written if requests[0].may_be_empty else None)
        rows = await self._database.fetch(many_pages(cut), values_of_many(requests), within_s=within_s)
        own = divided(rows, len(requests))
        return [cut_page(cut, rows, request.window) for rows, request in zip(own, requests, strict=True)]

    async def counts(self, requests: Sequence[LogCount]) -> Sequence[int]:
        found: dict[int, int] = {}
        for group, places in alike(map(count_group_of, requests)).items():
            chosen = [requests[place] for place in places]
            values, within_s = values_of_counts(chosen), search_time([chosen[0].filter])
            rows = await self._database.fetch(counts(group.form, is_kept=group.is_kept), values, within_s=within_s)
            found |= {places[row["place"] - 1]: int(row["lines"] or 0) for row in rows}
        return [found[place] for place in range(len(requests))]


def values_of(batch: JobBatch) -> dict[str, Any]:
    """Name the values of append.sql."""
    job, deltas = batch.job, batch.tasks.values()
    counts = list(zip(*(task.counts.values() for task in deltas), strict=True)) or [()] * len(LogLevel)
    totals, first_ats = list(map(sum, counts)), [task.first_at for task in deltas]
    stages, task_ids = zip(*batch.tasks, strict=True) if batch.tasks else ((), ())
    lines = _line_columns(batch)
    return {
        "job_id": batch.job_id,
        "writer_id": batch.writer_id,
        "first_n": batch.first_n,
        "last_n": batch.last_n,
        "handler_name": job.handler_name,
        "assumed_handler_name": job.assumed_handler_name,
        "source": job.source,
        "execution_id": job.execution_id,
        "assumed_execution_id": job.assumed_execution_id,
        "schedule_id": job.schedule_id,
        "parent_job_id": job.parent_job_id,
        "metadata": _json(job.metadata),
        "status": job.status,
        "is_restarted": job.is_restarted,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "error": job.error,
        "result": job.result,
        "progress_current": job.progress_current,
        "progress_total": job.progress_total,
        "line_count": len(batch.lines),
        "levels": level_bits(level for level, total in zip(LogLevel, totals, strict=True) if total),
        "first_at": min(first_ats, default=job.finished_at),
        "last_at": max((task.last_at for task in deltas), default=None),
        "size": _size(lines["line_messages"], lines["line_metadata"]),
        "line_stages": _json(stages),
        "line_task_ids": _json(task_ids),
        "task_stages": stages,
        "task_ids": task_ids,
        "task_names": [task.name for task in deltas],
        "task_statuses": [task.status for task in deltas],
        "task_results": [task.result for task in deltas],
        "task_first_lines": [task.first_line for task in deltas],
        "task_first_ats": first_ats,
        "task_last_ats": [task.last_at for task in deltas],
        "task_finished_ats": [task.finished_at for task in deltas],
        **dict(zip(LEVEL_COLUMNS.values(), totals, strict=True)),
        **dict(zip(_TASK_COUNTS, counts, strict=True)),
        **lines,
    }


_TASK_COUNTS = [f"task_{column}" for column in LEVEL_COLUMNS.values()]


def _line_columns(batch: JobBatch) -> dict[str, Sequence[Any]]:
    """Name the columns of the lines.

    A line names its task by its place in the batch, and its time in seconds: two texts and a datetime take longer to send.
    """
    places = {task: place for place, task in enumerate(batch.tasks)}
    stages, task_ids, times, levels, messages, metadata = zip(*batch.lines, strict=True) if batch.lines else [()] * 6
    return {
        "line_tasks": [places[stage, task_id or stage] for stage, task_id in zip(stages, task_ids, strict=True)],
        "line_times": [at.timestamp() for at in times],
        "line_levels": levels,
        "line_messages": messages,
        "line_metadata": [_json(value) for value in metadata],
    }


def _size(messages: Sequence[str], metadata: Sequence[str | None]) -> int:
    """Tell about how many bytes lines are: their characters, which are counted already."""
    return sum(map(len, messages)) + sum(len(value) for value in metadata if value)


def _json(value: Mapping[str, Any] | Sequence[str] | None) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


def tasks_matching(log_filter: LogFilter) -> list[ColumnElement[bool]]:
    """Give the conditions of a filter on a line's stage and task, as conditions on the tasks that count lines."""
    chosen = [(job_tasks.c.stage, log_filter.stages), (job_tasks.c.task_id, log_filter.task_ids)]
    return [column.in_(sorted(values)) for column, values in chosen if values is not None]


def kept_lines(table: Table, log_filter: LogFilter) -> ColumnElement[Any]:
    """Add up a row's counters of the wanted levels."""
    return sum((table.c[LEVEL_COLUMNS[level]] for level in sorted(log_filter.wanted_levels)), start=literal(0))
