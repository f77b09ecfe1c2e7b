"""The feed of changed jobs, on stores in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from domain.announcements import Announcement
from domain.errors import Unavailable
from domain.filters import ANY_JOB, JobFilter
from domain.jobs import Job
from domain.live import job_feed as feed_module
from domain.live.job_feed import JobFeed
from domain.recorder import Recorder
from jobtail.events import Event, JobFinished, JobStarted, JobStatus, Line
from tests.announced import PATIENCE_S, holds
from tests.fakes import Memory, MemoryChannel, MemoryJobStore, MemoryLogStore


class Setting:
    def __init__(self) -> None:
        self.memory = Memory()
        self.channel = MemoryChannel()
        self.recorder = Recorder(MemoryLogStore(self.memory), self.channel)
        self.feed = JobFeed(MemoryJobStore(self.memory))

    async def happen(self, *events: Event) -> Announcement:
        """Store events of one job, unheard."""
        await self.recorder.record_job(events[0].job_id, events)
        return self.channel.announced[-1]

    async def say(self, *events: Event) -> None:
        self.feed.hear(await self.happen(*events))


def line(job_id: str) -> Line:
    return Line(job_id=job_id, message="x")


def coming(watch: AsyncGenerator[Job, None]) -> asyncio.Task[Job]:
    async def one() -> Job:
        async with asyncio.timeout(PATIENCE_S):
            return await anext(watch)

    return asyncio.create_task(one())


async def until_watched(setting: Setting) -> None:
    await holds(lambda: setting.feed.watchers == 1 and len(setting.memory.reads) > 0)
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_only_what_changes_from_now_on_is_sent() -> None:
    setting = Setting()
    await setting.say(line("before"))
    async with aclosing(setting.feed.watch(ANY_JOB)) as watch:
        first = coming(watch)
        await until_watched(setting)
        await setting.say(line("new"))
        assert (await first).job_id == "new"
        second = coming(watch)
        await setting.say(line("before"))
        job = await second
        assert (job.job_id, job.last_seq) == ("before", 2)


async def test_a_change_amid_the_first_look_is_not_missed() -> None:
    setting = Setting()
    told = await setting.happen(line("job"))

    def hear_once() -> None:
        setting.memory.on_read = None
        setting.feed.hear(told)

    setting.memory.on_read = hear_once
    async with aclosing(setting.feed.watch(ANY_JOB)) as watch:
        assert (await coming(watch)).job_id == "job"


async def test_a_job_that_changes_often_is_sent_in_its_latest_state() -> None:
    setting = Setting()
    async with aclosing(setting.feed.watch(ANY_JOB)) as watch:
        first = coming(watch)
        await until_watched(setting)
        for _ in range(5):
            told = await setting.happen(line("busy"))
        other = await setting.happen(line("other"))
        for announcement in (told, other, told, told):
            setting.feed.hear(announcement)
        sent = [await first, await coming(watch)]
        assert [(job.job_id, job.last_seq) for job in sent] == [("busy", 5), ("other", 1)]


async def test_a_filter_lets_matching_jobs_through() -> None:
    setting = Setting()
    async with aclosing(setting.feed.watch(JobFilter(statuses=frozenset({JobStatus.FAILED})))) as watch:
        first = coming(watch)
        await until_watched(setting)
        await setting.say(line("running"))
        await setting.say(JobFinished(job_id="failed", status=JobStatus.FAILED))
        assert (await first).job_id == "failed"


async def test_a_look_finds_what_was_not_announced_and_only_that() -> None:
    setting = Setting()
    await setting.happen(JobStarted(job_id="known", handler_name="ingest"))
    async with aclosing(setting.feed.watch(ANY_JOB)) as watch:
        first = coming(watch)
        await until_watched(setting)
        await setting.feed.look()
        await setting.happen(line("missed"))
        await setting.feed.look()
        assert (await first).job_id == "missed"
        second = coming(watch)
        await setting.feed.look()
        await setting.happen(JobFinished(job_id="missed", status=JobStatus.COMPLETED))
        await setting.feed.look()
        assert (await second).status is JobStatus.COMPLETED


async def test_a_store_that_is_away_is_waited_for() -> None:
    setting = Setting()
    async with aclosing(setting.feed.watch(ANY_JOB)) as watch:
        first = coming(watch)
        await until_watched(setting)
        told = await setting.happen(line("job"))
        setting.memory.fault = Unavailable("gone")
        setting.feed.hear(told)
        await asyncio.sleep(0)
        setting.memory.fault = None
        assert (await first).job_id == "job"


async def test_nothing_is_kept_while_nobody_watches() -> None:
    setting = Setting()
    await setting.say(line("job"))
    reads = len(setting.memory.reads)
    await setting.feed.look()
    assert len(setting.memory.reads) == reads
    async with aclosing(setting.feed.watch(ANY_JOB)) as watch:
        first = coming(watch)
        await until_watched(setting)
        await setting.say(line("job"))
        await first
    assert setting.feed.watchers == 0
    assert not setting.feed._changes
    assert not setting.feed._positions


async def test_a_watcher_that_is_cancelled_leaves_nothing_behind() -> None:
    setting = Setting()
    watch = setting.feed.watch(ANY_JOB)
    waiting = coming(watch)
    await until_watched(setting)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await watch.aclose()
    assert setting.feed.watchers == 0


async def test_the_list_of_changes_is_bounded_and_keeps_the_latest() -> None:
    setting = Setting()
    setting.feed.watchers = 1
    for n in range(feed_module.MOST_CHANGES + 5):
        setting.feed._mark([f"job-{n}"])
    setting.feed._mark(["job-7"])
    assert len(setting.feed._changes) == feed_module.MOST_CHANGES
    assert setting.feed._since(feed_module.MOST_CHANGES + 4) == ["job-7", f"job-{feed_module.MOST_CHANGES + 4}"]
