"""The use case behind a timeline: counts by time and level, kept in memory for the jobs that are looked at.

Lines never change and their numbers have no gaps, so what was counted up to a number stays counted: a further look
counts what came since. What vanished is noticed by the first line, or by the age of what is kept.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from domain.errors import InvalidInput, OutOfTime
from domain.filters import EVERYTHING, LogFilter
from domain.histogram import FEWEST_FINE, Histogram, LogBucket
from domain.ports import LogExtent, LogTimes, TimeCountRequest

MAX_BUCKETS = 500
SLICE_LINES = 250_000
"""How many lines one statement counts."""
PATIENCE_S = 8.0
"""How long slices are begun for one histogram."""
KEPT_BYTES = 16 * 1024 * 1024
BUCKET_BYTES = 300
"""Estimates the memory of a fine bucket."""
MAX_AGE_S = 300.0
"""After this time all lines are counted anew, since some may have been pruned."""


@dataclass(slots=True)
class _Kept:
    """What is known of a job."""

    histogram: Histogram | None = None
    first_seq: int = 0
    counted: int = 0
    """The seq up to which lines are counted."""
    begun_at: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Timelines:
    """Histograms of jobs. Those that levels alone choose from are kept, the least looked at make room."""

    def __init__(
        self,
        times: LogTimes,
        *,
        slice_lines: int = SLICE_LINES,
        patience_s: float = PATIENCE_S,
        kept_bytes: int = KEPT_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._times = times
        self._slice_lines = slice_lines
        self._patience_s = patience_s
        self._kept_bytes = kept_bytes
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    async def histogram(self, job_id: str, buckets: int, log_filter: LogFilter) -> Sequence[LogBucket]:
        """Count lines in at most `buckets` equal parts of the time between the first of them and the last.

        Raises:
            InvalidInput: for a number of buckets out of bounds.
            OutOfTime: if there are too many lines to count. What was counted of the whole log is kept for the next look.
        """
        if not 1 <= buckets <= MAX_BUCKETS:
            raise InvalidInput(f"buckets must be between 1 and {MAX_BUCKETS}, not {buckets}")
        extent = await self._times.extent(job_id)
        if extent is None:
            return []
        if _is_of_levels(log_filter):
            histogram = await self._whole(job_id, extent)
        else:
            histogram = await self._of_filter(job_id, extent, log_filter)
        return histogram.buckets(buckets, log_filter.wanted_levels)

    async def _whole(self, job_id: str, extent: LogExtent) -> Histogram:
        kept = self._kept.setdefault(job_id, _Kept())
        self._kept.move_to_end(job_id)
        async with kept.lock:
            is_old = self._clock() - kept.begun_at > MAX_AGE_S
            if kept.histogram is None or kept.first_seq != extent.first_seq or is_old:
                kept.histogram, kept.first_seq = Histogram(extent.first_at, extent.last_at), extent.first_seq
                kept.counted, kept.begun_at = extent.first_seq - 1, self._clock()
            await self._count(kept, TimeCountRequest(job_id=job_id, filter=EVERYTHING), extent.last_seq)
        self._make_room()
        return kept.histogram

    async def _of_filter(self, job_id: str, extent: LogExtent, log_filter: LogFilter) -> Histogram:
        """Count lines that no kept count answers, a second time where they lie so close that the first was too coarse."""
        request = TimeCountRequest(job_id=job_id, filter=log_filter)
        first_seq, last_seq = log_filter.seqs_within(extent.first_seq, extent.last_seq)
        first_at, last_at = extent.first_at, extent.last_at
        since, until = log_filter.since, log_filter.until
        histogram = Histogram(max(first_at, since or first_at), min(last_at, until or last_at))
        kept = _Kept(histogram, counted=first_seq - 1)
        await self._count(kept, request, last_seq)
        if 0 < histogram.span < FEWEST_FINE // 8 and histogram.width > 1:
            kept = _Kept(Histogram(*histogram.extent), counted=first_seq - 1)
            await self._count(kept, request, last_seq)
        assert kept.histogram is not None, "it was made above"
        return kept.histogram

    async def _count(self, kept: _Kept, request: TimeCountRequest, last_seq: int) -> None:
        """Count what is not counted yet, slice by slice, so that it is known how far that came."""
        histogram, deadline = kept.histogram, self._clock() + self._patience_s
        assert histogram is not None, "it was made before"
        while kept.counted < last_seq:
            if self._clock() > deadline:
                raise OutOfTime(
                    f"counting takes longer than {self._patience_s:g} s and came to line {kept.counted} of {last_seq}; "
                    "ask again, for less where there is a filter"
                )
            upto = min(kept.counted + self._slice_lines, last_seq)
            part = replace(request, after=kept.counted, upto=upto, width=histogram.width)
            histogram.add(await self._times.counts(part))
            kept.counted = upto

    def _make_room(self) -> None:
        size = sum(BUCKET_BYTES * len(kept.histogram or ()) for kept in self._kept.values())
        while size > self._kept_bytes and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            size -= BUCKET_BYTES * len(oldest.histogram or ())


def _is_of_levels(log_filter: LogFilter) -> bool:
    """Tell whether a filter chooses by nothing but levels."""
    return log_filter.is_countable and log_filter.stages is None and log_filter.task_ids is None
