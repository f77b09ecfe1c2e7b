"""Text that Postgres can hold."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.logs import (
    EARLIEST,
    LATEST,
    MAX_JSON_DEPTH,
    MAX_LABEL_LENGTH,
    storable,
    storable_json,
    storable_label,
    storable_time,
)

ANY_TEXT = st.text(st.characters(exclude_categories=()))


@given(ANY_TEXT)
def test_stored_text_keeps_its_length_and_all_that_can_be_stored(text: str) -> None:
    stored = storable(text)
    stored.encode()
    assert "\x00" not in stored
    assert len(stored) == len(text)
    for before, after in zip(text, stored, strict=True):
        if before == "\x00":
            assert after == "\u2400"
        elif "\ud800" <= before <= "\udfff":
            assert after == "\ufffd"
        else:
            assert after == before


@given(st.text(max_size=500), st.text(max_size=500))
def test_labels_are_bounded_and_those_that_differ_stay_apart(one: str, other: str) -> None:
    assert len(storable_label(one * 3)) <= MAX_LABEL_LENGTH
    if storable(one) != storable(other):
        assert storable_label("s" * 190 + one) != storable_label("s" * 190 + other)


@given(ANY_TEXT)
def test_a_label_made_storable_stays_as_it_is(text: str) -> None:
    label = storable_label(text * 50)
    assert storable_label(label) == label


def test_a_label_of_just_the_length_is_left_alone() -> None:
    assert storable_label("s" * MAX_LABEL_LENGTH) == "s" * MAX_LABEL_LENGTH
    shortened = storable_label("s" * (MAX_LABEL_LENGTH + 1))
    assert shortened.startswith("s" * 183 + "~")
    assert len(shortened) == MAX_LABEL_LENGTH


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ({"a\x00": ["b\ud800", ("c", None)]}, {"a\u2400": ["b\ufffd", ["c", None]]}),
        ({1: True}, {"1": True}),
        ({"a": 2**64}, {"a": "18446744073709551616"}),
        ({"a": [2**64 - 1, -(2**63)]}, {"a": [2**64 - 1, -(2**63)]}),
        ({"a": -(2**63) - 1}, {"a": "-9223372036854775809"}),
        (None, None),
        (0.5, 0.5),
    ],
)
def test_json_is_made_storable_in_depth(value: Any, stored: Any) -> None:
    assert storable_json(value) == stored


def test_json_that_is_too_deep_ends_where_it_can_still_be_written() -> None:
    deep: list[Any] = []
    for _ in range(MAX_JSON_DEPTH - 1):
        deep = [deep]
    assert storable_json(deep) == deep
    stored = storable_json([deep])
    for _ in range(MAX_JSON_DEPTH):
        (stored,) = stored
    assert stored == "<deeper than 200>"


@pytest.mark.parametrize(
    ("at", "stored"),
    [
        (datetime(2025, 1, 15, 10, 30, 0, 123456, tzinfo=UTC), datetime(2025, 1, 15, 10, 30, 0, 123456, tzinfo=UTC)),
        (datetime.max, LATEST),  # noqa: DTZ901 - that is the case
        (datetime.max.replace(tzinfo=UTC), LATEST),
        (datetime.min, EARLIEST),  # noqa: DTZ901
        (datetime.min.replace(tzinfo=UTC), EARLIEST),
    ],
)
def test_a_time_that_no_clock_should_show_becomes_the_nearest_that_can_be_stored(
    at: datetime, stored: datetime
) -> None:
    assert storable_time(at) == stored


def test_a_time_without_an_offset_is_local() -> None:
    at = datetime(2025, 7, 1, 12)  # noqa: DTZ001 - that is the case
    assert storable_time(at) == at.astimezone(UTC)
