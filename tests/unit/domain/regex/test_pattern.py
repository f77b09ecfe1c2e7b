"""The regular expressions of a search, and their meaning. tests/integration holds Postgres to the same."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidInput
from domain.filters import fold_case
from domain.regex.pattern import MAX_LENGTH, compiled
from tests.patterns import PATTERNS


def finds(pattern: str, text: str) -> bool:
    found = compiled(pattern)
    return found.is_in(fold_case(text) if found.ignores_case else text)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("timed? out", "Request TIMED OUT", True),
        ("(?-i)timed out", "Request TIMED OUT", False),
        ("(?-i)Straße", "in der Straße", True),
        ("ÄRZTE", "die ärzte", True),
        ("^ValueError", "Traceback:\nValueError: no", True),
        ("(?-m)^ValueError", "Traceback:\nValueError: no", False),
        ("out$", "timed out\nagain", True),
        (r"out\z", "timed out\nagain", False),
        ("a.b", "a\nb", False),
        ("(?s)a.b", "a\nb", True),
        ("a[^x]b", "a\nb", True),
        (r'{"id": \d+}', 'got {"id": 17}', True),
        (r"\bcat\b", "concatenate", False),
        (r"\bcat\b", "a CAT.", True),
        ("[]x]+y", "]]y", True),
        ("[a-]b", "-b", True),
        ("[^k]", "K", False),
        (r"\W", "K", False),
        (r"(?-i)\W", "\u212a", True),
        (r"\x41\u00e9\x{1F600}", "aÉ😀", True),
        (r"(?<year>\d{4})-(?P<month>\d\d)", "on 2026-11-22", True),
        (r"\d", "٣", False),
        ("a||b", "", True),
        ("", "", True),
    ],
)
def test_a_pattern_finds_what_it_describes(pattern: str, text: str, expected: bool) -> None:
    assert finds(pattern, text) is expected


@pytest.mark.parametrize(
    ("pattern", "place", "why"),
    [
        ("ab(c", 3, "not closed"),
        ("ab)c", 3, "closes no group"),
        ("x[ab", 2, "not closed"),
        ("*a", 1, "nothing to repeat"),
        ("a|+", 3, "nothing to repeat"),
        ("^*", 2, "nothing to repeat"),
        ("{2}", 1, "nothing to repeat"),
        ("a**", 2, "cannot be repeated"),
        ("a++", 2, "possessive"),
        ("a{3,2}", 2, "ascending"),
        ("a{300}", 2, "at most 255"),
        ("(a{100}){100}", 9, "written out"),
        ("a{200}b{200}c{200}", 1, "written out"),
        (r"(a)\1", 4, "back references"),
        ("a(?=b)", 2, "ahead or behind"),
        ("(?<!b)a", 1, "ahead or behind"),
        ("a(?i)b", 2, "before all else"),
        (r"\qa", 1, "not known"),
        ("ab\\", 3, "backslash"),
        ("[z-a]", 2, "range"),
        (r"[\d-z]", 2, "range"),
        ("[[:alpha:]]", 2, "a-z"),
        (r"[^\d\D]", 1, "no character"),
        (r"\x00", 1, "no text"),
        (r"\ud800", 1, "no text"),
        ("(" * 60 + ")" * 60, 51, "deep"),
    ],
)
def test_a_pattern_that_is_wrong_is_refused_with_the_place(pattern: str, place: int, why: str) -> None:
    with pytest.raises(InvalidInput, match=f"is wrong at character {place}: .*{why}"):
        compiled(pattern)


def test_a_pattern_has_a_length() -> None:
    with pytest.raises(InvalidInput, match="1001 characters; 1000 is the most"):
        compiled("a" * (MAX_LENGTH + 1))


@given(pattern=PATTERNS, texts=st.lists(st.text(st.sampled_from("aAbB09_ .-:\n[]{}"), max_size=8), min_size=10))
def test_patterns_mean_what_they_mean_in_python(pattern: str, texts: list[str]) -> None:
    if not pattern.isascii():
        return
    try:
        found = compiled(pattern)
    except InvalidInput:
        return
    flags = re.ASCII | re.MULTILINE | (re.IGNORECASE if found.ignores_case else re.NOFLAG)
    theirs = re.compile(pattern.removeprefix("(?-i)").replace(r"\z", r"\Z"), flags)
    for text in texts:
        assert finds(pattern, text) is bool(theirs.search(text)), (pattern, text)


@pytest.mark.parametrize("pattern", ["(a*)*b", "(x+x+)+y", r"(\w+\s?)*!$", "(a|aa)+$b", "(a|b|ab)*c"])
def test_a_pattern_that_backtracking_never_ends_takes_no_time(pattern: str) -> None:
    began = time.perf_counter()
    for text in ("a" * 100_000 + "!", "x" * 100_000, "ab" * 50_000):
        finds(pattern, text)
    assert time.perf_counter() - began < 2
