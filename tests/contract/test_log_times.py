"""The contract of every LogTimes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.filters import EVERYTHING, LogFilter
from domain.histogram import ORIGIN, TimeCount
from domain.logs import EARLIEST, LATEST, LogExtent
from domain.requests import TimeCountRequest
from jobtail.events import JobStarted, Line, LogLevel
from tests.contract.conftest import Stores
from tests.fakes import store

AT = datetime(2026, 11, 22, 20, 33, 58, 123456, tzinfo=UTC)
LINES = [
    Line(
        job_id="job",
        message=f"line {n}",
        stage=f"stage-{n % 2}",
        level=list(LogLevel)[n % 3],
        at=AT + timedelta(milliseconds=n * 37 % 50),
    )
    for n in range(60)
]
WHOLE = TimeCountRequest(job_id="job", filter=EVERYTHING, upto=60, width=1 << 12)


async def counted(stores: Stores, request: TimeCountRequest) -> list[TimeCount]:
    return sorted(await stores.times.counts(request))


def expected(lines: list[Line], width: int) -> list[TimeCount]:
    begins: dict[tuple[datetime, LogLevel], int] = {}
    for line in lines:
        assert line.at is not None
        key = (line.at - (line.at - ORIGIN) % timedelta(microseconds=width), line.level)
        begins[key] = begins.get(key, 0) + 1
    return sorted(TimeCount(since, level, lines) for (since, level), lines in begins.items())


@pytest.mark.parametrize("width", [1, 1 << 12, 1 << 20, 1 << 49])
async def test_lines_are_counted_by_time_and_level(stores: Stores, width: int) -> None:
    await store(stores.logs, *LINES)
    assert await counted(stores, replace(WHOLE, width=width)) == expected(LINES, width)


async def test_only_lines_between_the_numbers_and_of_the_filter_count(stores: Stores) -> None:
    await store(stores.logs, *LINES)
    await store(stores.logs, replace(LINES[0], job_id="other"))
    assert await counted(stores, replace(WHOLE, after=10, upto=30)) == expected(LINES[10:30], WHOLE.width)
    chosen = LogFilter(min_level=LogLevel.DEBUG, stages=frozenset({"stage-1"}), search="^line 1[0-9]$", regex=True)
    wanted = [line for line in LINES[10:20] if line.stage == "stage-1" and line.level >= LogLevel.DEBUG]
    assert await counted(stores, replace(WHOLE, filter=chosen)) == expected(wanted, WHOLE.width)


async def test_the_calendar_has_ends(stores: Stores) -> None:
    lines = [replace(LINES[0], at=EARLIEST), replace(LINES[1], at=LATEST)]
    await store(stores.logs, *lines)
    assert await stores.times.extent("job") == LogExtent(first_seq=1, last_seq=2, first_at=EARLIEST, last_at=LATEST)
    assert await counted(stores, replace(WHOLE, width=1 << 48)) == expected(lines, 1 << 48)


async def test_an_extent_tells_numbers_and_times(stores: Stores) -> None:
    assert await stores.times.extent("job") is None
    await store(stores.logs, JobStarted(job_id="job", handler_name="h"))
    assert await stores.times.extent("job") is None
    await store(stores.logs, *LINES)
    last = AT + timedelta(milliseconds=49)
    assert await stores.times.extent("job") == LogExtent(first_seq=1, last_seq=60, first_at=AT, last_at=last)
