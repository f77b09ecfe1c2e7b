"""Stages and tasks in Postgres, from the counters that every write keeps."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any, TypeAlias, cast, overload

from asyncpg import Record
from sqlalchemy import (
    ARRAY,
    TIMESTAMP,
    BigInteger,
    Text,
    any_,
    bindparam,
    func,
    select,
    true,
    tuple_,
)

from domain.bulk_loader import BulkLoader
from domain.jobs import LogCounts
from domain.pages import Columnar, Page, page_of
from domain.requests import TaskPageRequest
from domain.stages.job_stages import Hierarchy, JobStages
from domain.stages.stage_status import StageRecord, TaskColumns, TaskRecord
from jobtail.events import TaskStatus
from persistence.database import Database
from persistence.prepared_statements import Named, Statement, compiled
from persistence.queries.job_filters import seen
from persistence.queries.paging import alike, columns_of, divided, requested
from persistence.sql import statement
from persistence.stores.job_store import counts_of, job_of
from persistence.tables import LEVEL_COLUMNS, job_tasks

MOST_TASKS = 200
"""How many tasks are loaded together with their job."""


class PostgresTaskStore:
    """Satisfies `domain.ports.TaskStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._hierarchies = BulkLoader(self._load_hierarchies)

    async def hierarchies(self, job_ids: Sequence[str]) -> Mapping[str, Hierarchy]:
        """Load them with those that others ask for at the same time, and share what more than one of them asks for."""
        loading = [self._hierarchies.load(job_id) for job_id in job_ids]
        try:
            found = [await loading[0]] if len(loading) == 1 else await asyncio.gather(*loading)
        except asyncio.CancelledError:
            self._hierarchies.cancel_unwanted()
            raise
        return {each.job.job_id: each for each in found if each is not None}

    async def _load_hierarchies(self, job_ids: list[str]) -> list[Hierarchy | None]:
        distinct = list(dict.fromkeys(job_ids))
        asked = {"job_id": distinct[0]} if len(distinct) == 1 else {"job_ids": distinct}
        rows = await self._database.fetch(_hierarchies(*asked, MOST_TASKS), asked)
        found = {row["job_id"]: _hierarchy(row) for row in rows}
        return [found.get(job_id) for job_id in job_ids]

    async def stages(self, job_ids: Sequence[str]) -> Mapping[str, Sequence[StageRecord]]:
        stages: dict[str, list[StageRecord]] = defaultdict(list)
        for row in await self._database.fetch(_stages(), {"job_ids": list(job_ids)}):
            stages[row["job_id"]].append(_stage(row))
        return stages

    async def pages(self, requests: Sequence[TaskPageRequest]) -> Sequence[Page[TaskRecord]]:
        pages: list[Page[TaskRecord] | None] = [None] * len(requests)
        for (form, limit), places in alike(map(_group, requests)).items():
            values = columns_of([_values(requests[place]) for place in places]) | {"limit": limit + 1}
            rows = divided(await self._database.fetch(_pages(form), values), len(places))
            for place, own in zip(places, rows, strict=True):
                pages[place] = page_of(StoredTasks(own), requests[place].window)
        return cast("list[Page[TaskRecord]]", pages)

    async def get(self, job_id: str, stage: str, task_id: str) -> TaskRecord | None:
        rows = await self._database.fetch(_one_task(), {"job_id": job_id, "stage": stage, "task_id": task_id})
        return _task(rows[0]) if rows else None

    async def jobs_of(
        self, task_id: str, *, job_id: str | None = None, job_prefix: str | None = None, limit: int
    ) -> Sequence[str]:
        column = job_tasks.c
        query = select(column.job_id).where(column.task_id == task_id).order_by(column.job_id).distinct().limit(limit)
        if job_id is not None:
            query = query.where(column.job_id == job_id)
        query = query.where(*seen(job_prefix, job_tasks))
        return [row.job_id for row in await self._database.read(query)]


_OF_JOBS = {"job_id": "WHERE jobs.job_id = $1", "job_ids": "WHERE jobs.job_id = ANY($1::text[])"}
"""Postgres plans for every list anew, which takes longer than following the plan: one job has a condition of its own. It
would for a limit that it does not know, too."""


@cache
def _hierarchies(asked: str, most: int) -> Statement:
    text = statement("hierarchies").text.format(most=most)
    return Statement(f"{text}{_OF_JOBS[asked]}", (asked,), {}, {})


@cache
def _stages() -> Statement:
    column = job_tasks.c
    own = column.task_id == column.stage
    first_seq, first_at = func.min(column.first_seq), func.min(column.first_at)
    return compiled(
        select(
            column.job_id,
            column.stage,
            first_seq.label("first_seq"),
            first_at.label("first_at"),
            func.max(column.last_at).label("last_at"),
            func.count().label("task_count"),
            func.coalesce(func.max(column.count_error + column.count_critical).filter(own), 0).label("failures"),
            func.max(column.status).filter(own).label("status"),
            *(func.sum(column[name]).label(name) for name in LEVEL_COLUMNS.values()),
        )
        .where(column.job_id == any_(bindparam("job_ids", type_=ARRAY(Text))))
        .group_by(column.job_id, column.stage)
        .order_by(first_seq, first_at, column.stage)
    )


_AFTER: Mapping[str, Any] = {"after_seq": BigInteger, "after_at": TIMESTAMP(timezone=True), "after_task": Text}
_BEFORE: Mapping[str, Any] = {"before_seq": BigInteger, "before_at": TIMESTAMP(timezone=True), "before_task": Text}

_Form: TypeAlias = tuple[bool, bool, bool]
"""What the text of a page depends on: direction, and whether it lies behind one key, and before another."""


def _group(request: TaskPageRequest) -> tuple[_Form, int]:
    """Tell what requests have in common that one statement answers: the form, and the limit."""
    asked = request.window
    return (asked.backward, asked.after is not None, asked.before is not None), asked.limit


def _values(request: TaskPageRequest) -> dict[str, Any]:
    after = dict(zip(_AFTER, request.window.after or (), strict=False))
    return {
        "job_id": request.job_id,
        "stage": request.stage,
        **after,
        **dict(zip(_BEFORE, request.window.before or (), strict=False)),
    }


@cache
def _pages(form: _Form) -> Statement:
    """Select a page for each of the requests, which bears its place."""
    backward, is_after, is_before = form
    column, keys = job_tasks.c, (job_tasks.c.first_seq, job_tasks.c.first_at, job_tasks.c.task_id)
    asked = requested({"job_id": Text, "stage": Text, **(_AFTER if is_after else {}), **(_BEFORE if is_before else {})})
    own = select(job_tasks).where(column.job_id == asked.c.job_id, column.stage == asked.c.stage)
    if is_after:
        own = own.where(tuple_(*keys) > tuple_(*(asked.c[name] for name in _AFTER)))
    if is_before:
        own = own.where(tuple_(*keys) < tuple_(*(asked.c[name] for name in _BEFORE)))
    order = (key.desc() if backward else key.asc() for key in keys)
    page = own.order_by(*order).limit(bindparam("limit", type_=BigInteger)).correlate(asked).lateral("page")
    return compiled(select(asked.c.place, page).select_from(asked).join(page, true()))


@cache
def _one_task() -> Statement:
    column = job_tasks.c
    wanted = (column[name] == bindparam(name, type_=Text) for name in ("job_id", "stage", "task_id"))
    return compiled(select(job_tasks).where(*wanted))


class StoredTasks(Columnar[TaskRecord]):
    """Tasks as the driver gave them."""

    def __init__(self, rows: Sequence[Record]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> TaskRecord: ...

    @overload
    def __getitem__(self, index: slice) -> StoredTasks: ...

    def __getitem__(self, index: int | slice) -> TaskRecord | StoredTasks:
        return StoredTasks(self._rows[index]) if isinstance(index, slice) else _task(self._rows[index])

    def column(self, name: str) -> list[Any]:
        if name == "log_counts":
            return [LogCounts(*counts) for counts in map(_COUNTS, self._rows)]
        values = list(map(itemgetter(_COLUMNS.get(name, name)), self._rows))
        return [_STATUSES[value] for value in values] if name == "stated" else values


_COLUMNS = {"started_at": "first_at", "stated": "status"}
_COUNTS = itemgetter(*LEVEL_COLUMNS.values())
_STATUSES = {None: None} | {status.value: status for status in TaskStatus}


def _hierarchy(row: Record) -> Hierarchy:
    """Read a job with its stages from its row, without them where its tasks are too many."""
    job = job_of(row)
    return Hierarchy(job, None if row["task_count"] is None else JobStages(job, TaskColumns(_Lists(row))))


class _Lists(dict[str, Sequence[Any]]):
    """The columns of a job's tasks, made when they are asked for. Postgres has no lists for no tasks."""

    def __init__(self, row: Record) -> None:
        super().__init__()
        self._row = row

    def __missing__(self, name: str) -> Sequence[Any]:
        row = self._row
        values: Sequence[Any] = [row["job_id"]] * row["task_count"] if name == "job_id" else row[_LISTS[name]] or []
        self[name] = values = [_STATUSES[status] for status in values] if name == "stated" else values
        return values


_LISTS = {
    "stage": "task_stages",
    "task_id": "task_ids",
    "name": "task_names",
    "stated": "task_statuses",
    "result": "task_results",
    "first_seq": "task_first_seqs",
    "started_at": "task_first_ats",
    "last_at": "task_last_ats",
    "finished_at": "task_finished_ats",
    **{LogCounts.NAMES[level]: f"task_{name}" for level, name in LEVEL_COLUMNS.items()},
}


def _stage(row: Named) -> StageRecord:
    return StageRecord(
        job_id=row["job_id"],
        name=row["stage"],
        first_seq=row["first_seq"],
        started_at=row["first_at"],
        last_at=row["last_at"],
        task_count=row["task_count"],
        log_counts=counts_of(row),
        own_failures=row["failures"],
        stated=None if row["status"] is None else TaskStatus(row["status"]),
    )


def _task(row: Named) -> TaskRecord:
    return TaskRecord(
        job_id=row["job_id"],
        stage=row["stage"],
        task_id=row["task_id"],
        name=row["name"],
        stated=_STATUSES[row["status"]],
        result=row["result"],
        first_seq=row["first_seq"],
        started_at=row["first_at"],
        last_at=row["last_at"],
        finished_at=row["finished_at"],
        log_counts=counts_of(row),
    )
