"""Cursors are opaque to clients, and clients send anything."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.cursors import decode, encode, log_cursor, log_seq
from domain.errors import InvalidInput

STORABLE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
LARGEST = 2**53 - 1
KEYS = STORABLE | st.integers(-LARGEST, LARGEST)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def forged(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@given(STORABLE, st.lists(KEYS, max_size=4))
def test_what_was_encoded_is_decoded(kind: str, key: list[str | int]) -> None:
    cursor = encode(kind, *key)
    assert decode(cursor) == (kind, key)
    assert cursor.isascii()
    assert not set(cursor) & set("+/=")


@given(STORABLE, st.integers(0, LARGEST))
def test_the_cursor_of_a_line_gives_its_seq(job_id: str, seq: int) -> None:
    assert log_seq(log_cursor(job_id, seq), job_id) == seq


@given(st.text())
@example("")
@example("\ud800")
@example("=" * 10)
@example("[" * 100_000)
@example(base64.urlsafe_b64encode(b"[" * 100_000).decode())
@example(forged(["log", "job", LARGEST + 1]))
@example(forged(["log", "job", -1]))
@example(forged(["log", "job", True]))
@example(forged(["log", "job", 1.0]))
@example(forged(["log", "job", "1"]))
@example(forged(["log", "job", 1, 1]))
@example(forged(["log", "\x00", 1]))
@example(forged(["job", "job", 1]))
@example(forged({"log": "job"}))
@example(forged("log"))
@example(forged([]))
def test_what_is_no_cursor_of_a_line_is_refused(hostile: str) -> None:
    with pytest.raises(InvalidInput):
        log_seq(hostile, "job")


@given(ANYTHING)
def test_forged_json_is_refused_or_is_a_kind_with_a_key_that_can_be_stored(value: Any) -> None:
    try:
        kind, key = decode(forged(value))
    except InvalidInput:
        return
    assert [kind, *key] == value
    assert all(isinstance(part, str) or -LARGEST <= part <= LARGEST for part in key)
    assert not any("\x00" in part for part in key if isinstance(part, str))


def test_the_cursor_of_another_job_says_so() -> None:
    with pytest.raises(InvalidInput, match="job 'other', not to 'job'"):
        log_seq(log_cursor("other", 3), "job")
