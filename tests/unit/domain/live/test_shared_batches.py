"""Shared batches of a job's readers are bounded, and nobody gets less of one than there is."""

from __future__ import annotations

from domain.live.ring import size
from domain.live.shared_batches import ENOUGH_LINES, SharedBatch, SharedBatches
from tests.announced import line


def stretch(after: int, cursor: int) -> SharedBatch:
    return SharedBatch([line(seq) for seq in range(after + 1, cursor + 1)], cursor)


def test_what_readers_make_of_a_stretch_is_kept_as_long_as_others_may_ask_for_it() -> None:
    kept, shared = SharedBatches(), stretch(0, 3)
    assert not shared.keep(1), "nobody shares it yet"
    kept.keep("", 0, shared)
    found = kept.find("", 0, 3)
    assert found is shared
    assert shared.keep(1)


def test_a_stretch_is_found_by_its_filter_and_cursor() -> None:
    kept = SharedBatches()
    kept.keep("errors", 4, stretch(4, 9))
    assert kept.find("errors", 4, 9)
    assert kept.find("", 4, 9) is None
    assert kept.find("errors", 5, 9) is None


def test_a_short_stretch_is_not_given_to_who_could_have_more() -> None:
    kept = SharedBatches()
    kept.keep("", 0, stretch(0, 3))
    assert kept.find("", 0, 4) is None
    kept.keep("", 0, stretch(0, ENOUGH_LINES))
    assert kept.find("", 0, 1_000)


def test_stretches_and_what_was_made_of_them_are_bounded_together_and_the_oldest_go() -> None:
    room = 10 * size(line(1))
    kept, first, second = SharedBatches(max_bytes=room), stretch(0, 4), stretch(4, 8)
    kept.keep("", 0, first)
    kept.keep("", 4, second)
    assert kept.find("", 0, 4)
    assert not first.keep(room // 4), "it has to go itself"
    assert kept.find("", 0, 4) is None
    assert not first.keep(1), "a slow reader that holds it still holds the rows alone"
    assert kept.find("", 4, 8) is second
    assert not second.keep(room)
    assert kept.find("", 4, 8) is None
    kept.keep("", 0, first)
    assert kept.find("", 0, 4) is first, "room that was taken is free again"
