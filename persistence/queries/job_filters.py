"""The meaning of a filter on jobs in SQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import ARRAY, TIMESTAMP, Boolean, ColumnElement, FromClause, Text, any_, func, literal, or_
from sqlalchemy.types import TypeEngine

from domain.filters import JobFilter, fold_case
from persistence.queries.log_filters import SEARCH_FOLD
from persistence.tables import jobs

_JOB = jobs.c
_SEARCHED: tuple[ColumnElement[Any], ...] = (_JOB.job_id, _JOB.handler_name, _JOB.source, _JOB.error)
KINDS: Mapping[str, tuple[TypeEngine[Any], Callable[[Any], ColumnElement[bool]]]] = {
    "statuses": (ARRAY(Text), lambda value: _JOB.status == any_(value)),
    "handler_names": (ARRAY(Text), lambda value: _JOB.handler_name == any_(value)),
    "execution_id": (Text(), lambda value: _JOB.execution_id == value),
    "parent_job_id": (Text(), lambda value: _JOB.parent_job_id == value),
    "created_since": (TIMESTAMP(timezone=True), lambda value: _JOB.created_at >= value),
    "created_until": (TIMESTAMP(timezone=True), lambda value: _JOB.created_at < value),
    "search": (Text(), lambda value: or_(*(_contains(text, value) for text in _SEARCHED))),
    "has_errors": (Boolean(), lambda value: (_JOB.count_error + _JOB.count_critical > 0) == value),
    "job_prefix": (Text(), lambda value: func.starts_with(_JOB.job_id, value)),
}
"""Of each part of a filter, the type of its value, and the condition that it makes of it."""


def _contains(column: ColumnElement[Any], part: ColumnElement[str]) -> ColumnElement[bool]:
    return func.strpos(func.lower(func.shown_text(column).collate(SEARCH_FOLD)), part) > 0


def job_filter_values(job_filter: JobFilter) -> dict[str, Any]:
    """List the parts of a filter that are set, as `KINDS` takes them."""
    parts = {name: getattr(job_filter, name) for name in KINDS}
    for name in ("statuses", "handler_names"):
        parts[name] = None if parts[name] is None else sorted(parts[name])
    parts["search"] = fold_case(parts["search"]) if parts["search"] else None
    return {name: value for name, value in parts.items() if value is not None}


def jobs_matching(job_filter: JobFilter) -> list[ColumnElement[bool]]:
    """Give the conditions of a filter."""
    values = job_filter_values(job_filter)
    return [KINDS[name][1](literal(value, KINDS[name][0])) for name, value in values.items()]


def seen(job_prefix: str | ColumnElement[str] | None, table: FromClause = jobs) -> list[ColumnElement[bool]]:
    """Leave out the jobs that a token does not show."""
    return [] if job_prefix is None else [func.starts_with(table.c.job_id, job_prefix)]
