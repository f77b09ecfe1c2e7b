"""Comparisons of two runs by what their lines say."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import count

import pytest

from domain.analysis.comparison import Comparison, MessageChange, compared
from domain.analysis.message_profiles import MESSAGE_BYTES, MessageProfile, MessageProfiles
from jobtail.events import Line, LogLevel
from tests.fakes import Memory, MemoryLogMessages, MemoryLogStore, MemoryLogTimes, store

ERROR, INFO = LogLevel.ERROR, LogLevel.INFO


@pytest.fixture
def memory() -> Memory:
    return Memory()


async def say(memory: Memory, job_id: str, *messages: str, level: LogLevel = INFO, stage: str = "read") -> None:
    lines = (Line(job_id=job_id, message=message, level=level, stage=stage) for message in messages)
    await store(MemoryLogStore(memory), *lines)


def profiles_of(memory: Memory, **bounds: object) -> MessageProfiles:
    return MessageProfiles(MemoryLogTimes(memory), MemoryLogMessages(memory), **bounds)  # type: ignore[arg-type]  # by name


async def comparison(memory: Memory) -> Comparison:
    profiles = profiles_of(memory)
    return compared(*await asyncio.gather(profiles.profile("job"), profiles.profile("other")))


def told(changes: Sequence[MessageChange]) -> list[tuple[str, int, int, tuple[str, int]]]:
    return [(each.fingerprint.template, each.count, each.with_count, each.example) for each in changes]


def asked(memory: Memory) -> list[tuple[int, int]]:
    """Tell which lines were read."""
    return [read for read in memory.reads if isinstance(read, tuple)]


async def test_messages_are_new_missing_or_more_frequent(memory: Memory) -> None:
    await say(memory, "other", "read 7 rows", "read 9 rows", "stored 'x'", "done")
    await say(memory, "job", "read 1 rows", "gave up after 3 tries", "gave up after 5 tries", *["read 4 rows"] * 4)
    found = await comparison(memory)
    assert told(found.new) == [("gave up after <*> tries", 2, 0, ("job", 2))]
    assert told(found.missing) == [("stored '<*>'", 0, 1, ("other", 3)), ("done", 0, 1, ("other", 4))]
    assert told(found.more_frequent) == [("read <*> rows", 5, 2, ("job", 1))]


@pytest.mark.parametrize(
    ("own", "other", "is_more"), [(4, 1, True), (3, 1, False), (6, 3, True), (5, 3, False), (199, 100, False)]
)
async def test_twice_as_often_by_three_lines_is_more_frequent(
    memory: Memory, own: int, other: int, is_more: bool
) -> None:
    await say(memory, "job", *["said"] * own)
    await say(memory, "other", *["said"] * other)
    assert bool((await comparison(memory)).more_frequent) is is_more


async def test_level_and_stage_tell_messages_apart(memory: Memory) -> None:
    await say(memory, "other", "said")
    await say(memory, "job", "said", level=ERROR)
    await say(memory, "job", "said", stage="score")
    found = await comparison(memory)
    assert [(each.fingerprint.level, each.fingerprint.stage) for each in found.new] == [
        (ERROR, "read"),
        (INFO, "score"),
    ]
    assert [each.fingerprint.level for each in found.missing] == [INFO]


async def test_the_gravest_come_first_then_the_most_frequent(memory: Memory) -> None:
    await say(memory, "job", "rare", "often", "often", "early")
    await say(memory, "job", "grave", level=ERROR)
    await say(memory, "job", "worse", "worse", level=ERROR)
    found = await comparison(memory)
    assert [each.fingerprint.template for each in found.new] == ["worse", "grave", "often", "rare", "early"]


async def test_a_further_look_reads_what_is_new(memory: Memory) -> None:
    profiles = profiles_of(memory, slice_lines=40)
    await say(memory, "job", *["said"] * 100)
    assert (await profiles.profile("job")).lines == 100
    await say(memory, "job", "said", "ended")
    profile = await profiles.profile("job")
    assert [(said.template, how) for said, how in profile.said.items()] == [("said", (101, 1)), ("ended", (1, 102))]
    assert (profile.lines, profile.is_complete) == (102, True)
    assert asked(memory) == [(0, 40), (40, 80), (80, 100), (100, 102)]


async def test_looks_at_once_read_once(memory: Memory) -> None:
    profiles = profiles_of(memory)
    await say(memory, "job", *["said"] * 100)
    found = await asyncio.gather(*(profiles.profile("job") for _ in range(5)))
    assert {profile.lines for profile in found} == {100}
    assert asked(memory) == [(0, 100)]


async def test_a_job_too_long_for_the_time_is_compared_as_far_as_it_was_read(memory: Memory) -> None:
    ticks = count()
    profiles = profiles_of(memory, slice_lines=10, patience_s=5, clock=lambda: next(ticks))
    await say(memory, "job", *["said"] * 100)
    profile = await profiles.profile("job")
    assert (profile.lines, profile.is_complete) == (50, False)
    profile = await profiles.profile("job")
    assert (profile.lines, profile.is_complete) == (100, True)


async def test_a_job_of_too_many_messages_is_read_no_further(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("domain.analysis.message_profiles.MOST_MESSAGES", 20)
    await say(memory, "job", *(chr(ord("a") + n) for n in range(26)))
    for _ in range(2):
        profile = await profiles_of(memory, slice_lines=5).profile("job")
        assert (len(profile.said), profile.lines, profile.is_complete) == (20, 20, False)


async def test_jobs_that_nobody_compares_make_room(memory: Memory) -> None:
    profiles = profiles_of(memory, kept_bytes=2 * (MESSAGE_BYTES + 4))
    for name in ("a", "b", "c"):
        await say(memory, name, "said")
    for name in ("a", "b", "a", "c", "a", "b"):
        assert (await profiles.profile(name)).lines == 1
    assert len(asked(memory)) == 4


async def test_a_job_without_lines_says_nothing(memory: Memory) -> None:
    assert await profiles_of(memory).profile("job") == MessageProfile("job", {}, lines=0, is_complete=True)
