"""The newest rows of a followed job in memory, and how large they are."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, takewhile
from sys import getsizeof

from domain.logs import TaskLog
from domain.memory import memory_of

RING_ROWS = 2_000
RING_BYTES = 4 * 1024 * 1024
BATCH_ROWS = 500
BATCH_BYTES = 1024 * 1024
ROW_BYTES = 250
"""What a row takes beside its message and its metadata."""


class Ring:
    """The newest rows of a job, without gaps, bounded by count and size."""

    def __init__(self, end: int, *, max_rows: int = RING_ROWS, max_bytes: int = RING_BYTES) -> None:
        self.end = end
        self._rows: list[TaskLog] = []
        self._sizes: list[int] = []
        self._bytes = 0
        self._max_rows = max_rows
        self._max_bytes = max_bytes

    @property
    def start(self) -> int:
        """The seq before its oldest row: a reader at or past it finds all that it wants here."""
        return self.end - len(self._rows)

    def extend(self, rows: Sequence[TaskLog]) -> None:
        """Add rows that follow on; what is known already is passed over, and so is all that comes behind a gap."""
        for row in rows:
            if row.seq == self.end + 1:
                self._rows.append(row)
                self._sizes.append(size(row))
                self._bytes += self._sizes[-1]
                self.end = row.seq
        self._trim()

    def skip_to(self, end: int) -> None:
        """Leave out what nobody will read from here."""
        self._rows.clear()
        self._sizes.clear()
        self._bytes = 0
        self.end = end

    def after(self, cursor: int, limit: int) -> Sequence[TaskLog]:
        """Give at most `limit` rows and `BATCH_BYTES` behind a cursor that is not before the start, at least one."""
        begin = cursor - self.start
        sums = accumulate(self._sizes[begin : begin + limit])
        fitting = sum(1 for _ in takewhile(lambda total: total <= BATCH_BYTES, sums))
        return self._rows[begin : begin + max(fitting, 1)]

    def _trim(self) -> None:
        """Drop the oldest rows, a quarter at a time, since taking from a list's front moves all the others."""
        if len(self._rows) <= self._max_rows * 5 // 4 and self._bytes <= self._max_bytes:
            return
        drop = max(len(self._rows) - self._max_rows, 0)
        kept = self._bytes - sum(self._sizes[:drop])
        while kept > self._max_bytes:
            kept -= self._sizes[drop]
            drop += 1
        del self._rows[:drop], self._sizes[:drop]
        self._bytes = kept


def size(row: TaskLog) -> int:
    """Tell about how much memory a row takes, in bytes."""
    return ROW_BYTES + getsizeof(row.message) + (memory_of(row.metadata) if row.metadata else 0)
