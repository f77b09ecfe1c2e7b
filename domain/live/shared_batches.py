"""Stretches of a followed log, shared by the readers who ask for the same, and what they made of them.

It knows neither who reads nor what is made: a reader names what it wants, and makes it where nobody has.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from domain.live.ring import size
from domain.logs import TaskLog

KEPT_BYTES = 4 * 1024 * 1024
"""What the kept stretches of one job take at most. A reader who comes too late for one makes it anew."""
ENOUGH_LINES = 100
"""A stretch that passes over this many lines is shared even when more stand behind it by now."""


@dataclass(slots=True, weakref_slot=True, eq=False)
class SharedBatch:
    """All rows that match a filter, behind one cursor and up to another."""

    rows: Sequence[TaskLog]
    """Ascending by seq; may be empty."""
    cursor: int
    """Everything up to this seq is among the rows or did not match."""
    made_bytes: int = field(init=False, default=0)
    """What readers made of the rows and keep beside them."""
    keeper: SharedBatches | None = field(init=False, default=None)
    row_bytes: int = field(init=False, default=0)
    """What its rows take, while it is kept."""

    def keep(self, more_bytes: int) -> bool:
        """Count what a reader makes of the rows for all who share them. False where nobody else will ask for it."""
        if self.keeper is None:
            return False
        self.made_bytes += more_bytes
        self.keeper.grow(more_bytes)
        return self.keeper is not None


class SharedBatches:
    """The stretches of one job that were read last, by filter and by the cursor that they lie behind."""

    def __init__(self, max_bytes: int = KEPT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[tuple[str, int], SharedBatch] = OrderedDict()

    def find(self, log_filter: str, after: int, last_seq: int) -> SharedBatch | None:
        """Find a stretch behind a cursor, unless it is short and could be longer by now: few frames beat many."""
        found = self._kept.get((log_filter, after))
        if found is not None and (found.cursor >= last_seq or found.cursor - after >= ENOUGH_LINES):
            return found
        return None

    def keep(self, log_filter: str, after: int, stretch: SharedBatch) -> None:
        self._drop(self._kept.pop((log_filter, after), None))
        self._kept[log_filter, after] = stretch
        stretch.keeper = self
        stretch.row_bytes = sum(map(size, stretch.rows))
        self.grow(_size(stretch))

    def grow(self, by: int) -> None:
        """Take note of more bytes, and let the oldest stretches go where it is too many."""
        self._bytes += by
        while self._bytes > self._max_bytes and self._kept:
            self._drop(self._kept.popitem(last=False)[1])

    def _drop(self, stretch: SharedBatch | None) -> None:
        if stretch is not None:
            self._bytes -= _size(stretch)
            stretch.keeper = None


def _size(stretch: SharedBatch) -> int:
    return stretch.row_bytes + stretch.made_bytes
