"""Fine buckets and coarse ones: all lines in them, equally wide, and never too many."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from domain.histogram import MOST_FINE, ORIGIN, Histogram, TimeCount
from domain.logs import EARLIEST, LATEST
from jobtail.events import LogLevel

MICROSECOND = timedelta(microseconds=1)
TIMES = st.datetimes(EARLIEST.replace(tzinfo=None), LATEST.replace(tzinfo=None)).map(
    lambda at: at.replace(tzinfo=EARLIEST.tzinfo)
) | st.integers(0, 10**7).map(lambda n: datetime(2026, 11, 22, tzinfo=EARLIEST.tzinfo) + n * MICROSECOND)
LEVELS = st.sampled_from(LogLevel)


def counted(histogram: Histogram, lines: list[tuple[datetime, LogLevel]]) -> list[TimeCount]:
    width = histogram.width * MICROSECOND
    return [TimeCount(at - (at - ORIGIN) % width, level, 1) for at, level in lines]


@given(
    batches=st.lists(st.lists(st.tuples(TIMES, LEVELS), min_size=1, max_size=30), min_size=1, max_size=5),
    most=st.integers(1, 500),
    levels=st.frozensets(LEVELS, min_size=1),
)
def test_buckets_hold_every_line_in_equal_parts(
    batches: list[list[tuple[datetime, LogLevel]]], most: int, levels: frozenset[LogLevel]
) -> None:
    first = [at for at, _ in batches[0]]
    histogram = Histogram(min(first), max(first))
    for batch in batches:
        histogram.add(counted(histogram, batch))
        assert histogram.span <= MOST_FINE
    wanted = sorted(at for batch in batches for at, level in batch if level in levels)
    buckets = histogram.buckets(most, levels)
    assert len(buckets) <= most
    assert sum(bucket.log_counts.total for bucket in buckets) == len(wanted)
    for bucket in buckets:
        inside = [at for at in wanted if bucket.since <= at < bucket.until]
        assert bucket.log_counts.total == len(inside)
    if buckets:
        assert buckets[0].log_counts.total > 0
        assert buckets[-1].log_counts.total > 0
    pairs = list(pairwise(buckets))
    assert all(one.until == other.since for one, other in pairs)
    widths = {bucket.until - bucket.since for bucket in buckets[:-1]}
    assert len(widths) <= 1


def test_lines_of_one_time_are_one_bucket() -> None:
    at = datetime(2026, 11, 22, tzinfo=EARLIEST.tzinfo)
    histogram = Histogram(at, at)
    histogram.add([TimeCount(at, LogLevel.INFO, 7)])
    (bucket,) = histogram.buckets(60, frozenset(LogLevel))
    assert (bucket.since, bucket.until, bucket.log_counts.info) == (at, at + MICROSECOND, 7)


def test_a_job_is_divided_finely_enough_for_its_buckets() -> None:
    begin = datetime(2026, 11, 22, tzinfo=EARLIEST.tzinfo)
    times = [begin + timedelta(seconds=n) for n in range(3_600)]
    histogram = Histogram(times[0], times[-1])
    histogram.add(counted(histogram, [(at, LogLevel.INFO) for at in times]))
    assert 55 <= len(histogram.buckets(60, frozenset(LogLevel))) <= 60
    assert 250 <= len(histogram.buckets(500, frozenset(LogLevel))) <= 500
