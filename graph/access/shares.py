"""Shares of the memory that is held for clients: one for each, and a bound for all together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

from domain.errors import TooMany


class Shares:
    """Bytes that are held, by caller. For one event loop: without locks."""

    def __init__(self, *, of_one: int, of_all: int, what: str) -> None:
        """`what` says in errors what the bytes are."""
        self.held = 0
        self._of_one = of_one
        self._of_all = of_all
        self._what = what
        self._callers: Counter[Hashable] = Counter()

    def hold(self, caller: Hashable, count: int) -> None:
        """Take note of bytes that are held for a caller until `release`.

        Raises:
            TooMany: if they are too many; they do not count then.
        """
        self.require(caller, count)
        self._callers[caller] += count
        self.held += count

    def require(self, caller: Hashable, count: int) -> None:
        """Go on only if so much more may be held; raises as `hold` does."""
        if self._callers[caller] + count > self._of_one:
            raise TooMany(f"{self._what} hold {self._of_one:,} bytes for this caller, the most that they may")
        if self.held + count > self._of_all:
            raise TooMany(f"{self._what} hold {self._of_all:,} bytes, the most that they may: try again in a moment")

    def release(self, caller: Hashable, count: int) -> None:
        self.held -= count
        self._callers[caller] -= count
        if not self._callers[caller]:
            del self._callers[caller]


class Holding:
    """What one request holds."""

    def __init__(self, shares: Shares, caller: Hashable) -> None:
        self.held_bytes = 0
        self._shares = shares
        self._caller = caller

    def more(self, count: int) -> None:
        """Hold more; raises as `Shares.hold` does."""
        self._shares.hold(self._caller, count)
        self.held_bytes += count

    def end(self) -> None:
        self._shares.release(self._caller, self.held_bytes)
        self.held_bytes = 0
