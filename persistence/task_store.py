"""Stages and tasks in Postgres, from the counters that every write keeps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, func, select

from domain.hierarchy import StageRecord, TaskRecord
from domain.pages import Page
from domain.ports import TaskPageRequest
from jobtail.events import TaskStatus
from persistence.database import Database
from persistence.job_store import counts_of
from persistence.paging import fetch_pages, windowed
from persistence.tables import LEVEL_COLUMNS, job_tasks


class PostgresTaskStore:
    """Satisfies `domain.ports.TaskStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def stages(self, job_ids: Sequence[str]) -> Mapping[str, Sequence[StageRecord]]:
        column = job_tasks.c
        own = column.task_id == column.stage
        first_seq, first_at = func.min(column.first_seq), func.min(column.first_at)
        query = (
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
            .where(column.job_id.in_(job_ids))
            .group_by(column.job_id, column.stage)
            .order_by(first_seq, first_at, column.stage)
        )
        stages: dict[str, list[StageRecord]] = defaultdict(list)
        for row in await self._database.read(query):
            stages[row.job_id].append(_stage(row))
        return stages

    async def pages(self, requests: Sequence[TaskPageRequest]) -> Sequence[Page[TaskRecord]]:
        column = job_tasks.c
        keys = [column.first_seq, column.first_at, column.task_id]
        queries = [
            windowed(
                select(job_tasks).where(column.job_id == request.job_id, column.stage == request.stage),
                keys,
                request.window,
            )
            for request in requests
        ]
        return await fetch_pages(self._database, queries, [request.window for request in requests], _task)

    async def get(self, job_id: str, stage: str, task_id: str) -> TaskRecord | None:
        column = job_tasks.c
        query = select(job_tasks).where(column.job_id == job_id, column.stage == stage, column.task_id == task_id)
        rows = await self._database.read(query)
        return _task(rows[0]) if rows else None


def _stage(row: Row[Any]) -> StageRecord:
    return StageRecord(
        job_id=row.job_id,
        name=row.stage,
        first_seq=row.first_seq,
        started_at=row.first_at,
        last_at=row.last_at,
        task_count=row.task_count,
        log_counts=counts_of(row),
        own_failures=row.failures,
        stated=None if row.status is None else TaskStatus(row.status),
    )


def _task(row: Row[Any]) -> TaskRecord:
    return TaskRecord(
        job_id=row.job_id,
        stage=row.stage,
        task_id=row.task_id,
        name=row.name,
        stated=None if row.status is None else TaskStatus(row.status),
        result=row.result,
        first_seq=row.first_seq,
        started_at=row.first_at,
        last_at=row.last_at,
        finished_at=row.finished_at,
        log_counts=counts_of(row),
    )
