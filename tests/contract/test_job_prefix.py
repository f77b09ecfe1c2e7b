"""The job prefix: what every store shows of jobs whose ids begin with it."""

from __future__ import annotations

from domain.filters import EVERYTHING, ExecutionFilter, JobFilter
from domain.pages import Window
from domain.requests import (
    ExecutionLogCount,
    ExecutionLogPageRequest,
    ExecutionPageRequest,
    JobPageRequest,
    NewestLogRequest,
)
from jobtail.events import JobFinished, JobStarted, JobStatus, Line
from tests.contract.conftest import Stores
from tests.fakes import store


async def fill(stores: Stores) -> None:
    """Store an execution of three jobs: the root is of others, and failed."""
    for job_id, status in (("x_root", JobStatus.FAILED), ("a_1", JobStatus.COMPLETED), ("a%_", JobStatus.COMPLETED)):
        started = JobStarted(job_id=job_id, handler_name="h", execution_id="ex")
        line = Line(job_id=job_id, message=f"of {job_id}", stage="score", task_id="c-1")
        await store(stores.logs, started, line, JobFinished(job_id=job_id, status=status))


async def test_jobs_are_listed_found_and_counted_by_their_beginning(stores: Stores) -> None:
    await fill(stores)
    mine = JobFilter(job_prefix="a_")
    (page,) = await stores.jobs.pages([JobPageRequest(window=Window(10), filter=mine)])
    assert [job.job_id for job in page.items] == ["a_1"]
    assert [job.job_id for job in await stores.jobs.matching(["a_1", "x_root"], mine)] == ["a_1"]
    counted = [mine, JobFilter(job_prefix="a"), JobFilter(job_prefix="x_root_"), JobFilter(job_prefix="a%")]
    assert list(await stores.jobs.counts(counted)) == [1, 2, 0, 1]
    assert list(await stores.tasks.jobs_of("c-1", job_prefix="a", limit=9)) == ["a%_", "a_1"]


async def test_an_execution_is_what_the_jobs_that_are_seen_make_of_it(stores: Stores) -> None:
    await fill(stores)
    whole, mine = await stores.executions.get(["ex"]), await stores.executions.get(["ex"], job_prefix="a_")
    assert (whole["ex"].root.job_id, whole["ex"].root.status) == ("x_root", JobStatus.FAILED)
    assert (mine["ex"].root.job_id, mine["ex"].root.status) == ("a_1", JobStatus.COMPLETED)
    assert await stores.executions.get(["ex"], job_prefix="b") == {}
    seen = ExecutionFilter(job_prefix="a_")
    (page,) = await stores.executions.pages([ExecutionPageRequest(window=Window(10), filter=seen)])
    assert [each.root.job_id for each in page.items] == ["a_1"]
    assert await stores.executions.count(seen) == 1
    assert await stores.executions.count(ExecutionFilter(job_prefix="b")) == 0


async def test_the_lines_of_an_execution_are_those_of_the_jobs_that_are_seen(stores: Stores) -> None:
    await fill(stores)
    asked = ExecutionLogPageRequest(execution_id="ex", window=Window(10), filter=EVERYTHING, job_prefix="a_")
    (page,) = await stores.executions.log_pages([asked])
    assert [each.log.message for each in page.items] == ["of a_1"]
    counts = [
        ExecutionLogCount(execution_id="ex", filter=EVERYTHING, job_prefix=prefix) for prefix in ("a_", "a", None)
    ]
    assert list(await stores.executions.log_counts(counts)) == [1, 2, 3]


async def test_the_newest_lines_are_those_of_the_jobs_that_are_seen(stores: Stores) -> None:
    await fill(stores)
    mine = JobFilter(job_prefix="a_")
    page = await stores.newest.page(NewestLogRequest(limit=10, filter=EVERYTHING, job_filter=mine))
    assert [each.message for each in page.items] == ["of a_1"]
    assert await stores.newest.count(EVERYTHING, mine) == 1
