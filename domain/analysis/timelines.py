"""The use case behind a timeline: counts by time and level, kept in memory for the jobs that are looked at."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from domain.analysis.incremental_cache import CachedReading, IncrementalCache
from domain.analysis.slice_reader import SliceReader
from domain.errors import InvalidInput, OutOfTime
from domain.filters import EVERYTHING, LogFilter
from domain.histogram import FEWEST_FINE, Histogram, LogBucket
from domain.logs import LogExtent
from domain.ports import LogTimes
from domain.requests import TimeCountRequest

MAX_BUCKETS = 500
SLICE_LINES = 250_000
"""How many lines one statement counts."""
PATIENCE_S = 8.0
"""How long slices are begun for one histogram."""
KEPT_BYTES = 16 * 1024 * 1024
BUCKET_BYTES = 300
"""Estimates the memory of a fine bucket."""


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
        self._slices = SliceReader(slice_lines, patience_s, clock)
        self._readings: IncrementalCache[Histogram] = IncrementalCache(
            lambda extent: Histogram(extent.first_at, extent.last_at),
            lambda histogram: BUCKET_BYTES * len(histogram),
            kept_bytes=kept_bytes,
            clock=clock,
        )

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
        async with self._readings.of(job_id, extent) as reading:
            await self._count(reading, TimeCountRequest(job_id=job_id, filter=EVERYTHING), extent.last_seq)
        return reading.made

    async def _of_filter(self, job_id: str, extent: LogExtent, log_filter: LogFilter) -> Histogram:
        """Count lines that no kept count answers, a second time where they lie so close that the first was too coarse."""
        request = TimeCountRequest(job_id=job_id, filter=log_filter)
        first_seq, last_seq = log_filter.seqs_within(extent.first_seq, extent.last_seq)
        first_at, last_at = extent.first_at, extent.last_at
        since, until = log_filter.since, log_filter.until
        histogram = Histogram(max(first_at, since or first_at), min(last_at, until or last_at))
        await self._count(CachedReading(histogram, first_seq - 1), request, last_seq)
        if 0 < histogram.span < FEWEST_FINE // 8 and histogram.width > 1:
            histogram = Histogram(*histogram.extent)
            await self._count(CachedReading(histogram, first_seq - 1), request, last_seq)
        return histogram

    async def _count(self, reading: CachedReading[Histogram], request: TimeCountRequest, last_seq: int) -> None:
        """Count what is not counted yet."""
        histogram = reading.made

        async def take(after: int, upto: int) -> bool:
            histogram.add(await self._times.counts(replace(request, after=after, upto=upto, width=histogram.width)))
            return True

        if not await self._slices.read(reading, last_seq, take):
            raise OutOfTime(
                f"counting takes longer than {self._slices.patience_s:g} s and came to line {reading.read_to} of {last_seq}; "
                "ask again, for less where there is a filter"
            )


def _is_of_levels(log_filter: LogFilter) -> bool:
    """Tell whether a filter chooses by nothing but levels."""
    return log_filter.is_countable and log_filter.stages is None and log_filter.task_ids is None
