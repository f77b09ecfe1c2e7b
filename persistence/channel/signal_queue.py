"""Signals that have arrived and wait for their one consumer."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from domain.announcements import Announcement, Resync

CAPACITY = 10_000


class SignalQueue:
    """Bounded in announcements and rows together. Over the bound all that waits becomes one Resync."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._signals: deque[Announcement | Resync] = deque()
        self._weight = 0
        self._has_news = asyncio.Event()
        self._is_closed = False

    def put(self, signal: Announcement | Resync) -> None:
        weight = _weight(signal)
        if self._weight + weight > self._capacity:
            self._signals.clear()
            self._weight = 0
            signal, weight = Resync(), 1
        self._signals.append(signal)
        self._weight += weight
        self._has_news.set()

    def close(self) -> None:
        self._is_closed = True
        self._has_news.set()

    async def signals(self) -> AsyncIterator[Announcement | Resync]:
        """Yield what arrives until the channel is closed."""
        while not self._is_closed:
            while self._signals:
                signal = self._signals.popleft()
                self._weight -= _weight(signal)
                yield signal
            self._has_news.clear()
            await self._has_news.wait()


def _weight(signal: Announcement | Resync) -> int:
    return 1 + len(signal.rows) if isinstance(signal, Announcement) else 1
