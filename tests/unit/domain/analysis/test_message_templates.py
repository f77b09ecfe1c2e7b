"""Templates: what varies from run to run is gone, and nothing else."""

from __future__ import annotations

import string
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.analysis.message_templates import END_LENGTH, WILDCARD, clipped, template

WORDS = st.text(string.ascii_letters, min_size=4, max_size=12)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
VARYING = [
    NUMBERS.map(str),
    st.datetimes().map(datetime.isoformat),
    st.datetimes().map(str),
    st.uuids().map(str),
    st.binary(min_size=10, max_size=20).map(bytes.hex).filter(lambda text: not (text.isalpha() or text.isdigit())),
    st.integers(0, 2**64).map(hex),
    st.ip_addresses(v=4).map(str),
    st.integers(0, 10**6).flatmap(
        lambda n: st.sampled_from([f"{n}ms", f"{n / 7:.2f} s", f"{n}h", f"{n} MiB", f"{n}kB"])
    ),
    st.text(string.ascii_letters + string.digits + " ").map(lambda text: f"'{text}'"),
]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Scored CNT_17: 0.93 of 1", "Scored CNT_<*>: <*> of <*>"),
        ("Stored JB_INGEST_20261122_215040_58", "Stored JB_INGEST_<*>_<*>_<*>"),
        ("at 2026-11-22T20:33:58.123456Z, 2026-11-22 20:33:58,123 and 20:33", "at <*>, <*> and <*>"),
        ("job 0190163d-8694-739b-aea5-966c26f8ad91", "job <*>"),
        ("commit deadbeef12 <Task at 0x7fa28a702ed0>", "commit <*> <Task at <*>>"),
        ("tmpab3x9k2 01ARZ3NDEKTSV4RRFFQ69G5FAV", "<*> <*>"),
        ("10.0.0.7:8820 v1.2.3 1,234 1e-5 -3 +4", "<*> v<*> <*> <*> <*> <*>"),
        ("took 950ms", "took <*>"),
        ("took 1.2 s.", "took <*>."),
        ("5 mistakes, 5 mm", "<*> mistakes, <*> mm"),
        ("page 3-5, a-5, (2)-1", "page <*>-<*>, a-<*>, (<*>)-<*>"),
        ("Skill 'SQL' not in \"CV 17.pdf\"", "Skill '<*>' not in \"<*>\""),
        ('{"event": "started", "n": 5}', '{"event": "started", "n": <*>}'),
        ("level=info msg='it began' n=7", "level=info msg='it began' n=<*>"),
        ("KeyError: 'email'", "KeyError: 'email'"),
        ("can't open the users' file", "can't open the users' file"),
        ("it's John's", "it's John's"),
        ("sha256sum, defaced, Ärzte", "sha<*>sum, defaced, Ärzte"),
        ("  5 rows\t of \n 7 ", "<*> rows of <*>"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("", ""),
    ],
)
def test_a_template_keeps_the_words(message: str, expected: str) -> None:
    assert template(message) == expected


@given(data=st.data(), words=st.lists(WORDS, min_size=1, max_size=5), kind=st.sampled_from(VARYING))
def test_messages_that_differ_in_what_varies_are_the_same(
    data: st.DataObject, words: list[str], kind: st.SearchStrategy[str]
) -> None:
    one, other = (" ".join(part for word in words for part in (word, data.draw(kind))) for _ in range(2))
    assert template(one) == template(other)


@given(
    one=st.lists(WORDS, min_size=1, max_size=5),
    other=st.lists(WORDS, min_size=1, max_size=5),
    numbers=st.lists(NUMBERS, min_size=5, max_size=5),
)
def test_messages_that_differ_in_words_are_not(one: list[str], other: list[str], numbers: list[float]) -> None:
    made = [" ".join(f"{word} {n}" for word, n in zip(words, numbers, strict=False)) for words in (one, other)]
    assert (template(made[0]) == template(made[1])) is (one == other)


@given(st.text())
def test_any_text_has_a_template_without_digits(message: str) -> None:
    assert not set(template(message)) & set(string.digits)


@given(st.text(min_size=1, max_size=50), st.text(min_size=1, max_size=50))
def test_a_long_message_counts_by_its_ends(head: str, tail: str) -> None:
    long = [f"{head}{'a' * END_LENGTH}{middle * 20}{'b' * END_LENGTH}{tail}" for middle in ("x y", "z")]
    assert template(long[0]) == template(long[1])
    assert len(clipped(long[0])) == 2 * END_LENGTH + 1


@pytest.mark.parametrize("part", ["'", '"', "0", "a1", "1,", "-1", "f0 ", "\x1b[", "1:"])
def test_a_template_is_made_in_linear_time(part: str) -> None:
    """A regular expression that goes back and forth would not end within the timeout of a test."""
    assert WILDCARD in template(part * 2000 + " 7")
