"""The memory that is held for clients, shared out."""

from __future__ import annotations

import pytest

from domain.errors import TooMany
from graph.access.shares import Holding, Shares


def test_one_caller_has_a_share_and_all_have_a_bound() -> None:
    shares = Shares(of_one=60, of_all=100, what="things")
    first, second = Holding(shares, "a"), Holding(shares, "a")
    first.more(40)
    with pytest.raises(TooMany, match="60 bytes for this caller"):
        second.more(21)
    second.more(20)
    other = Holding(shares, "b")
    with pytest.raises(TooMany, match="100 bytes"):
        other.more(41)
    other.more(40)
    for holding in (first, second, other):
        holding.end()
        holding.end()
    assert shares.held == 0
    first.more(60)
