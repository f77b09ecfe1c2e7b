"""The slice reader: goes through the lines of a job slice by slice, so that it is known how far it came when time ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

from domain.analysis.incremental_cache import CachedReading


class SliceReader:
    """Begins slices for as long as its patience lasts."""

    def __init__(
        self,
        slice_lines: int,
        patience_s: float,
        clock: Callable[[], float],
        turn: AbstractAsyncContextManager[object] | None = None,
    ) -> None:
        """Whoever reads takes his `turn` with each slice, if there is one."""
        self.patience_s = patience_s
        self._slice_lines = slice_lines
        self._clock = clock
        self._turn = turn or nullcontext()

    async def read(
        self, reading: CachedReading[Any], last_seq: int, take: Callable[[int, int], Awaitable[bool]]
    ) -> bool:
        """Go on where a reading ended; tell whether it came to the last line.

        `take` reads the lines from one seq, exclusive, to another one, inclusive, and tells whether it did.
        """
        deadline = self._clock() + self.patience_s
        while reading.read_to < last_seq:
            async with self._turn:
                upto = min(reading.read_to + self._slice_lines, last_seq)
                if self._clock() > deadline or not await take(reading.read_to, upto):
                    return False
                reading.read_to = upto
        return True
