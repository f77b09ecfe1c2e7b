"""Readers' share of the pool: the rest is for writers and for the proof of tokens, and no caller takes the whole share."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Hashable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from domain.access import current_caller

LEFT = 3
"""Connections that no reader takes, of a pool that has several."""


class ReadingShare:
    """Connections for reading. Readers who find none wait in the order in which they came."""

    def __init__(self, pool_size: int) -> None:
        self.most = pool_size - min(LEFT, pool_size // 3)
        self.most_of_one = max(self.most // 2, 1)
        self._all = asyncio.Semaphore(self.most)
        self._of_callers: dict[Hashable, asyncio.Semaphore] = {}
        self._readers: Counter[Hashable] = Counter()

    @property
    def callers(self) -> int:
        return len(self._of_callers)

    def taken(self) -> AbstractAsyncContextManager[None]:
        """Take one of the connections that may read, and one of the caller's, where it is known who calls."""
        caller = current_caller()
        return self._all if caller is None else self._taken_by(caller)

    @asynccontextmanager
    async def _taken_by(self, caller: Hashable) -> AsyncIterator[None]:
        own = self._of_callers.setdefault(caller, asyncio.Semaphore(self.most_of_one))
        self._readers[caller] += 1
        try:
            async with own, self._all:
                yield
        finally:
            self._readers[caller] -= 1
            if not self._readers[caller]:
                del self._readers[caller], self._of_callers[caller]
