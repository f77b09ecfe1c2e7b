"""Pages of jobs, the newest first: the statement of each form of a question, and the rows that it gives."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    Text,
    bindparam,
    null,
    select,
    true,
    tuple_,
)
from sqlalchemy.types import TypeEngine

from domain.jobs import LARGE_PARTS
from domain.requests import JobPageRequest
from persistence.prepared_statements import Statement, compiled
from persistence.queries.job_filters import KINDS, job_filter_values
from persistence.queries.page_sizes import jobs_within_bytes
from persistence.queries.paging import columns_of, requested
from persistence.tables import jobs

_OWN = ("execution_id", "parent_job_id")
"""The parts of a filter in which requests of one statement may differ: children of many jobs are asked for at once."""
AFTER: dict[str, TypeEngine[Any]] = {"after_at": TIMESTAMP(timezone=True), "after_job": Text()}
BEFORE: dict[str, TypeEngine[Any]] = {"before_at": TIMESTAMP(timezone=True), "before_job": Text()}


class JobForm(NamedTuple):
    """All that the text of a page depends on."""

    parts: tuple[str, ...]
    """The parts of the filter that are set."""
    is_after: bool
    is_before: bool
    backward: bool
    large: tuple[str, ...]
    """The large columns that are loaded."""

    @property
    def own_columns(self) -> Mapping[str, TypeEngine[Any]]:
        """List what requests of one group differ in."""
        own = {name: KINDS[name][0] for name in self.parts if name in _OWN}
        return own | (AFTER if self.is_after else {}) | (BEFORE if self.is_before else {})


class JobGroup(NamedTuple):
    """What requests have in common that one statement answers."""

    form: JobForm
    limit: int
    max_bytes: int
    filter: bytes


def group_of(request: JobPageRequest) -> JobGroup:
    values, window = job_filter_values(request.filter), request.window
    large = tuple(sorted(request.large))
    form = JobForm(tuple(values), window.after is not None, window.before is not None, window.backward, large)
    common = {name: value for name, value in values.items() if name not in _OWN}
    return JobGroup(form, window.limit, request.max_bytes, orjson.dumps(common))


def values_of(requests: Sequence[JobPageRequest]) -> dict[str, Any]:
    """Name the values of `one_page`, or of `many_pages` where there are several requests."""
    own = [_own_values(request) for request in requests]
    request = requests[0]
    common = {"limit": request.window.limit + 1, "max_bytes": request.max_bytes}
    return job_filter_values(request.filter) | common | (own[0] if len(own) == 1 else columns_of(own))


def _own_values(request: JobPageRequest) -> dict[str, Any]:
    values, window = job_filter_values(request.filter), request.window
    own = {name: value for name, value in values.items() if name in _OWN}
    own |= zip(AFTER, window.after or (), strict=False)
    own |= zip(BEFORE, window.before or (), strict=False)
    return own


@lru_cache(maxsize=500)
def one_page(form: JobForm) -> Statement:
    own = {name: bindparam(name, type_=kind) for name, kind in form.own_columns.items()}
    return compiled(_page(form, own))


@lru_cache(maxsize=500)
def many_pages(form: JobForm) -> Statement:
    """Select a page for each of the requests, which bears its place."""
    asked = requested(form.own_columns)
    page = _page(form, {name: asked.c[name] for name in form.own_columns}, asked).lateral("page")
    return compiled(select(page, asked.c.place).select_from(asked).join(page, true()))


def _page(form: JobForm, own: Mapping[str, ColumnElement[Any]], *asked: FromClause) -> Select[Any]:
    query = select(*columns_with(form.large)).where(
        *(KINDS[name][1](own.get(name, bindparam(name, type_=KINDS[name][0]))) for name in form.parts)
    )
    query = in_window(query, own, is_after=form.is_after, is_before=form.is_before, backward=form.backward).correlate(
        *asked
    )
    if not form.large:
        return query
    max_bytes = bindparam("max_bytes", type_=BigInteger)
    return jobs_within_bytes(query, ["created_at", "job_id"], max_bytes=max_bytes, descending=not form.backward)


def in_window(
    query: Select[Any],
    own: Mapping[str, ColumnElement[Any]] | None = None,
    *,
    is_after: bool,
    is_before: bool,
    backward: bool,
) -> Select[Any]:
    """Limit a query of jobs to a window of their list. Its keys are parameters, unless they are `own` columns of requests."""
    keys = (jobs.c.created_at, jobs.c.job_id)
    given = own or {name: bindparam(name, type_=kind) for name, kind in (AFTER | BEFORE).items()}
    if is_after:
        query = query.where(tuple_(*keys) < tuple_(*(given[name] for name in AFTER)))
    if is_before:
        query = query.where(tuple_(*keys) > tuple_(*(given[name] for name in BEFORE)))
    ordered = query.order_by(*(each.asc() if backward else each.desc() for each in keys))
    return ordered.limit(bindparam("limit", type_=BigInteger))


def columns_with(large: Collection[str]) -> list[ColumnElement[Any]]:
    """Give the columns of a job. Large ones that are not asked for are null."""
    left_out = LARGE_PARTS - set(large)
    return [null().cast(each.type).label(each.name) if each.name in left_out else each for each in jobs.c]
