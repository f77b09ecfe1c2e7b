"""The meaning of a LogFilter on a row in memory. tests/integration holds Postgres to the same."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.filters import LogFilter, contains, fold_case
from domain.logs import TaskLog
from jobtail.events import LogLevel

AT = datetime(2026, 11, 22, 20, 33, 58, 123456, tzinfo=UTC)
ROW = TaskLog(
    job_id="job",
    seq=1,
    execution_id="run-1",
    stage="score",
    task_id="c-1",
    timestamp=AT,
    recorded_at=AT,
    level=LogLevel.WARNING,
    message="Skill 50% of ÄRZTE\\_",
    metadata={"score": {"sql": 0.5, "tags": ["a", {"b": None}]}, "attempt": 1, "is_new": True},
)
OWN = TaskLog(
    job_id="job",
    seq=2,
    execution_id=None,
    stage="score",
    task_id=None,
    timestamp=AT,
    recorded_at=AT,
    level=LogLevel.TRACE,
    message="",
    metadata=None,
)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("log_filter", "row", "own"),
    [
        (LogFilter(), True, True),
        (LogFilter(levels=frozenset({LogLevel.WARNING, LogLevel.INFO})), True, False),
        (LogFilter(levels=frozenset()), False, False),
        (LogFilter(min_level=LogLevel.WARNING), True, False),
        (LogFilter(min_level=LogLevel.ERROR), False, False),
        (LogFilter(min_level=LogLevel.TRACE), True, True),
        (LogFilter(levels=frozenset({LogLevel.WARNING}), min_level=LogLevel.ERROR), False, False),
        (LogFilter(stages=frozenset({"score"})), True, True),
        (LogFilter(stages=frozenset({"Score"})), False, False),
        (LogFilter(stages=frozenset()), False, False),
        (LogFilter(task_ids=frozenset({"c-1"})), True, False),
        (LogFilter(task_ids=frozenset({"score"})), False, True),
        (LogFilter(execution_id="run-1"), True, False),
        (LogFilter(since=AT), True, True),
        (LogFilter(since=AT + SECOND), False, False),
        (LogFilter(until=AT), False, False),
        (LogFilter(until=AT + SECOND), True, True),
        (LogFilter(since_seq=2), False, True),
        (LogFilter(until_seq=2), True, False),
        (LogFilter(since_seq=1, until_seq=3), True, True),
        (LogFilter(since_seq=2, until_seq=2), False, False),
        (LogFilter(search="50%"), True, False),
        (LogFilter(search="5_%"), False, False),
        (LogFilter(search="ärzte\\_"), True, False),
        (LogFilter(search=""), True, True),
        (LogFilter(search="^skill [0-9]+%", regex=True), True, False),
        (LogFilter(search="(?-i)^skill", regex=True), False, False),
        (LogFilter(search="", regex=True), True, True),
        (LogFilter(metadata={"attempt": 1}), True, False),
        (LogFilter(metadata={}), True, False),
        (LogFilter(metadata={"attempt": 2}), False, False),
        (LogFilter(search="skill", stages=frozenset({"score"}), execution_id="run-2"), False, False),
    ],
)
def test_a_filter_matches_what_satisfies_all_that_is_set(log_filter: LogFilter, row: bool, own: bool) -> None:
    assert (log_filter.matches(ROW), log_filter.matches(OWN)) == (row, own)


@pytest.mark.parametrize(
    ("whole", "part", "expected"),
    [
        ({"a": 1, "b": 2}, {"a": 1}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": {"b": 1, "c": 2}}, {"a": {"c": 2}}, True),
        ({"a": {"b": 1}}, {"b": 1}, False),
        ({"a": [1, 2, 3]}, {"a": [3, 1, 1]}, True),
        ({"a": [1, 2]}, {"a": [4]}, False),
        ({"a": [1, 2]}, {"a": 1}, False),
        ({"a": [[1, 2]]}, {"a": [[2]]}, True),
        ({"a": [[1, 2]]}, {"a": [2]}, False),
        ({"a": [{"b": 1, "c": 2}]}, {"a": [{"c": 2}]}, True),
        ({"a": [1]}, {"a": []}, True),
        ({"a": {}}, {"a": []}, False),
        ({"a": None}, {"a": None}, True),
        ({}, {"a": None}, False),
        ({"a": 0}, {"a": None}, False),
        ({"a": 1}, {"a": True}, False),
        ({"a": True}, {"a": 1}, False),
        ({"a": True}, {"a": True}, True),
        ({"a": 1}, {"a": 1.0}, True),
        ({"a": "1"}, {"a": 1}, False),
        ({"a": "xyz"}, {"a": "y"}, False),
        ({"a": "xyz"}, {"a": ["x"]}, False),
    ],
)
def test_containment_is_that_of_jsonb(whole: Any, part: Any, expected: bool) -> None:
    assert contains(whole, part) is expected


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("ABC", "abc"),
        ("ÄÖ", "äö"),
        ("\u03a3\u0391\u03a3", "\u03c3\u03b1\u03c3"),
        ("straße", "straße"),
        ("\u0130", "i"),
        ("ǅ", "ǆ"),
        ("", ""),
    ],
)
def test_case_is_folded_character_by_character(text: str, folded: str) -> None:
    assert fold_case(text) == folded


@pytest.mark.parametrize("name", [field.name for field in fields(LogFilter)])
def test_the_kept_counts_know_levels_stages_and_tasks_only(name: str) -> None:
    values: dict[str, Any] = {
        "levels": frozenset({LogLevel.INFO}),
        "min_level": LogLevel.INFO,
        "stages": frozenset({"a"}),
        "task_ids": frozenset({"a"}),
        "execution_id": "",
        "since": AT,
        "until": AT,
        "since_seq": 1,
        "until_seq": 1,
        "search": "a",
        "regex": True,
        "metadata": {},
        "without": LogFilter(),
    }
    is_kept = name in {"levels", "min_level", "stages", "task_ids", "regex"}
    assert LogFilter(**{name: values[name]}).is_countable is is_kept


@pytest.mark.parametrize(
    ("log_filter", "expected"),
    [
        (LogFilter(), (5, 10)),
        (LogFilter(since_seq=3, until_seq=20), (5, 10)),
        (LogFilter(since_seq=7), (7, 10)),
        (LogFilter(until_seq=7), (5, 6)),
        (LogFilter(since_seq=7, until_seq=7), (7, 6)),
    ],
)
def test_a_range_of_lines_is_narrowed(log_filter: LogFilter, expected: tuple[int, int]) -> None:
    assert log_filter.seqs_within(5, 10) == expected


def test_a_search_for_nothing_is_countable() -> None:
    assert LogFilter(search="").is_countable
