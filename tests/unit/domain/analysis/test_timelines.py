"""Timelines: what was counted stays counted, and what is kept stays bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from domain.analysis import incremental_cache as readings
from domain.analysis.timelines import BUCKET_BYTES, Timelines
from domain.errors import InvalidInput, OutOfTime
from domain.filters import EVERYTHING, LogFilter
from domain.histogram import LogBucket
from domain.requests import TimeCountRequest
from jobtail.events import Line, LogLevel
from tests.fakes import Memory, MemoryLogStore, MemoryLogTimes, store

AT = datetime(2026, 11, 22, 20, 33, 58, tzinfo=UTC)


async def say(memory: Memory, *numbers: int, job_id: str = "job") -> None:
    levels = list(LogLevel)
    lines = (
        Line(job_id=job_id, message=f"line {n}", level=levels[n % 6], at=AT + timedelta(seconds=n)) for n in numbers
    )
    await store(MemoryLogStore(memory), *lines)


def total(buckets: Sequence[LogBucket]) -> int:
    return sum(bucket.log_counts.total for bucket in buckets)


def counts_asked(memory: Memory) -> list[tuple[int, int]]:
    return [(asked.after, asked.upto) for asked in memory.reads if isinstance(asked, TimeCountRequest)]


@pytest.fixture
def memory() -> Memory:
    return Memory()


async def test_a_further_look_counts_what_is_new(memory: Memory) -> None:
    timelines = Timelines(MemoryLogTimes(memory))
    await say(memory, *range(100))
    assert total(await timelines.histogram("job", 60, EVERYTHING)) == 100
    await say(memory, *range(5_000, 5_010), -900)
    grave = LogFilter(min_level=LogLevel.ERROR)
    assert total(await timelines.histogram("job", 60, grave)) == 32 + 4
    assert total(await timelines.histogram("job", 60, EVERYTHING)) == 111
    assert counts_asked(memory) == [(0, 100), (100, 111)]


async def test_filters_by_more_than_levels_are_counted_each_time(memory: Memory) -> None:
    timelines = Timelines(MemoryLogTimes(memory))
    await say(memory, *range(100))
    found = [await timelines.histogram("job", 60, LogFilter(search="line 1")) for _ in range(2)]
    assert list(map(total, found)) == [11, 11]
    since = LogFilter(since=AT + timedelta(seconds=90))
    assert total(await timelines.histogram("job", 60, since)) == 10


async def test_lines_outside_the_wanted_numbers_are_not_looked_at(memory: Memory) -> None:
    timelines = Timelines(MemoryLogTimes(memory))
    await say(memory, *(n * 1_000 for n in range(100)))
    assert total(await timelines.histogram("job", 60, LogFilter(since_seq=11, until_seq=61))) == 50
    assert total(await timelines.histogram("job", 60, LogFilter(since_seq=61, until_seq=11))) == 0
    assert set(counts_asked(memory)) == {(10, 60)}


async def test_lines_that_lie_close_together_are_looked_at_closely(memory: Memory) -> None:
    await say(memory, *range(1, 101), 10**9, 10**9 + 1)
    close = LogFilter(search="line", until=AT + timedelta(days=1))
    assert len(await Timelines(MemoryLogTimes(memory)).histogram("job", 50, close)) >= 45


async def test_what_was_pruned_is_counted_no_more(memory: Memory) -> None:
    timelines = Timelines(MemoryLogTimes(memory))
    await say(memory, *range(100))
    await timelines.histogram("job", 60, EVERYTHING)
    del memory.lines["job"][:40]
    assert total(await timelines.histogram("job", 60, EVERYTHING)) == 60
    del memory.lines["job"][:]
    assert await timelines.histogram("job", 60, EVERYTHING) == []


async def test_what_was_pruned_in_the_middle_is_noticed_in_time(memory: Memory) -> None:
    now = 0.0
    watched = Timelines(MemoryLogTimes(memory), clock=lambda: now)
    await say(memory, *range(100))
    await watched.histogram("job", 60, EVERYTHING)
    del memory.lines["job"][40:50]
    now = readings.MAX_AGE_S + 1
    assert total(await watched.histogram("job", 60, EVERYTHING)) == 90


async def test_looks_at_once_count_once(memory: Memory) -> None:
    timelines = Timelines(MemoryLogTimes(memory))
    await say(memory, *range(100))
    found = await asyncio.gather(*(timelines.histogram("job", 60, EVERYTHING) for _ in range(5)))
    assert set(map(total, found)) == {100}
    assert counts_asked(memory) == [(0, 100)]


async def test_jobs_that_nobody_looks_at_make_room(memory: Memory) -> None:
    timelines = Timelines(MemoryLogTimes(memory), kept_bytes=150 * BUCKET_BYTES)
    for name in ("a", "b", "c"):
        await say(memory, *range(60), job_id=name)
    for name in ("a", "b", "a", "c", "a", "b"):
        assert total(await timelines.histogram(name, 60, EVERYTHING)) == 60
    asked = [asked.job_id for asked in memory.reads if isinstance(asked, TimeCountRequest)]
    assert asked == ["a", "b", "c", "b"]


async def test_a_count_out_of_time_goes_on_at_the_next_look(memory: Memory) -> None:
    ticks = count()
    timelines = Timelines(MemoryLogTimes(memory), slice_lines=10, patience_s=5, clock=lambda: next(ticks))
    await say(memory, *range(100))
    with pytest.raises(OutOfTime, match="came to line 50 of 100; ask again"):
        await timelines.histogram("job", 60, EVERYTHING)
    assert total(await timelines.histogram("job", 60, EVERYTHING)) == 100
    with pytest.raises(OutOfTime, match="of 100; ask again, for less where there is a filter"):
        await timelines.histogram("job", 60, LogFilter(search="line"))


@pytest.mark.parametrize("buckets", [-1, 0, 501])
async def test_the_number_of_buckets_has_bounds(memory: Memory, buckets: int) -> None:
    with pytest.raises(InvalidInput, match=f"between 1 and 500, not {buckets}"):
        await Timelines(MemoryLogTimes(memory)).histogram("job", buckets, EVERYTHING)
