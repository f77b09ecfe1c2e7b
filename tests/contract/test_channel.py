"""The contract of every LogChannel when nothing is broken; tests/faults breaks it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from domain.announcements import Announcement
from domain.ports import LogChannel
from persistence.channel.channel import BroadcastChannel
from tests.announced import Hearing, announcement, line
from tests.fakes import MemoryChannel


@pytest.fixture(params=["fake", "memory", "postgres", "redis"])
def kind_url(request: pytest.FixtureRequest) -> str | None:
    match request.param:
        case "fake":
            return None
        case "memory":
            return "memory://"
        case kind:
            return str(request.getfixturevalue(f"{kind}_url"))


@pytest.fixture
async def channel(kind_url: str | None) -> AsyncIterator[LogChannel]:
    if kind_url is None:
        yield MemoryChannel()
        return
    async with BroadcastChannel(kind_url) as channel:
        yield channel


async def test_a_channel_that_works_is_healthy(channel: LogChannel) -> None:
    assert channel.is_healthy


async def test_what_is_published_is_heard_by_the_process_itself(channel: LogChannel) -> None:
    told = announcement(line(1, "Zoë"), line(2, ""))
    channel.publish(told)
    assert await Hearing(channel.signals()).next() == told


async def test_what_a_job_announces_is_heard_in_order_and_completely(channel: LogChannel) -> None:
    hearing = Hearing(channel.signals())
    for n in range(1, 51):
        channel.publish(announcement(line(n)))
    await hearing.until(lambda: hearing.seqs("job-1") == set(range(1, 51)))
    firsts = [signal.first_seq for signal in hearing.heard if isinstance(signal, Announcement)]
    assert firsts == sorted(firsts)


async def test_an_announcement_of_no_line_tells_the_status(channel: LogChannel) -> None:
    told = announcement(first=3, last=2)
    channel.publish(told)
    assert await Hearing(channel.signals()).next() == told
