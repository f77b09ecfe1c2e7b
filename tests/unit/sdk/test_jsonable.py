"""Metadata becomes plain JSON at the moment of the emission, whatever it holds."""

from __future__ import annotations

import json
import math
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobtail.events import rfc3339
from jobtail.jsonable import MAX_DEPTH, jsonable, jsonable_object, shown


class Colour(Enum):
    RED = "red"


class Size(IntEnum):
    LARGE = 3


class Kind(StrEnum):
    PLAIN = "plain"


class Point(NamedTuple):
    x: int
    y: int


@dataclass
class Candidate:
    name: str
    scores: dict[str, float] = field(default_factory=dict)


class Unspeakable:
    def __str__(self) -> str:
        raise RuntimeError("no")


class BrokenMapping(OrderedDict[str, int]):
    def items(self) -> Any:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (2**63, 2**63),
        (-(2**200), -(2**200)),
        (1.5, 1.5),
        (math.nan, "NaN"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        ("text", "text"),
        ("", ""),
        (b"caf\xc3\xa9", "café"),
        (b"\xff\x00", "base64:/wA="),
        (bytearray(b"ab"), "ab"),
        (memoryview(b"ab"), "ab"),
        (Colour.RED, "red"),
        (Size.LARGE, 3),
        (Kind.PLAIN, "plain"),
        (Decimal("1.10"), "1.10"),
        (Fraction(1, 3), "1/3"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (PurePosixPath("a/b"), "a/b"),
        (timedelta(seconds=90), "0:01:30"),
        (date(2025, 1, 15), "2025-01-15"),
        (datetime(2025, 1, 15, 10, 30, tzinfo=UTC), "2025-01-15T10:30:00.000000Z"),
        (datetime(2025, 1, 15, 10, 30, 0, 5, timezone(timedelta(hours=2))), "2025-01-15T08:30:00.000005Z"),
        (datetime(33, 1, 2, tzinfo=UTC), "0033-01-02T00:00:00.000000Z"),
        ((1, "a"), [1, "a"]),
        (Point(1, 2), [1, 2]),
        ({3, 1, 2}, [1, 2, 3]),
        (frozenset({"b", "a"}), ["a", "b"]),
        (deque([1]), [1]),
        ({"a": 1}.keys(), ["a"]),
        ({"a": 1}.values(), [1]),
        (Candidate("Ann", {"fit": math.nan}), {"name": "Ann", "scores": {"fit": "NaN"}}),
        (ValueError("bad"), "ValueError: bad"),
        ({1: "a", None: "b", Colour.RED: "c", b"k": "d"}, {"1": "a", "None": "b", "red": "c", "k": "d"}),
        ({1: "a", "1": "b"}, {"1": "a", "1 (str)": "b"}),
        (Unspeakable(), "<Unspeakable that cannot be shown>"),
        (BrokenMapping(a=1), "<BrokenMapping that cannot be shown>"),
        (range(10**9), "range(0, 1000000000)"),
    ],
)
def test_a_value_is_said_in_json(value: Any, expected: Any) -> None:
    result = jsonable({"nested": [value]})["nested"][0]
    assert result == expected
    assert type(result) is type(expected)


def test_a_number_too_long_for_decimals_is_said_in_hexadecimals() -> None:
    assert jsonable([1 << 20_000]) == [hex(1 << 20_000)]


def test_a_naive_time_is_local_time() -> None:
    naive = datetime(2025, 1, 15, 10, 30)  # noqa: DTZ001
    assert datetime.fromisoformat(jsonable(naive)) == naive.astimezone(UTC)
    assert jsonable(datetime.min) == datetime.min.isoformat() or jsonable(datetime.min).endswith("Z")  # noqa: DTZ901


def test_a_cycle_is_marked_and_a_value_that_is_shared_is_not() -> None:
    shared = [1]
    knot: dict[str, Any] = {"one": shared, "two": shared}
    knot["self"] = [knot]
    assert jsonable(knot) == {"one": [1], "two": [1], "self": ["<cycle>"]}


def test_what_is_nested_too_deeply_is_marked() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    result, depth = jsonable(deep), 0
    while isinstance(result, list):
        result, depth = result[0], depth + 1
    assert depth == MAX_DEPTH
    assert result == "<deeper than 50>"


def test_lists_that_hold_one_another_twice_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobtail.jsonable.MAX_VALUES", 1000)
    bomb: list[Any] = ["x"]
    for _ in range(30):
        bomb = [bomb, bomb]
    text = json.dumps(jsonable(bomb))
    assert "<more than 1000 values>" in text
    assert len(text) < 100_000


def test_a_generator_is_not_used_up() -> None:
    numbers = (number for number in range(3))
    assert "generator" in jsonable(numbers)
    assert list(numbers) == [0, 1, 2]


def test_what_the_job_changes_later_does_not_reach_the_snapshot() -> None:
    flat = {"a": 1}
    nested = {"items": [1]}
    flat_snapshot, nested_snapshot = jsonable_object(flat), jsonable_object(nested)
    flat["a"] = 2
    nested["items"].append(2)
    assert flat_snapshot == {"a": 1}
    assert nested_snapshot == {"items": [1]}


def test_metadata_that_is_no_mapping_becomes_the_value_of_one() -> None:
    assert jsonable_object(None) is None
    assert jsonable_object({}) == {}
    assert jsonable_object([1, 2]) == {"value": [1, 2]}
    assert jsonable_object(BrokenMapping(a=1)) == {"value": "<BrokenMapping that cannot be shown>"}
    assert jsonable_object({"ratio": math.inf, "big": 2**64}) == {"ratio": "Infinity", "big": 2**64}


def test_text_is_said_plainly_and_a_time_in_utc() -> None:
    assert [shown("a"), shown(5), shown(Colour.RED), shown(Unspeakable())] == [
        "a",
        "5",
        "red",
        "<Unspeakable that cannot be shown>",
    ]
    assert rfc3339(datetime(2025, 1, 15, 10, 30, 0, 123456, UTC)) == "2025-01-15T10:30:00.123456Z"


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text()
        | st.binary()
        | st.datetimes()
        | st.decimals(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner),
        max_leaves=20,
    ),
)
def test_every_snapshot_is_strict_json(value: Any) -> None:
    snapshot = jsonable(value)
    assert json.loads(json.dumps(snapshot, allow_nan=False)) == snapshot
