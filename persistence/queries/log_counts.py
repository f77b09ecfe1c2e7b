"""Counts of matching lines, for many questions in one statement: from the kept counters where the filter allows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from sqlalchemy import ColumnElement, Select, any_, bindparam, func, literal_column, select

from domain.requests import LogCount
from jobtail.events import LogLevel
from persistence.prepared_statements import Statement, compiled
from persistence.queries.log_filters import KINDS, filter_values, levels_of, of_levels
from persistence.queries.log_pages import PageForm, own_columns, scope_values, where
from persistence.queries.paging import columns_of, requested
from persistence.tables import LEVEL_COLUMNS, job_tasks, jobs, task_logs


class CountGroup(NamedTuple):
    """What questions have in common that one statement answers; they differ in scope."""

    form: PageForm
    is_kept: bool
    filter: bytes


def count_group_of(request: LogCount) -> CountGroup:
    values, scope, levels = filter_values(request.filter), request.scope, levels_of(request.filter)
    form = PageForm(scope.stage is not None, scope.task_id is not None, levels, tuple(values), False, False, False)  # noqa: FBT003 - no window
    return CountGroup(form, request.filter.is_countable, orjson.dumps(values) if values else b"")


def values_of_counts(requests: Sequence[LogCount]) -> dict[str, Any]:
    return columns_of([scope_values(request.scope) for request in requests]) | filter_values(requests[0].filter)


@lru_cache(maxsize=500)
def counts(form: PageForm, *, is_kept: bool) -> Statement:
    """Select the number of lines for each of the questions, which bears its place."""
    asked = requested(own_columns(form))
    own = {name: asked.c[name] for name in own_columns(form)}
    found = (_kept(form, own) if is_kept else _real(form, own)).correlate(asked).scalar_subquery()
    return compiled(select(asked.c.place, found.label("lines")).select_from(asked))


def _real(form: PageForm, own: Mapping[str, ColumnElement[Any]]) -> Select[Any]:
    return select(func.count()).select_from(task_logs).where(*where(form, own), *of_levels(form.levels))


def _kept(form: PageForm, own: Mapping[str, ColumnElement[Any]]) -> Select[Any]:
    """Sum the counters of the job or, where stages or tasks are asked for, of its tasks."""
    lists = {"stages": job_tasks.c.stage, "task_ids": job_tasks.c.task_id}
    conditions = [job_tasks.c[name] == own[name] for name in ("stage", "task_id") if name in own]
    conditions += [lists[name] == any_(bindparam(name, type_=KINDS[name][0])) for name in form.parts]
    table = job_tasks if conditions else jobs
    wanted = [level for level in LogLevel if form.levels is None or level in form.levels]
    kept: Any = sum((table.c[LEVEL_COLUMNS[level]] for level in wanted), start=literal_column("0"))
    return select(func.sum(kept)).where(table.c.job_id == own["job_id"], *conditions)
