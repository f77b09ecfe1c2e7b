"""The contract of every LogPruner, and what readers find afterwards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from domain.filters import ANY_JOB, EVERYTHING, JobFilter, LogFilter
from domain.logs import TaskLog
from domain.pages import Page, Window
from domain.requests import (
    ExecutionLogCount,
    ExecutionLogPageRequest,
    LogCount,
    LogPageRequest,
    LogScope,
    NewestLogRequest,
    TimeCountRequest,
)
from domain.retention import Pruned, pruned_before, read_retention
from jobtail.events import JobStarted, Line, LogLevel
from tests.contract.conftest import Stores
from tests.fakes import store

DAY = timedelta(days=1)
LEVELS = [LogLevel.INFO, LogLevel.DEBUG, LogLevel.ERROR, LogLevel.TRACE, LogLevel.INFO]
"""Those of the lines 1 to 5, which are stored together; line 6 is stored later, and is INFO."""


def now() -> datetime:
    return datetime.now(UTC)


async def happen(stores: Stores) -> datetime:
    """Store lines; tell the time before the last of them was stored."""
    started = JobStarted(job_id="job", handler_name="h", execution_id="run")
    lines = [Line(job_id="job", message=f"line {n}", stage="s", level=level) for n, level in enumerate(LEVELS, 1)]
    first = await store(stores.logs, started, *lines)
    await store(stores.logs, Line(job_id="job", message="line 6", stage="s"))
    return first.recorded_at + timedelta(microseconds=1)


async def prune(
    stores: Stores, older_than: str = "30d", *, at: datetime, is_dry: bool = False, **levels: str
) -> Pruned:
    pruned = await stores.pruner.prune(read_retention(older_than, levels), at, is_dry=is_dry)
    assert pruned is not None
    return pruned


async def page(stores: Stores, window: Window[int], log_filter: LogFilter = EVERYTHING) -> Page[TaskLog]:
    request = LogPageRequest(scope=LogScope(job_id="job"), window=window, filter=log_filter)
    (found,) = await stores.logs.pages([request])
    return found


async def seqs(stores: Stores, *, after: int | None = None, before: int | None = None) -> list[int]:
    return [line.seq for line in (await page(stores, Window(limit=100, after=after, before=before))).items]


async def job_is_pruned_before(stores: Stores) -> datetime | None:
    return pruned_before((await stores.jobs.get(["job"]))["job"], await stores.pruner.pruned_levels())


async def test_nothing_goes_before_its_age(stores: Stores) -> None:
    await happen(stores)
    pruned = await prune(stores, "1d", at=now() + DAY - timedelta(minutes=1), debug="12h")
    assert (pruned.lines, pruned.weeks) == ({LogLevel.TRACE: 1, LogLevel.DEBUG: 1}, [])
    assert await seqs(stores) == [1, 3, 5, 6]


async def test_what_is_too_old_goes_and_what_is_younger_stays(stores: Stores) -> None:
    middle = await happen(stores)
    at = middle + 30 * DAY
    told = await prune(stores, at=at, is_dry=True)
    assert await seqs(stores) == [1, 2, 3, 4, 5, 6]
    assert await job_is_pruned_before(stores) is None
    pruned = await prune(stores, at=at)
    assert pruned == told
    assert pruned.lines == {LogLevel.TRACE: 1, LogLevel.DEBUG: 1, LogLevel.INFO: 2, LogLevel.ERROR: 1}
    assert pruned.size >= len("line 1") * 5
    assert await seqs(stores) == [6]
    assert await job_is_pruned_before(stores) == middle
    assert (await prune(stores, at=at)).lines == {}


async def test_levels_that_go_earlier_leave_the_others(stores: Stores) -> None:
    middle = await happen(stores)
    at = middle + 7 * DAY
    told = await prune(stores, at=at, is_dry=True, debug="7d")
    assert (await prune(stores, at=at, debug="7d")) == told
    assert told.lines == {LogLevel.TRACE: 1, LogLevel.DEBUG: 1}
    assert await seqs(stores) == [1, 3, 5, 6]
    assert await job_is_pruned_before(stores) == middle
    assert (await prune(stores, at=at + DAY, debug="7d")).lines == {}
    assert (await prune(stores, at=at + DAY, info="7d")).lines == {LogLevel.INFO: 3}
    assert await seqs(stores) == [3]
    assert (await prune(stores, at=middle + 40 * DAY, info="7d")).lines.get(LogLevel.ERROR, 0) in {
        0,
        1,
    }  # or by the week
    assert await seqs(stores) == []


async def test_a_job_of_which_nothing_was_old_is_whole(stores: Stores) -> None:
    await prune(stores, "1m", at=now())
    await happen(stores)
    assert await job_is_pruned_before(stores) is None
    await store(stores.logs, JobStarted(job_id="silent", handler_name="h"))
    await prune(stores, "1m", at=now() + DAY)
    jobs = await stores.jobs.get(["silent"])
    assert pruned_before(jobs["silent"], await stores.pruner.pruned_levels()) is None


async def test_pages_go_over_what_is_gone(stores: Stores) -> None:
    await prune(stores, at=await happen(stores) + 7 * DAY, debug="7d")
    assert await seqs(stores, after=1) == [3, 5, 6]
    assert await seqs(stores, after=2) == [3, 5, 6]
    assert await seqs(stores, before=4) == [1, 3]
    backward = await page(stores, Window(limit=2, before=5, backward=True))
    assert ([line.seq for line in backward.items], backward.has_previous) == ([1, 3], False)
    first = await page(stores, Window(limit=2))
    assert ([line.seq for line in first.items], first.has_next) == ([1, 3], True)
    assert [line.seq for line in (await page(stores, Window(limit=9), LogFilter(search="line"))).items] == [1, 3, 5, 6]


async def test_counts_stay_and_what_no_count_is_kept_of_is_counted_from_what_is_left(stores: Stores) -> None:
    middle = await happen(stores)
    before = (await stores.jobs.get(["job"]), await stores.tasks.stages(["job"]))
    await prune(stores, at=middle + 30 * DAY)
    assert (await stores.jobs.get(["job"]), await stores.tasks.stages(["job"])) == before
    scope, searched = LogScope(job_id="job"), LogFilter(search="line")
    asked = [LogCount(scope=scope, filter=each) for each in (EVERYTHING, searched)]
    assert await stores.logs.counts(asked) == [6, 1]
    counts = [ExecutionLogCount(execution_id="run", filter=each) for each in (EVERYTHING, searched)]
    assert await stores.executions.log_counts(counts) == [6, 1]
    assert [await stores.newest.count(each, JobFilter()) for each in (EVERYTHING, searched)] == [6, 1]


async def test_executions_times_and_the_newest_lines_have_what_is_left(stores: Stores) -> None:
    await prune(stores, at=await happen(stores) + 7 * DAY, debug="7d")
    (found,) = await stores.executions.log_pages(
        [ExecutionLogPageRequest(execution_id="run", window=Window(limit=9), filter=EVERYTHING)]
    )
    assert [line.log.seq for line in found.items] == [1, 3, 5, 6]
    newest = await stores.newest.page(NewestLogRequest(limit=9, filter=EVERYTHING, job_filter=ANY_JOB))
    assert ([line.seq for line in newest.items], newest.has_next) == ([6, 5, 3, 1], False)
    extent = await stores.times.extent("job")
    assert extent is not None
    assert (extent.first_seq, extent.last_seq) == (1, 6)
    counted = await stores.times.counts(TimeCountRequest(job_id="job", filter=EVERYTHING, upto=6, width=1 << 50))
    assert sum(count.lines for count in counted) == 4


async def test_times_begin_with_the_first_line_that_is_left(stores: Stores) -> None:
    await store(stores.logs, Line(job_id="job", message="long ago", at=datetime(2001, 1, 1, tzinfo=UTC)))
    middle = now()
    said = datetime(2026, 1, 1, tzinfo=UTC)
    await store(stores.logs, Line(job_id="job", message="now", at=said))
    await prune(stores, at=middle + 30 * DAY)
    extent = await stores.times.extent("job")
    assert extent is not None
    assert (extent.first_seq, extent.last_seq, extent.first_at, extent.last_at) == (2, 2, said, said)
    await prune(stores, at=now() + 31 * DAY)
    assert await stores.times.extent("job") is None


@pytest.mark.parametrize("stage", [None, "s"])
async def test_what_is_said_later_goes_on_with_its_numbers(stores: Stores, stage: str | None) -> None:
    await happen(stores)
    await prune(stores, at=now() + 30 * DAY)
    assert await seqs(stores) == []
    assert (await store(stores.logs, Line(job_id="job", message="again", stage=stage))).last_seq == 7
    assert await seqs(stores) == [7]
