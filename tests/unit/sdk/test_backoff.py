"""The pauses between attempts."""

from __future__ import annotations

from jobtail.backoff import LONGEST_NAMED_S, Backoff


def test_the_pauses_double_up_to_their_bound() -> None:
    backoff = Backoff(0.1, 5)
    pauses = [backoff.next_s() for _ in range(5000)]
    for number, longest in ((0, 0.1), (1, 0.2), (2, 0.4), (9, 5), (4999, 5)):
        assert longest / 2 <= pauses[number] <= longest
    backoff.reset()
    assert backoff.next_s() <= 0.1


def test_a_pause_that_was_named_is_kept_within_bounds() -> None:
    backoff = Backoff(0.1, 5)
    assert backoff.next_s(17) == 17
    assert backoff.next_s(0) == 0.1
    assert backoff.next_s(1e9) == LONGEST_NAMED_S
