"""The tail, on stores in memory: whatever is lost, doubled or late, each reader gets every line once, in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.announcements import Announcement
from domain.errors import InvalidInput, Unavailable
from domain.filters import EVERYTHING, LogFilter
from domain.live import job_tail as tail_module
from domain.live import tail_hub as hub_module
from domain.live.job_tail import Lag
from domain.live.ring import BATCH_BYTES, BATCH_ROWS, RING_ROWS, Ring
from domain.live.tail_hub import TailBatch, TailHub
from domain.logs import TaskLog
from domain.recorder import Recorder
from domain.requests import LogPageRequest
from jobtail.events import Batch, JobFinished, JobStarted, JobStatus, Line, LogLevel, NumberedEvent
from tests.announced import PATIENCE_S, holds, line
from tests.fakes import Memory, MemoryChannel, MemoryJobStore, MemoryLogStore

ERRORS = LogFilter(min_level=LogLevel.ERROR)


class Setting:
    """A process whose announcements are heard only when a test says so."""

    def __init__(self) -> None:
        self.memory = Memory()
        self.channel = MemoryChannel()
        self.recorder = Recorder(MemoryLogStore(self.memory), self.channel)
        self.hub = TailHub(MemoryLogStore(self.memory), MemoryJobStore(self.memory))

    async def happen(self, count: int = 1, *, level: LogLevel = LogLevel.INFO, size: int = 1) -> Announcement:
        """Store lines in one batch, unheard. They are announced whole, however large."""
        said = Line(job_id="job", message="x" * size, level=level)
        numbers = await self.recorder.record_job("job", [said] * count)
        rows = self.memory.lines["job"][numbers.first - 1 : numbers.last]
        return replace(self.channel.announced[-1], rows=tuple(rows))

    async def say(self, count: int = 1, *, level: LogLevel = LogLevel.INFO) -> None:
        self.hub.hear(await self.happen(count, level=level))

    async def end(self) -> None:
        await self.recorder.record_job("job", [JobFinished(job_id="job", status=JobStatus.COMPLETED)])
        self.hub.hear(self.channel.announced[-1])

    async def look(self) -> None:
        """Do what the doorbell does every few seconds."""
        for followed in self.hub.tails:
            await followed.refresh()

    @property
    def page_reads(self) -> int:
        return sum(isinstance(read, list) and isinstance(read[0], LogPageRequest) for read in self.memory.reads)


class Reader:
    """Pulls batches when it is told to."""

    def __init__(self, batches: AsyncGenerator[TailBatch, None]) -> None:
        self.batches = batches
        self.seqs: list[int] = []
        self.last: TailBatch | None = None

    async def next(self) -> TailBatch:
        async with asyncio.timeout(PATIENCE_S):
            batch = await anext(self.batches)
        self.seqs += [row.seq for row in batch.rows]
        self.last = batch
        return batch

    async def until(self, seq: int) -> None:
        while not self.last or self.last.cursor < seq:
            await self.next()

    async def to_the_end(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            async for batch in self.batches:
                self.seqs += [row.seq for row in batch.rows]
                self.last = batch


def seqs(begin: int, end: int) -> list[int]:
    return list(range(begin, end + 1))


async def test_what_stands_is_sent_first_then_what_comes() -> None:
    setting = Setting()
    await setting.happen(3)
    async with aclosing(setting.hub.follow("job", EVERYTHING, after=0)) as batches:
        reader = Reader(batches)
        first = await reader.next()
        assert (reader.seqs, first.cursor, first.caught_up, first.last_seq, first.job_status) == (
            seqs(1, 3),
            3,
            True,
            3,
            None,
        )
        await setting.say(2)
        assert [row.seq for row in (await reader.next()).rows] == [4, 5]


async def test_without_a_start_only_what_comes_is_sent_after_word_that_the_reader_is_caught_up() -> None:
    setting = Setting()
    await setting.happen(3)
    async with aclosing(setting.hub.follow("job", EVERYTHING)) as batches:
        reader = Reader(batches)
        first = await reader.next()
        assert (list(first.rows), first.cursor, first.caught_up) == ([], 3, True)
        await setting.say()
        await reader.next()
        assert reader.seqs == [4]


async def test_a_long_backlog_comes_in_batches_and_the_last_says_that_it_is_over() -> None:
    setting = Setting()
    await setting.happen(2 * BATCH_ROWS + 1)
    async with aclosing(setting.hub.follow("job", EVERYTHING, after=0)) as batches:
        reader = Reader(batches)
        found = [await reader.next() for _ in range(3)]
    assert [len(batch.rows) for batch in found] == [BATCH_ROWS, BATCH_ROWS, 1]
    assert [batch.caught_up for batch in found] == [False, False, True]
    assert reader.seqs == seqs(1, 2 * BATCH_ROWS + 1)


@pytest.mark.parametrize(("last", "expected"), [(0, []), (2, [4, 5]), (5, seqs(1, 5)), (1000, seqs(1, 5))])
async def test_last_sends_the_newest_lines(last: int, expected: list[int]) -> None:
    setting = Setting()
    await setting.happen(5)
    async with aclosing(setting.hub.follow("job", EVERYTHING, last=last)) as batches:
        reader = Reader(batches)
        assert (await reader.next()).caught_up
        assert reader.seqs == expected
        await setting.say()
        await reader.next()
        assert reader.seqs == [*expected, 6]


async def test_last_counts_lines_that_match() -> None:
    setting = Setting()
    for level in (LogLevel.ERROR, LogLevel.ERROR, LogLevel.INFO, LogLevel.ERROR, LogLevel.INFO, LogLevel.INFO):
        await setting.happen(level=level)
    async with aclosing(setting.hub.follow("job", ERRORS, last=2)) as batches:
        reader = Reader(batches)
        await reader.until(6)
    assert reader.seqs == [2, 4]


async def test_a_line_that_comes_while_the_newest_are_looked_for_is_not_missed() -> None:
    setting = Setting()
    await setting.happen(3)
    told = await setting.happen(level=LogLevel.ERROR)
    setting.memory.lines["job"].pop()
    standing = setting.memory.jobs["job"]
    setting.memory.jobs["job"] = replace(standing, last_seq=3)

    def come() -> None:
        if setting.page_reads and len(setting.memory.lines["job"]) == 3:
            setting.memory.lines["job"] += told.rows
            setting.memory.jobs["job"] = standing
            setting.hub.hear(told)

    setting.memory.on_read = come
    async with aclosing(setting.hub.follow("job", ERRORS, last=10)) as batches:
        reader = Reader(batches)
        await reader.until(4)
    assert reader.seqs == [4]


@pytest.mark.parametrize("after", [-1, 4])
async def test_a_cursor_out_of_the_log_is_refused(after: int) -> None:
    setting = Setting()
    await setting.happen(3)
    async with aclosing(setting.hub.follow("job", EVERYTHING, after=after)) as batches:
        with pytest.raises(InvalidInput, match="ends at line 3"):
            await anext(batches)
    assert not setting.hub.tails


@pytest.mark.parametrize("last", [-1, 1001])
async def test_a_count_out_of_bounds_is_refused(last: int) -> None:
    async with aclosing(Setting().hub.follow("job", EVERYTHING, last=last)) as batches:
        with pytest.raises(InvalidInput, match="between 0 and 1000"):
            await anext(batches)


async def test_a_filter_passes_over_lines_and_the_cursor_tells() -> None:
    setting = Setting()
    await setting.happen(3)
    async with aclosing(setting.hub.follow("job", ERRORS, after=0)) as batches:
        reader = Reader(batches)
        first = await reader.next()
        assert (list(first.rows), first.cursor, first.caught_up) == ([], 3, True)
        await setting.say(4)
        await setting.say(level=LogLevel.CRITICAL)
        second = await reader.next()
        assert ([row.seq for row in second.rows], second.cursor) == ([8], 8)


async def test_a_job_that_does_not_exist_is_waited_for() -> None:
    setting = Setting()
    async with aclosing(setting.hub.follow("job", EVERYTHING)) as batches:
        reader = Reader(batches)
        first = await reader.next()
        assert (first.last_seq, first.caught_up, first.job_status) == (0, True, None)
        await setting.say(2)
        await reader.next()
        assert reader.seqs == [1, 2]


async def test_the_end_of_the_job_is_the_last_batch() -> None:
    setting = Setting()
    await setting.happen()
    async with aclosing(setting.hub.follow("job", EVERYTHING, after=0)) as batches:
        reader = Reader(batches)
        await reader.next()
        await setting.say()
        await reader.until(2)
        await setting.end()
        await reader.to_the_end()
    assert reader.seqs == [1, 2]
    assert reader.last is not None
    assert list(reader.last.rows) == []
    assert (reader.last.job_status, reader.last.cursor, reader.last.caught_up) == (JobStatus.COMPLETED, 2, True)
    assert not setting.hub.tails


async def test_a_job_that_has_ended_is_sent_whole_and_closed() -> None:
    setting = Setting()
    await setting.happen(BATCH_ROWS + 1)
    await setting.end()
    reader = Reader(setting.hub.follow("job", EVERYTHING, after=0))
    await reader.to_the_end()
    assert reader.seqs == seqs(1, BATCH_ROWS + 1)
    assert reader.last is not None
    assert reader.last.job_status is JobStatus.COMPLETED
    nothing = Reader(setting.hub.follow("job", EVERYTHING))
    await nothing.to_the_end()
    assert nothing.seqs == []
    assert nothing.last is not None
    assert nothing.last.job_status is JobStatus.COMPLETED


async def test_a_job_that_is_started_again_is_followed_on() -> None:
    setting = Setting()
    await setting.happen()
    await setting.end()
    await setting.recorder.record_job("job", [JobStarted(job_id="job", handler_name="ingest")])
    async with aclosing(setting.hub.follow("job", EVERYTHING, after=0)) as batches:
        reader = Reader(batches)
        assert (await reader.next()).job_status is None
        await setting.say()
        await reader.next()
        assert reader.seqs == [1, 2]


async def test_what_no_announcement_told_is_found_by_a_look() -> None:
    setting = Setting()
    await setting.happen()
    async with aclosing(setting.hub.follow("job", EVERYTHING, after=0)) as batches:
        reader = Reader(batches)
        await reader.next()
        await setting.happen(3)
        await setting.look()
        await reader.until(4)
        assert reader.seqs == seqs(1, 4)


async def test_a_gap_is_read_from_the_store() -> None:
    setting = Setting()
    await setting.happen()
    async with aclosing(setting.hub.follow("job", EVERYTHING, after=0)) as batches:
        reader = Reader(batches)
        await reader.next()
        await setting.happen(3)
        reads = setting.page_reads
        await setting.say(2)
        await reader.until(6)
        assert reader.seqs == seqs(1, 6)
        assert setting.page_reads == reads + 1


async def test_announcements_that_are_doubled_late_or_without_rows_change_nothing() -> None:
    setting = Setting()
    await setting.happen()
    async with aclosing(setting.hub.follow("job", EVERYTHING, after=0)) as batches:
        reader = Reader(batches)
        await reader.next()
        one, two, three = [await setting.happen(2) for _ in range(3)]
        for told in (two, two, replace(three, rows=()), one, two, three, one):
            setting.hub.hear(told)
        await reader.until(7)
        setting.hub.hear(one)
        await setting.say()
        await reader.until(8)
        assert reader.seqs == seqs(1, 8)


async def test_lines_that_are_heard_again_wake_nobody_and_what_says_more_does() -> None:
    setting = Setting()
    async with setting.hub.tail("job") as tail:
        said = await setting.happen(2)
        setting.hub.hear(replace(said, rows=()))
        changed = tail.changed
        setting.hub.hear(said)
        setting.hub.hear(replace(said, first_seq=1, last_seq=1, rows=said.rows[:1]))
        assert not changed.is_set()
        assert (await tail.next(0, EVERYTHING, "")).cursor == 2
        assert setting.page_reads == 0, "the rows that came with them are kept"
        setting.hub.hear(replace(said, first_seq=3, rows=()))
        assert changed.is_set(), "an announcement without lines tells of the job"
        changed = tail.changed
        await setting.end()
        assert changed.is_set()


async def test_lines_that_are_announced_whole_are_not_read_again() -> None:
    setting = Setting()
    await setting.happen()
    async with aclosing(setting.hub.follow("job", EVERYTHING)) as batches:
        reader = Reader(batches)
        await reader.next()
        reads = len(setting.memory.reads)
        for _ in range(5):
            await setting.say(3)
            await reader.next()
        assert reader.seqs == seqs(2, 16)
        assert len(setting.memory.reads) == reads


async def test_a_slow_reader_that_fell_out_of_the_ring_gets_every_line() -> None:
    setting = Setting()
    async with (
        aclosing(setting.hub.follow("job", EVERYTHING)) as slow_batches,
        aclosing(setting.hub.follow("job", EVERYTHING)) as quick_batches,
    ):
        slow, quick = Reader(slow_batches), Reader(quick_batches)
        await slow.next()
        await quick.next()
        total = 10 * RING_ROWS
        for end in range(500, total + 1, 500):
            await setting.say(500)
            await quick.until(end)
        (followed,) = setting.hub.tails
        assert followed._ring is not None
        assert len(followed._ring._rows) <= RING_ROWS * 5 // 4
        assert setting.page_reads == 0
        await slow.until(total)
        assert slow.seqs == quick.seqs == seqs(1, total)
        assert 0 < setting.page_reads <= total // BATCH_ROWS


async def test_a_burst_that_nobody_announced_is_read_by_who_wants_it() -> None:
    setting = Setting()
    await setting.happen()
    async with aclosing(setting.hub.follow("job", EVERYTHING, after=0)) as batches:
        reader = Reader(batches)
        await reader.next()
        total = 2 * RING_ROWS + 1
        await setting.happen(total - 1)
        await setting.look()
        await reader.until(total)
        assert reader.seqs == seqs(1, total)


@pytest.mark.parametrize("pruned", [{1, 2}, {4}, {6, 8}, {9, 10}, set(range(1, 11))], ids=str)
@pytest.mark.parametrize("stood", [0, 5])
async def test_a_reader_behind_lines_that_were_pruned_goes_on_with_what_is_there(pruned: set[int], stood: int) -> None:
    """Whether they stood when it asked, or came unheard and went again before anybody read them."""
    setting = Setting()
    if stood:
        await setting.happen(stood)
    async with aclosing(setting.hub.follow("job", EVERYTHING, after=0)) as batches:
        reader = Reader(batches)
        reading = asyncio.create_task(reader.until(10))
        await asyncio.sleep(0)
        await setting.happen(10 - stood)
        kept = [row for row in setting.memory.lines["job"] if row.seq not in pruned]
        setting.memory.lines["job"] = kept
        await setting.look()
        await setting.say()
        await reading
        await reader.until(11)
        assert set(reader.seqs) - set(seqs(1, stood)) == set(seqs(stood + 1, 11)) - pruned
        assert reader.seqs == sorted(set(reader.seqs))
        assert setting.page_reads <= 10


async def test_a_line_larger_than_the_ring_comes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    setting = Setting()
    async with aclosing(setting.hub.follow("job", EVERYTHING)) as batches:
        reader = Reader(batches)
        await reader.next()
        for told in (await setting.happen(2), await setting.happen(size=5_000_000), await setting.happen(2)):
            setting.hub.hear(told)
        await reader.until(5)
        assert reader.seqs == seqs(1, 5)


async def test_a_store_that_is_away_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "RETRY_S", 0.001)
    setting = Setting()
    await setting.happen()
    async with aclosing(setting.hub.follow("job", EVERYTHING, after=0)) as batches:
        reader = Reader(batches)
        await reader.next()
        told = await setting.happen(2)
        setting.memory.fault = Unavailable("gone")
        setting.hub.hear(replace(told, rows=()))
        coming = asyncio.create_task(reader.next())
        await asyncio.sleep(0)
        setting.memory.fault = None
        await coming
        assert reader.seqs == [1, 2, 3]


async def test_a_store_that_is_away_at_the_start_is_an_error() -> None:
    setting = Setting()
    setting.memory.fault = Unavailable("gone")
    async with aclosing(setting.hub.follow("job", EVERYTHING)) as batches:
        with pytest.raises(Unavailable):
            await anext(batches)
    assert not setting.hub.tails


async def test_the_lag_is_that_of_the_reader_furthest_behind_and_ends_when_it_has_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [100.0]
    for module in (hub_module, tail_module):
        monkeypatch.setattr(module, "monotonic", lambda: clock[0])
    setting = Setting()
    await setting.happen(3)
    async with (
        aclosing(setting.hub.follow("job", EVERYTHING, after=0)) as slow_batches,
        aclosing(setting.hub.follow("job", ERRORS, after=0)) as quick_batches,
    ):
        slow, quick = Reader(slow_batches), Reader(quick_batches)
        await slow.next()
        await quick.next()
        (followed,) = setting.hub.tails
        assert followed.lag() == Lag(0, 0.0)
        clock[0] += 7
        await setting.say(4)
        waiting = asyncio.create_task(quick.next())
        await holds(lambda: followed.lag() == Lag(4, 7.0))
        await setting.say(2, level=LogLevel.ERROR)
        await waiting
        assert followed.lag() == Lag(6, 7.0)
        await slow.until(9)
        assert followed.lag() == Lag(0, 0.0)
    assert followed.lag() == Lag()


async def test_a_reader_that_waits_for_news_does_not_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    for module in (hub_module, tail_module):
        monkeypatch.setattr(module, "monotonic", lambda: clock[0])
    setting = Setting()
    await setting.happen()
    async with aclosing(setting.hub.follow("job", EVERYTHING, after=0)) as batches:
        reader = Reader(batches)
        await reader.next()
        (followed,) = setting.hub.tails
        waiting = asyncio.create_task(reader.next())
        await holds(lambda: len(followed.changed._waiters) > 0)
        clock[0] += 3600
        await setting.say()
        assert followed.lag() == Lag(1, 0.0)
        await waiting


async def test_readers_of_a_job_share_one_tail_and_the_last_takes_it_down() -> None:
    setting = Setting()
    await setting.happen()
    one, other = (setting.hub.follow("job", EVERYTHING, after=0) for _ in range(2))
    await anext(one)
    await anext(other)
    (followed,) = setting.hub.tails
    assert followed.readers == 2
    await one.aclose()
    assert setting.hub.tails == [followed]
    await other.aclose()
    assert not setting.hub.tails


async def test_a_reader_that_is_cancelled_while_it_waits_frees_the_tail() -> None:
    setting = Setting()

    async def read() -> None:
        async with aclosing(setting.hub.follow("job", EVERYTHING)) as batches:
            async for _ in batches:
                pass

    readers = [asyncio.create_task(read()) for _ in range(20)]
    await holds(lambda: [followed.readers for followed in setting.hub.tails] == [20])
    for reader in readers:
        reader.cancel()
    await asyncio.gather(*readers, return_exceptions=True)
    assert not setting.hub.tails


async def test_the_job_is_loaded_once_for_all_who_ask_after_a_change() -> None:
    setting = Setting()
    await setting.happen()
    async with setting.hub.tail("job") as followed:
        jobs = await asyncio.gather(*(followed.job() for _ in range(5)))
        assert setting.memory.reads.count(["job"]) == 2  # its position, and the job
        await setting.say()
        job = await followed.job()
        assert job is not None
        assert (job.last_seq, {found.last_seq for found in jobs if found}) == (2, {1})


async def test_a_message_that_was_overtaken_says_nothing_of_the_status() -> None:
    setting = Setting()
    early = await setting.happen()
    await setting.happen()
    async with setting.hub.tail("job") as followed:
        await setting.end()
        setting.hub.hear(early)
        assert followed.has_ended


def test_a_ring_takes_only_what_follows_on() -> None:
    ring = Ring(10)
    ring.extend([line(seq) for seq in (9, 10, 11, 12, 14, 13)])
    assert (ring.start, ring.end) == (10, 13)
    assert [row.seq for row in ring.after(11, 500)] == [12, 13]
    assert [row.seq for row in ring.after(10, 2)] == [11, 12]
    ring.skip_to(20)
    assert (ring.start, ring.end, list(ring.after(20, 9))) == (20, 20, [])


def test_a_ring_is_bounded_by_rows() -> None:
    ring = Ring(0, max_rows=100)
    for seq in range(1, 1001):
        ring.extend([line(seq)])
        assert ring.end == seq
        assert ring.end - ring.start <= 125
    assert [row.seq for row in ring.after(ring.start, 1000)] == seqs(ring.start + 1, 1000)


def test_a_ring_is_bounded_by_bytes() -> None:
    ring = Ring(0, max_bytes=10_000)
    for seq in range(1, 101):
        ring.extend([line(seq, "x" * 1000)])
        assert sum(len(row.message) for row in ring.after(ring.start, 1000)) <= 10_000
    assert ring.end - ring.start > 1
    ring.extend([line(101, "x" * 20_000)])
    assert (ring.start, ring.end) == (101, 101)


def test_what_a_ring_gives_at_a_time_is_bounded_but_never_nothing() -> None:
    ring = Ring(0, max_bytes=10 * BATCH_BYTES)
    ring.extend([line(seq, "x" * (BATCH_BYTES // 3)) for seq in (1, 2, 3)] + [line(4, "x" * 2 * BATCH_BYTES)])
    assert [row.seq for row in ring.after(0, 500)] == [1, 2]
    assert [row.seq for row in ring.after(3, 500)] == [4]


FAULTS = st.sampled_from(["told", "lost", "late", "doubled", "bare"])
STEPS = st.one_of(
    st.tuples(st.just("batch"), st.integers(0, 1), st.integers(1, 4), FAULTS),
    st.tuples(st.just("resend"), st.integers(0, 1), st.integers(0, 4), st.just("told")),
    st.tuples(st.just("pull"), st.integers(0, 2), st.just(0), st.just("told")),
    st.tuples(st.just("look"), st.just(0), st.just(0), st.just("told")),
    st.tuples(st.just("late ones"), st.just(0), st.just(0), st.just("told")),
)


class Interleaving:
    """Two writers, three readers, and a channel that does what it likes."""

    def __init__(self) -> None:
        self.setting = Setting()
        self.sent: list[list[Batch]] = [[], []]
        self.written: list[int] = [0, 0]
        self.late: list[Announcement] = []
        hub = self.setting.hub
        errors = LogFilter(min_level=LogLevel.ERROR)
        self.readers = [Reader(hub.follow("job", wanted, after=0)) for wanted in (EVERYTHING, EVERYTHING, errors)]

    async def step(self, kind: str, which: int, count: int, fault: str) -> None:
        match kind:
            case "batch":
                await self._write(which, count, fault)
            case "resend" if self.sent[which]:
                sent = self.sent[which]
                first, second = sent[-1 - count % len(sent)], sent[-1]
                await self._record(Batch(first.writer_id, tuple(dict.fromkeys(first.events + second.events))), "told")
            case "pull":
                await self._pull(self.readers[which])
            case "look":
                await self.setting.look()
            case "late ones":
                for told in self.late:
                    self.setting.hub.hear(told)
                self.late.clear()

    async def _write(self, which: int, count: int, fault: str) -> None:
        begin = self.written[which] + 1
        self.written[which] += count
        levels = list(LogLevel)
        events = (
            NumberedEvent(n, Line(job_id="job", message=f"{which}:{n}", level=levels[n % 6]))
            for n in range(begin, begin + count)
        )
        batch = Batch(UUID(int=which), tuple(events))
        self.sent[which].append(batch)
        await self._record(batch, fault)

    async def _record(self, batch: Batch, fault: str) -> None:
        told = len(self.setting.channel.announced)
        await self.setting.recorder.record(batch)
        for announcement in self.setting.channel.announced[told:]:
            if fault == "late":
                self.late.append(announcement)
            elif fault != "lost":
                bare = replace(announcement, rows=())
                for _ in range(2 if fault == "doubled" else 1):
                    self.setting.hub.hear(bare if fault == "bare" else announcement)

    async def _pull(self, reader: Reader) -> None:
        """Take a batch if one is there; a reader never waits for what is known to stand."""
        known = [followed.last_seq for followed in self.setting.hub.tails]
        if reader.last is None or (reader.last.cursor < known[0] and reader is not self.readers[2]):
            await reader.next()

    async def finish(self) -> list[TaskLog]:
        await self.setting.end()
        await self.setting.look()
        for reader in self.readers:
            await reader.to_the_end()
        return self.setting.memory.lines["job"]


@given(st.lists(STEPS, max_size=40))
def test_any_interleaving_delivers_every_line_once_and_in_order(steps: list[tuple[str, int, int, str]]) -> None:
    async def play() -> None:
        interleaving = Interleaving()
        for step in steps:
            await interleaving.step(*step)
        stored = await interleaving.finish()
        assert [row.seq for row in stored] == seqs(1, sum(interleaving.written))
        for which, written in enumerate(interleaving.written):
            said = [row.message for row in stored if row.message.startswith(f"{which}:")]
            assert said == [f"{which}:{n}" for n in seqs(1, written)]
        everything, too, errors = interleaving.readers
        assert everything.seqs == too.seqs == [row.seq for row in stored]
        assert errors.seqs == [row.seq for row in stored if row.level >= LogLevel.ERROR]
        assert not interleaving.setting.hub.tails

    asyncio.run(play())
