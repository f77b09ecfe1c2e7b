"""The doorbell goes on listening and looking, whatever happens to it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from datetime import datetime

import pytest

from domain.errors import Unavailable
from domain.filters import EVERYTHING
from domain.jobs import JobPosition
from domain.live.channel_listener import ChannelListener
from domain.live.job_feed import JobFeed
from domain.live.tail_hub import TailHub
from jobtail.events import Line
from tests.announced import PATIENCE_S
from tests.fakes import Memory, MemoryChannel, MemoryJobStore, MemoryLogStore, store


class FaultyJobStore(MemoryJobStore):
    """Fails where it is told to, once for every fault."""

    def __init__(self, memory: Memory) -> None:
        super().__init__(memory)
        self.faults: list[Exception] = []

    async def positions(self, job_ids: Sequence[str], *, active_since: datetime | None) -> Mapping[str, JobPosition]:
        if self.faults:
            raise self.faults.pop()
        return await super().positions(job_ids, active_since=active_since)


@pytest.mark.parametrize("fault", [Unavailable("away"), RuntimeError("a defect")])
async def test_a_look_that_fails_is_followed_by_the_next(fault: Exception) -> None:
    memory = Memory()
    logs, jobs = MemoryLogStore(memory), FaultyJobStore(memory)
    hub = TailHub(logs, jobs)
    async with (
        aclosing(hub.follow("job", EVERYTHING, after=0)) as batches,
        asyncio.timeout(PATIENCE_S),
    ):
        assert (await anext(batches)).caught_up
        jobs.faults.append(fault)
        await store(logs, Line(job_id="job", message="nobody announces it"))
        async with ChannelListener(MemoryChannel(), jobs, hub, JobFeed(jobs), look_every_s=0.01):
            assert [row.seq for row in (await anext(batches)).rows] == [1]
    assert not jobs.faults
