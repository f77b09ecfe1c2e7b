"""The views of a caller who sees the jobs of one prefix, each beside a foreign job that would answer if it were not narrowed."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from domain.access import NOWHERE, Grant, Scope
from domain.analysis.message_profiles import MessageProfiles
from domain.analysis.timelines import Timelines
from domain.announcements import Announcement
from domain.errors import Forbidden
from domain.filters import ANY_EXECUTION, ANY_JOB, EVERYTHING, LogFilter
from domain.live.job_feed import JobFeed
from domain.live.tail_hub import TailHub
from domain.pages import Window
from domain.recorder import Recorder
from domain.requests import (
    ExecutionLogCount,
    ExecutionLogPageRequest,
    ExecutionPageRequest,
    JobPageRequest,
    LogCount,
    LogPageRequest,
    LogScope,
    NewestLogRequest,
    TaskPageRequest,
)
from domain.visibility import (
    CapturedJobs,
    VisibleExecutions,
    VisibleFeed,
    VisibleHistograms,
    VisibleHub,
    VisibleJobs,
    VisibleLogs,
    VisibleMessageProfiles,
    VisibleNewestLogs,
    VisibleRecorder,
    VisibleTasks,
)
from jobtail.events import Batch, Event, JobStarted, JobStatus, Line, NumberedEvent
from tests.announced import holds
from tests.fakes import (
    Memory,
    MemoryChannel,
    MemoryExecutionStore,
    MemoryJobStore,
    MemoryLogMessages,
    MemoryLogStore,
    MemoryLogTimes,
    MemoryNewestLogStore,
    MemoryTaskStore,
    store,
)

AT = datetime(2026, 11, 22, 20, 33, 58, tzinfo=UTC)
OWN, FOREIGN = "a-1", "b-1"
BOTH = [OWN, FOREIGN]
GRANT = Grant(scopes=frozenset([Scope.READ, Scope.CAPTURE]), job_prefix="a-")
PATIENCE_S = 15


@pytest.fixture
async def memory() -> Memory:
    """Give tables with a foreign job that has all that the own one has, and is the root of their execution."""
    memory = Memory()
    for job_id in (FOREIGN, OWN):
        started = JobStarted(job_id=job_id, handler_name="score", execution_id="run", at=AT)
        line = Line(job_id=job_id, message=f"of {job_id}", stage="score", task_id="C_1", at=AT)
        await store(MemoryLogStore(memory), started, line)
    return memory


def scopes() -> list[LogScope]:
    return [LogScope(job_id=job_id) for job_id in BOTH]


async def test_jobs(memory: Memory) -> None:
    jobs = VisibleJobs(MemoryJobStore(memory), GRANT)
    assert list(await jobs.get(BOTH)) == [OWN]
    (page,) = await jobs.pages([JobPageRequest(window=Window(limit=9), filter=ANY_JOB)])
    assert [job.job_id for job in page.items] == [OWN]
    assert [job.job_id for job in await jobs.matching(BOTH, ANY_JOB)] == [OWN]
    assert await jobs.counts([ANY_JOB]) == [1]
    assert list(await jobs.positions(BOTH, active_since=AT)) == [OWN]


async def test_jobs_of_a_token_that_only_captures_are_had_by_name_alone(memory: Memory) -> None:
    jobs = CapturedJobs(MemoryJobStore(memory), GRANT)
    assert list(await jobs.get(BOTH)) == [OWN]
    with pytest.raises(Forbidden):
        await jobs.pages([JobPageRequest(window=Window(limit=9), filter=ANY_JOB)])
    with pytest.raises(Forbidden):
        await jobs.matching(BOTH, ANY_JOB)
    with pytest.raises(Forbidden):
        await jobs.counts([ANY_JOB])


async def test_tasks(memory: Memory) -> None:
    tasks = VisibleTasks(MemoryTaskStore(memory), GRANT)
    assert list(await tasks.hierarchies(BOTH)) == [OWN]
    assert list(await tasks.stages(BOTH)) == [OWN]
    window: Window[tuple[int, datetime, str]] = Window(limit=9)
    pages = await tasks.pages([TaskPageRequest(job_id=job_id, stage="score", window=window) for job_id in BOTH])
    assert [len(page.items) for page in pages] == [1, 0]
    assert [await tasks.get(job_id, "score", "C_1") is not None for job_id in BOTH] == [True, False]
    assert await tasks.jobs_of("C_1", limit=9) == [OWN]
    assert [await tasks.jobs_of("C_1", job_id=job_id, limit=9) for job_id in BOTH] == [[OWN], []]


async def test_lines_and_their_counts(memory: Memory) -> None:
    logs = VisibleLogs(MemoryLogStore(memory), GRANT)
    asked = [LogPageRequest(scope=scope, window=Window(limit=9), filter=EVERYTHING) for scope in scopes()]
    assert [len(page.items) for page in await logs.pages(asked)] == [1, 0]
    assert await logs.counts([LogCount(scope=scope, filter=EVERYTHING) for scope in scopes()]) == [1, 0]


async def test_executions(memory: Memory) -> None:
    executions = VisibleExecutions(MemoryExecutionStore(memory), GRANT)
    assert (await executions.get(["run"]))["run"].root.job_id == OWN
    (page,) = await executions.pages([ExecutionPageRequest(window=Window(limit=9), filter=ANY_EXECUTION)])
    assert [each.root.job_id for each in page.items] == [OWN]
    lines = ExecutionLogPageRequest(execution_id="run", window=Window(limit=9), filter=EVERYTHING)
    (found,) = await executions.log_pages([lines])
    assert [each.log.job_id for each in found.items] == [OWN]
    assert await executions.log_counts([ExecutionLogCount(execution_id="run", filter=EVERYTHING)]) == [1]
    await store(MemoryLogStore(memory), JobStarted(job_id="b-2", handler_name="score", execution_id="other"))
    assert await executions.count(ANY_EXECUTION) == 1


async def test_histograms_and_profiles(memory: Memory) -> None:
    times = MemoryLogTimes(memory)
    histograms = VisibleHistograms(Timelines(times), GRANT)
    assert [bool(await histograms.histogram(job_id, 4, EVERYTHING)) for job_id in BOTH] == [True, False]
    profiles = VisibleMessageProfiles(MessageProfiles(times, MemoryLogMessages(memory)), GRANT)
    assert [(await profiles.profile(job_id)).lines for job_id in BOTH] == [1, 0]


async def test_the_newest_lines_of_all_jobs(memory: Memory) -> None:
    newest = VisibleNewestLogs(MemoryNewestLogStore(memory), GRANT)
    page = await newest.page(NewestLogRequest(limit=9, filter=EVERYTHING, job_filter=ANY_JOB))
    assert [line.job_id for line in page.items] == [OWN]
    assert await newest.count(EVERYTHING, ANY_JOB) == 1


async def test_lines_that_are_followed(memory: Memory) -> None:
    hub = VisibleHub(TailHub(MemoryLogStore(memory), MemoryJobStore(memory)), GRANT)
    async with hub.tail(OWN) as own, hub.tail(FOREIGN) as other:
        assert (own.job_id, other.job_id) == (OWN, NOWHERE)
    async with aclosing(hub.follow(OWN, LogFilter(), after=0)) as batches, asyncio.timeout(PATIENCE_S):
        assert [row.message for row in (await anext(batches)).rows] == ["of a-1"]
    async with aclosing(hub.follow(FOREIGN, LogFilter(), after=0)) as batches, asyncio.timeout(PATIENCE_S):
        assert [row.message for row in (await anext(batches)).rows] == []


async def test_changes_of_jobs(memory: Memory) -> None:
    feed = JobFeed(MemoryJobStore(memory))
    async with aclosing(VisibleFeed(feed, GRANT).watch(ANY_JOB)) as changes, asyncio.timeout(PATIENCE_S):
        next_change = asyncio.ensure_future(anext(changes))
        await holds(lambda: feed.watchers == 1)
        for job_id in (FOREIGN, OWN):
            feed.hear(Announcement(job_id=job_id, first_seq=2, last_seq=2, status=JobStatus.RUNNING))
        assert (await next_change).job_id == OWN


@dataclass(frozen=True)
class Capture:
    """What a token for `a-` stores."""

    memory: Memory

    async def batch(self, *events: Event) -> None:
        numbered = tuple(NumberedEvent(n, event) for n, event in enumerate(events, 1))
        await self._recorder.record(Batch(uuid4(), numbered))

    async def job(self, job_id: str, *events: Event, execution_id: str | None = None) -> None:
        await self._recorder.record_job(job_id, events, execution_id=execution_id)

    @property
    def _recorder(self) -> VisibleRecorder:
        recorder = Recorder(MemoryLogStore(self.memory), MemoryChannel())
        return VisibleRecorder(recorder, MemoryJobStore(self.memory), GRANT)


async def test_events_of_foreign_jobs_are_refused(memory: Memory) -> None:
    capture, before = Capture(memory), dict(memory.jobs)
    with pytest.raises(Forbidden):
        await capture.batch(Line(job_id=OWN, message="x"), Line(job_id=FOREIGN, message="x"))
    with pytest.raises(Forbidden):
        await capture.job(FOREIGN, Line(job_id=FOREIGN, message="x"))
    assert memory.jobs == before


async def test_a_job_joins_neither_the_execution_of_a_foreign_one_nor_becomes_its_child(memory: Memory) -> None:
    capture = Capture(memory)
    start = JobStarted(job_id="a-2", handler_name="x", execution_id="run", schedule_id="nightly", parent_job_id=FOREIGN)
    await capture.batch(start, Line(job_id="a-2", message="forged"))
    await capture.job("a-3", Line(job_id="a-3", message="forged"), execution_id="run")
    joined = [memory.jobs[job_id] for job_id in ("a-2", "a-3")]
    assert [(job.execution_id, job.parent_job_id, job.last_seq) for job in joined] == [("run@a-", None, 1)] * 2


async def test_a_job_joins_the_executions_and_parents_of_its_own_prefix(memory: Memory) -> None:
    capture = Capture(memory)
    for job_id, parent in (("a-2", None), ("a-3", "a-2")):
        await capture.batch(JobStarted(job_id=job_id, handler_name="x", execution_id="own", parent_job_id=parent))
    await capture.job("a-4", Line(job_id="a-4", message="x"), execution_id="own")
    found = [(memory.jobs[job_id].execution_id, memory.jobs[job_id].parent_job_id) for job_id in ("a-2", "a-3", "a-4")]
    assert found == [("own", None), ("own", "a-2"), ("own", None)]


@pytest.mark.parametrize(
    ("own", "asked", "prefix"),
    [
        (None, None, None),
        (None, "b-", "b-"),
        ("a-", None, "a-"),
        ("a-", "a-1", "a-1"),
        ("a-1", "a-", "a-1"),
        ("a-", "b-", NOWHERE),
    ],
)
def test_a_prefix_that_is_asked_for_narrows_that_of_the_token(
    own: str | None, asked: str | None, prefix: str | None
) -> None:
    assert Grant(scopes=frozenset([Scope.READ]), job_prefix=own).narrowed(asked) == prefix
