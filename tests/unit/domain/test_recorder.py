"""Store, then announce: what a recorder does with batches of all kinds."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from domain.announcements import Announcement
from domain.errors import InvalidInput, Unavailable
from domain.recorder import Recorded, Recorder, SeqRange
from jobtail.events import Batch, Event, JobFinished, JobStarted, JobStatus, Line, LogLevel, NumberedEvent
from tests.fakes import Memory, MemoryChannel, MemoryLogStore

NOW = datetime(2026, 11, 22, 20, 33, 58, 123456, tzinfo=UTC)


class Setting:
    def __init__(self) -> None:
        self.memory = Memory()
        self.channel = MemoryChannel()
        self.recorder = Recorder(MemoryLogStore(self.memory), self.channel, clock=lambda: NOW)
        self.writer = uuid4()

    def batch(self, *events: Event, first_n: int = 1, writer: UUID | None = None) -> Batch:
        numbered = (NumberedEvent(n, event) for n, event in enumerate(events, first_n))
        return Batch(writer or self.writer, tuple(numbered))

    def messages(self, job_id: str = "job") -> list[str]:
        return [row.message for row in self.memory.lines[job_id]]


def line(message: str, job_id: str = "job") -> Line:
    return Line(job_id=job_id, message=message)


async def test_what_is_stored_is_announced_as_it_is_stored() -> None:
    setting = Setting()
    start = JobStarted(job_id="job", handler_name="ingest", execution_id="run-1")
    said = Line(job_id="job", message="a", stage="score", task_id="c-1", level=LogLevel.ERROR, metadata={"b": 1})
    assert await setting.recorder.record(setting.batch(start, said, line("c"))) == Recorded(3, 0)
    (told,) = setting.channel.announced
    assert (told.first_seq, told.last_seq, told.status) == (1, 2, JobStatus.RUNNING)
    assert list(told.rows) == setting.memory.lines["job"]
    assert told.rows[1].timestamp == NOW


async def test_the_numbers_of_a_job_go_on_from_batch_to_batch() -> None:
    setting = Setting()
    for n in (1, 3, 5):
        await setting.recorder.record(setting.batch(line(f"{n}"), line(f"{n + 1}"), first_n=n))
    ranges = [(told.first_seq, told.last_seq) for told in setting.channel.announced]
    assert ranges == [(1, 2), (3, 4), (5, 6)]
    assert setting.messages() == ["1", "2", "3", "4", "5", "6"]


async def test_a_batch_of_several_jobs_is_stored_job_by_job_in_order() -> None:
    setting = Setting()
    events = [line(f"{n}", job_id=["one", "two"][n % 2]) for n in range(6)]
    assert await setting.recorder.record(setting.batch(*events)) == Recorded(6, 0)
    assert (setting.messages("one"), setting.messages("two")) == (["0", "2", "4"], ["1", "3", "5"])
    assert [told.job_id for told in setting.channel.announced] == ["one", "two"]


async def test_a_batch_sent_again_is_skipped_and_not_announced() -> None:
    setting = Setting()
    batch = setting.batch(line("a"), line("b", "other"), line("c"))
    await setting.recorder.record(batch)
    assert await setting.recorder.record(batch) == Recorded(0, 3)
    assert (setting.messages(), setting.messages("other")) == (["a", "c"], ["b"])
    assert len(setting.channel.announced) == 2


async def test_of_a_batch_partly_seen_the_rest_is_stored() -> None:
    setting = Setting()
    await setting.recorder.record(setting.batch(line("1"), line("2")))
    assert await setting.recorder.record(setting.batch(line("2"), line("3"), line("4"), first_n=2)) == Recorded(2, 1)
    assert setting.messages() == ["1", "2", "3", "4"]
    told = setting.channel.announced[-1]
    assert (told.first_seq, told.last_seq, len(told.rows)) == (3, 4, 2)


async def test_a_fault_between_two_jobs_leaves_a_batch_that_may_be_sent_again() -> None:
    setting = Setting()
    await setting.recorder.record(setting.batch(line("a", "one")))
    setting.memory.fault = Unavailable("gone")
    whole = setting.batch(line("a", "one"), line("b", "two"))
    with pytest.raises(Unavailable):
        await setting.recorder.record(whole)
    assert len(setting.channel.announced) == 1
    setting.memory.fault = None
    assert await setting.recorder.record(whole) == Recorded(1, 1)
    assert (setting.messages("one"), setting.messages("two")) == (["a"], ["b"])


async def test_a_large_batch_is_stored_by_statements_of_bounded_size() -> None:
    setting = Setting()
    logs = MemoryLogStore(setting.memory)
    recorder = Recorder(logs, setting.channel, statement_events=2)
    batch = setting.batch(*(line(f"{n}") for n in range(5)))
    assert await recorder.record(batch) == Recorded(5, 0)
    assert setting.messages() == ["0", "1", "2", "3", "4"]
    assert [(told.first_seq, told.last_seq) for told in setting.channel.announced] == [(1, 2), (3, 4), (5, 5)]
    assert await recorder.record(batch) == Recorded(0, 5)


async def test_a_large_batch_of_which_a_fault_left_a_part_is_stored_once() -> None:
    setting = Setting()
    await setting.recorder.record(setting.batch(*(line(f"{n}") for n in range(3))))
    recorder = Recorder(MemoryLogStore(setting.memory), setting.channel, statement_events=2)
    assert await recorder.record(setting.batch(*(line(f"{n}") for n in range(5)))) == Recorded(2, 3)
    assert setting.messages() == ["0", "1", "2", "3", "4"]


async def test_a_status_without_a_line_is_announced_without_rows() -> None:
    setting = Setting()
    await setting.recorder.record(setting.batch(line("a")))
    end = JobFinished(job_id="job", status=JobStatus.FAILED, error="no text")
    await setting.recorder.record(setting.batch(end, first_n=2))
    told = setting.channel.announced[-1]
    assert (told.first_seq, told.last_seq, told.status, told.rows) == (2, 1, JobStatus.FAILED, ())


async def test_who_follows_the_job_here_is_told_of_lines_at_once_and_of_the_rest_by_the_channel() -> None:
    setting = Setting()
    rung: list[Announcement] = []
    recorder = Recorder(MemoryLogStore(setting.memory), setting.channel, ring=rung.append)
    await recorder.record(setting.batch(line("a")))
    await recorder.record(setting.batch(JobFinished(job_id="job", status=JobStatus.COMPLETED), first_n=2))
    assert rung == setting.channel.announced[:1]
    assert len(setting.channel.announced) == 2


async def test_an_empty_batch_is_nothing() -> None:
    setting = Setting()
    assert await setting.recorder.record(setting.batch()) == Recorded(0, 0)
    assert not setting.channel.announced


async def test_events_without_a_writer_are_stored_each_time_and_their_numbers_told() -> None:
    setting = Setting()
    assert await setting.recorder.record_job("job", [line("a"), line("b")]) == SeqRange(1, 2)
    assert await setting.recorder.record_job("job", [line("a"), line("b")]) == SeqRange(3, 4)
    end = JobFinished(job_id="job", status=JobStatus.COMPLETED)
    assert await setting.recorder.record_job("job", [end]) == SeqRange(5, 4)
    assert len(setting.channel.announced) == 3


async def test_a_job_id_that_cannot_be_stored_is_replaced_and_an_empty_one_refused() -> None:
    setting = Setting()
    await setting.recorder.record(setting.batch(line("a", "j\x00b")))
    assert setting.messages("j\u2400b") == ["a"]
    with pytest.raises(InvalidInput, match="empty"):
        await setting.recorder.record_job("", [line("a", "")])
