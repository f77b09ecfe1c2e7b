"""Lines come out whole, however their bytes come in."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobtail.output.line_splitter import LineSplitter

LIMIT_S = 20
"""Generous for a slow machine; what is not linear takes hours."""


def lines_of(*pieces: bytes | str) -> list[str]:
    splitter = LineSplitter()
    return [line for piece in pieces for line in splitter.feed(piece)] + splitter.flush()


def test_a_line_is_given_when_its_end_comes() -> None:
    splitter = LineSplitter()
    assert splitter.feed("one") == []
    assert splitter.feed(" line\ntwo") == ["one line"]
    assert splitter.feed("\n\nthree\nfo") == ["two", "", "three"]
    assert splitter.flush() == ["fo"]
    assert splitter.flush() == []


def test_cr_lf_is_one_end_even_in_two_pieces() -> None:
    assert lines_of("a\r\nb\r", "\nc") == ["a", "b", "c"]


def test_a_redraw_of_a_progress_bar_stays_in_its_line() -> None:
    assert lines_of(b" 10%\r 50%\r", b"100%\ndone\r") == [" 10%\r 50%\r100%", "done\r"]


def test_other_separators_are_part_of_a_line() -> None:
    assert lines_of("a\x0bb\x0cc\x1cd\x85e\u2028f\0g\n") == ["a\x0bb\x0cc\x1cd\x85e\u2028f\0g"]


def test_a_character_is_not_split() -> None:
    assert lines_of(*(bytes([byte]) for byte in "Grüße 🚀\n".encode())) == ["Grüße 🚀"]


def test_binary_output_is_shown_and_not_lost() -> None:
    assert lines_of(b"\xff\xfe\x00ok\n\x80") == ["\\xff\\xfe\0ok", "\\x80"]


def test_a_character_that_never_ends_is_shown() -> None:
    assert lines_of("€".encode()[:2]) == ["\\xe2\\x82"]
    assert lines_of("€".encode()[:2], "text\n") == ["\\xe2\\x82text"]


def test_every_kind_of_bytes_is_taken() -> None:
    splitter = LineSplitter()
    assert splitter.feed(bytearray(b"a\n")) + splitter.feed(memoryview(b"b\n")) == ["a", "b"]


@given(st.text(), st.lists(st.integers(0, 200)))
def test_how_the_bytes_are_cut_makes_no_difference(text: str, cuts: list[int]) -> None:
    data = text.encode("utf-8", "replace")
    ends = sorted({min(cut, len(data)) for cut in cuts} | {len(data)})
    pieces = [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    expected = [line.removesuffix("\r") for line in data.decode().split("\n")]
    rest = data.decode().split("\n")[-1]
    assert lines_of(*pieces) == expected[:-1] + ([rest] if rest else [])


@pytest.mark.parametrize("piece", [b"x" * 100, b"\xff" * 100, b"\r" * 100], ids=["ascii", "binary", "redraws"])
def test_a_line_of_many_pieces_stays_whole_in_linear_time(piece: bytes) -> None:
    begun = time.perf_counter()
    (line,) = lines_of(*[piece] * 50_000, b"\n" if piece[:1] != b"\r" else b"|\n")
    assert len(line) >= 5_000_000
    assert time.perf_counter() - begun < LIMIT_S


def test_a_line_of_50_mb_stays_whole() -> None:
    assert lines_of("x" * 50_000_000 + "\n") == ["x" * 50_000_000]


def lines_within(limits: dict[str, int], *pieces: bytes | str) -> list[str]:
    splitter = LineSplitter(**limits)
    return [line for piece in pieces for line in splitter.feed(piece)] + splitter.flush()


SMALL = {"most_redrawn": 20, "longest": 50}


def test_a_line_that_does_not_end_becomes_several_of_the_longest_length() -> None:
    for pieces in (["x" * 120], ["x" * 7] * 18 + ["\n"], ["x" * 49, "x" * 2, "x" * 200 + "\n"]):
        lines = lines_within(SMALL, *pieces)
        assert "".join(lines) == "x" * sum(piece.count("x") for piece in pieces)
        assert {len(line) for line in lines[:-1]} == {50}


def test_a_long_line_of_redraws_ends_at_its_last_one() -> None:
    assert lines_within(SMALL, "\r 10%\r 20%\r 30%\r 100", "%\r 50%\n") == ["\r 10%\r 20%\r 30%", " 100%\r 50%"]
    assert lines_within(SMALL, "x" * 30 + "\r", "\nnext\n") == ["x" * 30, "next"]


@given(st.lists(st.text(alphabet="ab\r\né", max_size=60)))
def test_parting_a_line_loses_nothing_but_its_ends(pieces: list[str]) -> None:
    lines = lines_within(SMALL, *pieces)
    ends = str.maketrans("", "", "\r\n")
    assert "".join(lines).translate(ends) == "".join(pieces).translate(ends)
    assert all(len(line) <= 50 for line in lines)


def test_what_waits_for_its_end_is_bounded() -> None:
    splitter = LineSplitter(most_redrawn=1 << 16, longest=1 << 18)
    tracemalloc.start()
    for piece in (b"x" * 4096, b"10%\r" * 1024):
        for _ in range(5000):
            splitter.feed(piece)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * (1 << 18)
