"""Lines counted by time and level: fine buckets as they are kept, and the coarser ones that are asked for.

Widths are powers of two, so two neighbours become one without counting anew. There are so many buckets at most, whatever
the clocks of the workers say.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from domain.jobs import LogCounts
from jobtail.events import LogLevel

ORIGIN = datetime(1, 1, 1, tzinfo=UTC)
"""Where buckets of all widths begin."""
MOST_FINE = 2_048
FEWEST_FINE = MOST_FINE // 2
"""Into how many buckets times are divided at first, unless they are fewer than that many microseconds."""

_MICROSECOND = timedelta(microseconds=1)
_END = (datetime.max.replace(tzinfo=UTC) - ORIGIN) // _MICROSECOND
_PLACES = {level: place for place, level in enumerate(LogLevel)}


class TimeCount(NamedTuple):
    """Lines of one level whose times lie in one bucket."""

    since: datetime
    """Where the bucket begins: at `ORIGIN` and a multiple of its width."""
    level: LogLevel
    lines: int


@dataclass(frozen=True, slots=True)
class LogBucket:
    since: datetime
    """Inclusive."""
    until: datetime
    """Exclusive."""
    log_counts: LogCounts


class Histogram:
    """Fine buckets, which widen as times come that lie far apart."""

    def __init__(self, first_at: datetime, last_at: datetime) -> None:
        """Choose the width for lines between two times, both inclusive. Later ones may lie outside."""
        span = max(microseconds(last_at) - microseconds(first_at), 0)
        self.width = 1 << (span // FEWEST_FINE).bit_length()
        """In microseconds."""
        self._counts: dict[int, list[int]] = {}

    def __len__(self) -> int:
        return len(self._counts)

    @property
    def span(self) -> int:
        """From the first bucket to the last one, in buckets."""
        return max(self._counts) - min(self._counts) + 1 if self._counts else 0

    @property
    def extent(self) -> tuple[datetime, datetime]:
        """Where the first bucket begins, and where the last one ends."""
        return _time(min(self._counts) * self.width), _time((max(self._counts) + 1) * self.width - 1)

    def add(self, counts: Iterable[TimeCount]) -> None:
        """Add counts of buckets of the present width, or of a finer one."""
        for since, level, lines in counts:
            self._bucket(microseconds(since) // self.width)[_PLACES[level]] += lines
        while self.span > MOST_FINE:
            self._widen()

    def _bucket(self, index: int) -> list[int]:
        bucket = self._counts.get(index)
        if bucket is None:
            bucket = self._counts[index] = [0] * len(LogLevel)
        return bucket

    def _widen(self) -> None:
        narrow, self._counts, self.width = self._counts, {}, self.width * 2
        for index, counts in narrow.items():
            wide = self._bucket(index // 2)
            wide[:] = map(sum, zip(wide, counts, strict=True))

    def buckets(self, most: int, levels: frozenset[LogLevel]) -> list[LogBucket]:
        """Give at most so many buckets of equal width, from the first line of these levels to the last one."""
        wanted = [level in levels for level in LogLevel]
        chosen = {index: kept for index, counts in self._counts.items() if any(kept := _kept(counts, wanted))}
        if not chosen:
            return []
        first, last = min(chosen), max(chosen)
        step = -(-(last - first + 1) // most)
        sums = [[0] * len(wanted) for _ in range(first, last + 1, step)]
        for index, counts in chosen.items():
            into = sums[(index - first) // step]
            into[:] = map(sum, zip(into, counts, strict=True))
        return [self._made(first + place * step, step, counts) for place, counts in enumerate(sums)]

    def _made(self, index: int, step: int, counts: Sequence[int]) -> LogBucket:
        since, until = index * self.width, (index + step) * self.width
        return LogBucket(_time(since), _time(until), LogCounts(*counts))


def _kept(counts: Sequence[int], wanted: Sequence[bool]) -> list[int]:
    return [count if is_wanted else 0 for count, is_wanted in zip(counts, wanted, strict=True)]


def microseconds(at: datetime) -> int:
    """Tell how far a time is from the origin."""
    return (at - ORIGIN) // _MICROSECOND


def _time(since_origin: int) -> datetime:
    """Give the time; the calendar ends before the last bucket of its last year may."""
    return ORIGIN + min(since_origin, _END) * _MICROSECOND
