"""Filters of lines as SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlalchemy import (
    ARRAY,
    TIMESTAMP,
    BigInteger,
    ColumnElement,
    Integer,
    Text,
    and_,
    any_,
    false,
    func,
    literal,
    literal_column,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from domain.filters import LogFilter, fold_case
from domain.regex import pattern as patterns
from jobtail.events import LogLevel
from persistence.tables import task_logs

SEARCH_FOLD = "search_fold"
"""The collation, made by a migration, that lowers letters as `fold_case` does."""

SEARCH_S = 8.0
"""How long one statement may search for a pattern."""

_LINE = task_logs.c
_SHOWN = func.shown_text(_LINE.message)
_FOLDED = func.lower(_SHOWN.collate(SEARCH_FOLD))
KINDS: Mapping[str, tuple[TypeEngine[Any], Callable[[Any], ColumnElement[bool]]]] = {
    "stages": (ARRAY(Text), lambda value: _LINE.stage == any_(value)),
    "task_ids": (ARRAY(Text), lambda value: _LINE.task_id == any_(value)),
    "execution_id": (Text(), lambda value: _LINE.execution_id == value),
    "since": (TIMESTAMP(timezone=True), lambda value: _LINE.timestamp >= value),
    "until": (TIMESTAMP(timezone=True), lambda value: _LINE.timestamp < value),
    "since_seq": (BigInteger(), lambda value: _LINE.seq >= value),
    "until_seq": (BigInteger(), lambda value: _LINE.seq < value),
    "search": (Text(), lambda value: func.strpos(_FOLDED, value) > 0),
    "pattern": (Text(), lambda value: _FOLDED.collate("C").regexp_match(value)),
    "exact_pattern": (Text(), lambda value: _SHOWN.collate("C").regexp_match(value)),
    "metadata": (JSONB(), _LINE.metadata.op("@>")),
    "levels": (ARRAY(Integer), lambda value: _LINE.level == any_(value)),
}
"""Of each part of a filter, the type of its value, and the condition that it makes of it."""
NOT = "not_"
"""Before the names of the parts of what is left out."""


def kind_of(name: str) -> TypeEngine[Any]:
    return KINDS[name.removeprefix(NOT)][0]


def conditions(values: Mapping[str, ColumnElement[Any]]) -> list[ColumnElement[bool]]:
    """Make the conditions of parts. Those of what is left out are one: what meets all of them goes."""
    wanted = [KINDS[name][1](value) for name, value in values.items() if not name.startswith(NOT)]
    unwanted = [KINDS[name.removeprefix(NOT)][1](value) for name, value in values.items() if name.startswith(NOT)]
    return [*wanted, ~func.coalesce(and_(*unwanted), false())] if unwanted else wanted


def filter_values(log_filter: LogFilter) -> dict[str, Any]:
    """List the parts of a filter that are set, as `KINDS` takes them. Levels are no value: they are in the text.

    Those of what is left out are a value, and always there: what is left out may be everything.
    """
    parts = {
        "stages": None if log_filter.stages is None else sorted(log_filter.stages),
        "task_ids": None if log_filter.task_ids is None else sorted(log_filter.task_ids),
        "execution_id": log_filter.execution_id,
        "since": log_filter.since,
        "until": log_filter.until,
        "since_seq": log_filter.since_seq,
        "until_seq": log_filter.until_seq,
        "metadata": None if log_filter.metadata is None else dict(log_filter.metadata),
    }
    if log_filter.search:
        parts |= _searched(log_filter.search, is_pattern=log_filter.regex)
    if log_filter.without is not None:
        without = {"levels": sorted(map(int, log_filter.without.wanted_levels)), **filter_values(log_filter.without)}
        parts |= {f"{NOT}{name}": value for name, value in without.items()}
    return {name: value for name, value in parts.items() if value is not None}


def _searched(search: str, *, is_pattern: bool) -> dict[str, str]:
    """Name what is looked for by where: patterns go by code points alone, hence the collation "C" of their conditions."""
    if not is_pattern:
        return {"search": fold_case(search)}
    pattern = patterns.compiled(search)
    return {"pattern" if pattern.ignores_case else "exact_pattern": pattern.postgres}


def search_time(log_filters: Iterable[LogFilter]) -> float | None:
    """Bound the time of a statement with these filters, in seconds, None where no pattern is searched for."""
    return SEARCH_S if any(each.has_pattern for each in log_filters) else None


def matching(log_filter: LogFilter) -> list[ColumnElement[bool]]:
    """Say in SQL what `LogFilter.matches` says in Python."""
    values = {name: literal(value, kind_of(name)) for name, value in filter_values(log_filter).items()}
    return of_levels(levels_of(log_filter)) + conditions(values)


def levels_of(log_filter: LogFilter) -> tuple[int, ...] | None:
    """List the wanted levels, None where all are."""
    wanted = log_filter.wanted_levels
    return None if len(wanted) == len(LogLevel) else tuple(sorted(map(int, wanted)))


def of_levels(levels: tuple[int, ...] | None) -> list[ColumnElement[bool]]:
    """Name the levels in the text, so that Postgres sees which index has them."""
    if levels is None:
        return []
    return [_LINE.level.in_([literal_column(str(level)) for level in levels]) if levels else false()]
