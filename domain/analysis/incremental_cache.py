"""An incremental cache of what was made of jobs' lines: lines never change, so a further read takes only new ones.

Their numbers have no gaps, so what was read up to a number stays read. What vanished is noticed by the first line, or by
the age of what is kept.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from domain.logs import LogExtent

MAX_AGE_S = 300.0
"""After this time all lines are read anew, since some may have been pruned."""

Made = TypeVar("Made")


@dataclass(slots=True)
class CachedReading(Generic[Made]):
    """How far the lines of a job are read, and what was made of them."""

    made: Made
    read_to: int
    """The seq up to which lines are read."""
    first_seq: int = 0
    begun_at: float = 0.0


@dataclass(slots=True)
class _Slot(Generic[Made]):
    reading: CachedReading[Made] | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class IncrementalCache(Generic[Made]):
    """Keeps one for each job that is looked at; over the bound the least looked at make room."""

    def __init__(
        self,
        begin: Callable[[LogExtent], Made],
        size_of: Callable[[Made], int],
        *,
        kept_bytes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._begin = begin
        self._size_of = size_of
        self._kept_bytes = kept_bytes
        self._clock = clock
        self._places: OrderedDict[str, _Slot[Made]] = OrderedDict()

    @asynccontextmanager
    async def of(self, job_id: str, extent: LogExtent) -> AsyncIterator[CachedReading[Made]]:
        """Lend what is kept of a job, to one at a time, or begin anew."""
        place = self._places.setdefault(job_id, _Slot())
        self._places.move_to_end(job_id)
        try:
            async with place.lock:
                if place.reading is None or self._is_stale(place.reading, extent):
                    made, first_seq = self._begin(extent), extent.first_seq
                    place.reading = CachedReading(made, first_seq - 1, first_seq, self._clock())
                yield place.reading
        finally:
            self._make_room()

    def _is_stale(self, reading: CachedReading[Made], extent: LogExtent) -> bool:
        return reading.first_seq != extent.first_seq or self._clock() - reading.begun_at > MAX_AGE_S

    def _make_room(self) -> None:
        sizes = {job_id: self._size_of(place.reading.made) for job_id, place in self._places.items() if place.reading}
        size = sum(sizes.values())
        while size > self._kept_bytes and len(self._places) > 1:
            job_id, _ = self._places.popitem(last=False)
            size -= sizes.get(job_id, 0)
