"""Shared batches of a job's readers are bounded, and nobody gets less of one than there is."""

from __future__ import annotations

from domain.live.ring import size
from domain.live.shared_batches import ENOUGH_LINES, Stretch, Stretches
from tests.announced import line


def stretch(after: int, cursor: int) -> Stretch:
    return Stretch([line(seq) for seq in range(after + 1, cursor + 1)], cursor)


def test_what_was_made_of_a_stretch_is_made_once() -> None:
    kept, shared, calls = Stretches(), stretch(0, 3), []

    def make() -> bytes:
        calls.append(1)
        return b"rows"

    kept.keep("", 0, shared)
    found = kept.find("", 0, 3)
    assert found is shared
    assert [found.once("a", make), shared.once("a", make)] == [b"rows"] * 2
    assert len(calls) == 1
    found.once("another selection", make)
    assert len(calls) == 2


def test_a_stretch_is_found_by_its_filter_and_cursor() -> None:
    kept = Stretches()
    kept.keep("errors", 4, stretch(4, 9))
    assert kept.find("errors", 4, 9)
    assert kept.find("", 4, 9) is None
    assert kept.find("errors", 5, 9) is None


def test_a_short_stretch_is_not_given_to_who_could_have_more() -> None:
    kept = Stretches()
    kept.keep("", 0, stretch(0, 3))
    assert kept.find("", 0, 4) is None
    kept.keep("", 0, stretch(0, ENOUGH_LINES))
    assert kept.find("", 0, 1_000)


def test_stretches_and_what_was_made_of_them_are_bounded_together_and_the_oldest_go() -> None:
    room = 10 * size(line(1))
    kept, first, second = Stretches(max_bytes=room), stretch(0, 4), stretch(4, 8)
    kept.keep("", 0, first)
    kept.keep("", 4, second)
    assert kept.find("", 0, 4)
    assert first.once("rows", lambda: bytes(room // 4)) == bytes(room // 4)
    assert kept.find("", 0, 4) is None
    assert not first.made, "a slow reader that holds it still holds the rows alone"
    assert kept.find("", 4, 8) is second
    second.once("more than there is room for", lambda: bytes(room))
    assert kept.find("", 4, 8) is None
    kept.keep("", 0, first)
    assert kept.find("", 0, 4) is first, "room that was taken is free again"
