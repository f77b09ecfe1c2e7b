"""Searches for a pattern, slice by slice: the same pages, and a clear end when time runs out."""

from __future__ import annotations

from itertools import count

import pytest

from domain.cursors import log_seq
from domain.errors import OutOfTime
from domain.filters import EVERYTHING, LogFilter
from domain.logs import TaskLog
from domain.pages import Page, Window
from domain.requests import LogPageRequest, LogScope
from domain.sliced_search import SlicedSearch
from jobtail.events import Line
from tests.fakes import Memory, MemoryLogStore, store

PATTERN = LogFilter(search="(line|zeile) [0-9]*7$", regex=True)
WINDOWS: list[Window[int]] = [
    Window(limit=3),
    Window(limit=3, after=30),
    Window(limit=100),
    Window(limit=0, after=5),
    Window(limit=10),
    Window(limit=3, backward=True),
    Window(limit=3, before=40, backward=True),
    Window(limit=100, after=20, before=60, backward=True),
    Window(limit=2, after=20, before=60),
    Window(limit=2, after=90, before=95),
]


@pytest.fixture
async def logs() -> MemoryLogStore:
    logs = MemoryLogStore(Memory())
    await store(logs, *(Line(job_id="job", message=f"Line {n}") for n in range(1, 101)))
    return logs


def asked(window: Window[int], log_filter: LogFilter = PATTERN) -> LogPageRequest:
    return LogPageRequest(scope=LogScope(job_id="job"), window=window, filter=log_filter)


@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("slice_lines", [1, 7, 1000])
async def test_a_page_is_the_same_however_it_is_sliced(
    logs: MemoryLogStore, window: Window[int], slice_lines: int
) -> None:
    search = SlicedSearch(logs, slice_lines=slice_lines)
    pages = await search.pages([asked(window), asked(window, EVERYTHING)])
    assert [flat(page) for page in pages] == [
        flat(page) for page in await logs.pages([asked(window), asked(window, EVERYTHING)])
    ]


@pytest.mark.parametrize("backward", [False, True])
async def test_slices_outside_the_wanted_lines_are_not_searched(logs: MemoryLogStore, backward: bool) -> None:
    wanted = LogFilter(search=PATTERN.search, regex=True, since_seq=35, until_seq=58)
    ticks = count()
    search = SlicedSearch(logs, slice_lines=10, patience_s=3, clock=lambda: next(ticks))
    (page,) = await search.pages([asked(Window(limit=100, backward=backward), wanted)])
    assert flat(page) == ([37, 47, 57], False, False)


def flat(page: Page[TaskLog]) -> tuple[list[int], bool, bool]:
    return [row.seq for row in page.items], page.has_next, page.has_previous


@pytest.mark.parametrize("backward", [False, True])
async def test_a_page_ends_early_when_time_runs_out(logs: MemoryLogStore, backward: bool) -> None:
    ticks = count()
    search = SlicedSearch(logs, slice_lines=10, patience_s=3, clock=lambda: next(ticks))
    (page,) = await search.pages([asked(Window(limit=100, backward=backward))])
    seqs, has_next, has_previous = flat(page)
    assert (seqs, has_next, has_previous) == (([77, 87, 97], False, True) if backward else ([7, 17, 27], True, False))


@pytest.mark.parametrize("backward", [False, True])
async def test_a_search_that_finds_nothing_in_time_says_how_to_go_on(logs: MemoryLogStore, backward: bool) -> None:
    ticks = count()
    search = SlicedSearch(logs, slice_lines=10, patience_s=3, clock=lambda: next(ticks))
    rare = LogFilter(search="line 5[05]$", regex=True)
    with pytest.raises(OutOfTime, match="longer than 3 s; nothing was found in job 'job'") as caught:
        await search.pages([asked(Window(limit=5, backward=backward), rare)])
    said, place = str(caught.value), log_seq(str(caught.value).split('"')[1], "job")
    assert ("after line 70" if backward else "up to line 30") in said
    onwards: Window[int] = Window(limit=5, before=place, backward=True) if backward else Window(limit=5, after=place)
    (page,) = await SlicedSearch(logs).pages([asked(onwards, rare)])
    assert flat(page)[0] == [50, 55]


async def test_a_job_without_lines_has_nothing_to_search() -> None:
    (page,) = await SlicedSearch(MemoryLogStore(Memory())).pages([asked(Window(limit=5))])
    assert flat(page) == ([], False, False)
