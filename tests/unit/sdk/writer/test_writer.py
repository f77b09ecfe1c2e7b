"""The writer sends what is captured once and in order, whatever the sink does, and never holds up the job."""

from __future__ import annotations

import logging
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from threading import Event as Flag
from threading import Thread
from typing import Any

import pytest

from jobtail import (
    Batch,
    BatchRejected,
    Event,
    JobFinished,
    JobProgressed,
    JobStarted,
    JobStatus,
    Line,
    LogLevel,
    SinkUnavailable,
    TaskChanged,
    TaskStatus,
    Writer,
)
from jobtail.writer.buffer import estimated_bytes
from jobtail.writer.writer import _Sleep

LONG_S = 20.0
"""How long a test waits for what must happen; none of them takes it."""
NEVER_S = 3600.0


class ListSink:
    """Keeps what it is sent. `before` may refuse, fail or wait."""

    def __init__(self, before: Callable[[Batch], None] = lambda _: None) -> None:
        self.before = before
        self.batches: list[Batch] = []
        self.times: list[float] = []
        self.closed = 0
        self.changed = threading.Condition()

    def send(self, batch: Batch) -> None:
        arrived = time.monotonic()
        self.before(batch)
        with self.changed:
            self.batches.append(batch)
            self.times.append(arrived)
            self.changed.notify_all()

    def flush(self, timeout_s: float) -> bool:
        return True

    def renew(self) -> None:
        pass

    def close(self) -> None:
        self.closed += 1

    def wait_for(self, condition: Callable[[ListSink], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: condition(self), LONG_S)

    @property
    def events(self) -> list[Event]:
        return [numbered.event for batch in self.batches for numbered in batch.events]

    @property
    def messages(self) -> list[str]:
        return [event.message for event in self.events if isinstance(event, Line)]

    @property
    def numbers(self) -> list[int]:
        return [numbered.n for batch in self.batches for numbered in batch.events]

    @property
    def sizes(self) -> list[int]:
        return [len(batch.events) for batch in self.batches]


class Gate:
    """A sink's `before` that holds every batch until it is opened."""

    def __init__(self) -> None:
        self.reached = Flag()
        self.opened = Flag()

    def __call__(self, batch: Batch) -> None:
        del batch
        self.reached.set()
        assert self.opened.wait(LONG_S)


def line(message: str, *, job_id: str = "JB_1", **more: Any) -> Line:
    return Line(job_id=job_id, message=message, **more)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def poison(batch: Batch) -> None:
    if any(isinstance(item.event, Line) and item.event.message == "poison" for item in batch.events):
        raise BatchRejected("there is a poison in it")


def assert_counts_add_up(writer: Writer) -> None:
    stats = writer.stats()
    assert stats.captured == stats.sent + stats.dropped + stats.waiting


def test_what_is_captured_is_sent_in_order_with_rising_numbers() -> None:
    sink = ListSink()
    with Writer(sink) as writer:
        for number in range(2000):
            writer.capture(line(str(number)))
    assert sink.messages == [str(number) for number in range(2000)]
    assert sink.numbers == list(range(1, 2001))
    assert {batch.writer_id for batch in sink.batches} == {writer.writer_id}
    assert sink.closed == 1
    stats = writer.stats()
    assert (stats.captured, stats.sent, stats.dropped, stats.waiting, stats.last_error) == (2000, 2000, 0, 0, None)


def test_a_lone_line_leaves_at_once_and_the_next_ones_travel_together() -> None:
    sink = ListSink()
    with Writer(sink, max_age_s=NEVER_S, max_batch_events=10) as writer:
        writer.capture(line("first"))
        sink.wait_for(lambda sink: sink.sizes == [1])
        writer.capture(line("second"))
        wait_until(lambda: writer._sleep is _Sleep.FULL_BATCH)
        for number in range(9):
            writer.capture(line(str(number)))
        sink.wait_for(lambda sink: sink.sizes == [1, 10])  # it was full before it was old
        writer.capture(line("last"))
        assert writer.flush(LONG_S)
        assert sink.sizes == [1, 10, 1]


def test_a_batch_is_full_by_its_bytes_too() -> None:
    sink = ListSink()
    size = estimated_bytes(line("x" * 1000))
    with Writer(sink, max_age_s=NEVER_S, max_batch_bytes=3 * size) as writer:
        writer.capture(line("first"))
        sink.wait_for(lambda sink: sink.sizes == [1])
        for _ in range(3):
            writer.capture(line("x" * 1000))
        sink.wait_for(lambda sink: sink.sizes == [1, 3])
        writer.capture(line("y" * 10_000))  # larger than a batch may be: goes alone
        sink.wait_for(lambda sink: sink.sizes == [1, 3, 1])


def test_lines_that_follow_closely_leave_when_the_age_is_reached() -> None:
    sink = ListSink()
    with Writer(sink, max_age_s=0.05) as writer:
        writer.capture(line("first"))
        sink.wait_for(lambda sink: sink.sizes == [1])
        writer.capture(line("second"))
        writer.capture(line("third"))
        captured_at = time.monotonic()
        sink.wait_for(lambda sink: len(sink.messages) == 3)
        assert sink.times[1] - sink.times[0] >= 0.045
        assert sink.times[1] - captured_at < 1  # on a crowded machine, too
        assert sink.sizes == [1, 2]


def test_an_idle_writer_uses_no_processor() -> None:
    sink = ListSink()
    with Writer(sink, max_age_s=0.001) as writer:
        writer.capture(line("first"))
        sink.wait_for(lambda sink: sink.sizes == [1])
        asleep = Flag()
        waits: list[float | None] = []
        original = writer._wake.wait

        def counting(timeout: float | None = None) -> bool:
            waits.append(timeout)
            asleep.set()
            return original(timeout)

        writer._wake.wait = counting  # type: ignore[method-assign]
        writer.capture(line("second"))
        sink.wait_for(lambda sink: len(sink.messages) == 2)
        assert asleep.wait(LONG_S)
        assert waits[-1] is None


def test_eight_threads_and_a_flapping_sink_lose_nothing_and_repeat_nothing() -> None:
    flips = random.Random(7)

    def flap(batch: Batch) -> None:
        del batch
        if flips.random() < 0.5:
            raise flips.choice([SinkUnavailable(), SinkUnavailable(retry_after_s=0.001), ZeroDivisionError("a defect")])

    sink = ListSink(flap)
    start = threading.Barrier(8)

    def speak(writer: Writer, thread: int) -> None:
        start.wait(LONG_S)
        for number in range(2000):
            writer.capture(line(f"{thread} {number}", job_id=f"JB_{thread % 3}"))

    with Writer(sink, max_age_s=0.002, first_pause_s=0.001, max_pause_s=0.002, close_timeout_s=60) as writer:
        threads = [Thread(target=speak, args=(writer, thread)) for thread in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LONG_S)
    assert sink.numbers == list(range(1, 16_001))
    for thread_number in range(8):
        spoken = [message for message in sink.messages if message.startswith(f"{thread_number} ")]
        assert spoken == [f"{thread_number} {number}" for number in range(2000)]
    assert writer.stats().sent == 16_000


def test_a_batch_that_failed_is_sent_again_unchanged_before_any_other() -> None:
    seen: list[Batch] = []
    later = Flag()

    def fail_three_times(batch: Batch) -> None:
        seen.append(batch)
        if len(seen) == 1:
            assert later.wait(LONG_S)
        if len(seen) <= 3:
            raise SinkUnavailable

    sink = ListSink(fail_three_times)
    with Writer(sink, first_pause_s=0.001) as writer:
        writer.capture(line("one"))
        wait_until(lambda: bool(seen))
        writer.capture(line("two"))
        later.set()
    assert seen[0] == seen[1] == seen[2] == seen[3]
    assert sink.messages == ["one", "two"]


def test_a_sink_that_names_its_pause_is_left_alone_for_it() -> None:
    tries: list[float] = []

    def fail_once(batch: Batch) -> None:
        del batch
        tries.append(time.monotonic())
        if len(tries) == 1:
            raise SinkUnavailable(retry_after_s=0.1)

    with Writer(ListSink(fail_once), first_pause_s=0.001) as writer:
        writer.capture(line("one"))
        assert writer.flush(LONG_S)
    assert tries[1] - tries[0] >= 0.1


def test_who_waits_does_not_end_a_pause_that_the_sink_named() -> None:
    tries: list[Batch] = []

    def fail(batch: Batch) -> None:
        tries.append(batch)
        raise SinkUnavailable(retry_after_s=NEVER_S)

    writer = Writer(ListSink(fail))
    writer.capture(line("one"))
    wait_until(lambda: bool(tries))
    assert not writer.flush(0.05)
    assert not writer.close(0.05)
    assert len(tries) == 1


def test_each_failure_in_a_row_makes_the_pause_longer() -> None:
    tries: list[float] = []

    def fail_five_times(batch: Batch) -> None:
        del batch
        tries.append(time.monotonic())
        if len(tries) <= 5:
            raise SinkUnavailable

    sink = ListSink(fail_five_times)
    with Writer(sink, first_pause_s=0.01) as writer:
        writer.capture(line("one"))
        sink.wait_for(lambda sink: sink.messages == ["one"])
    assert tries[5] - tries[4] >= 0.01 * 2**4 / 2


def test_who_waits_for_the_writer_ends_its_pause() -> None:
    failed = Flag()

    def fail_once(batch: Batch) -> None:
        del batch
        if not failed.is_set():
            failed.set()
            raise SinkUnavailable

    sink = ListSink(fail_once)
    writer = Writer(sink, first_pause_s=NEVER_S, max_pause_s=NEVER_S)
    writer.capture(line("one"))
    assert failed.wait(LONG_S)
    assert writer.close(LONG_S)
    assert sink.messages == ["one"]


def test_a_stuck_sink_does_not_hold_up_the_job() -> None:
    gate = Gate()
    sink = ListSink(gate)
    with Writer(sink) as writer:
        writer.capture(line("first"))
        assert gate.reached.wait(LONG_S)
        started = time.monotonic()
        for number in range(5000):
            writer.capture(line(str(number)))
        assert time.monotonic() - started < 5
        assert not writer.flush(0.01)
        assert writer.stats().waiting == 5001
        gate.opened.set()
    assert sink.messages == ["first", *map(str, range(5000))]


def test_over_the_bound_lines_are_given_up_and_the_log_says_so() -> None:
    gate = Gate()
    sink = ListSink(gate)
    size = estimated_bytes(line("x" * 1000))
    with Writer(sink, max_buffer_bytes=10 * size) as writer:
        writer.capture(line("x" * 1000))
        assert gate.reached.wait(LONG_S)
        times = [datetime(2025, 1, 15, 10, 30, second, tzinfo=UTC) for second in range(15)]
        for at in times:
            writer.capture(line("x" * 1000, stage="fetch", at=at))
        writer.capture(line("x" * 1000, job_id="JB_2", at=times[0]))
        for current in range(5):
            writer.capture(JobProgressed(job_id="JB_1", current=current))
        writer.capture(TaskChanged(job_id="JB_1", stage="fetch", task_id="T", status=TaskStatus.RUNNING))
        writer.capture(JobFinished(job_id="JB_1", status=JobStatus.COMPLETED))
        writer.capture(JobProgressed(job_id="JB_3", current=1))
        assert_counts_add_up(writer)
        assert writer.stats().dropped == 6 + 1 + 4
        gate.opened.set()
    events = [event for event in sink.events if event.job_id == "JB_1"]
    assert sink.messages.count("x" * 1000) == 10
    notice, progress, task, finish = events[10:]
    assert notice == Line(
        job_id="JB_1",
        message="6 lines dropped between 2025-01-15T10:30:09.000000Z and 2025-01-15T10:30:14.000000Z",
        level=LogLevel.WARNING,
        stage="fetch",
        at=notice.at if isinstance(notice, Line) else None,
        metadata={"dropped": 6, "from": "2025-01-15T10:30:09.000000Z", "until": "2025-01-15T10:30:14.000000Z"},
    )
    assert progress == JobProgressed(job_id="JB_1", current=4)
    assert isinstance(task, TaskChanged)
    assert isinstance(finish, JobFinished)
    (other,) = [event for event in sink.events if event.job_id == "JB_2"]
    assert isinstance(other, Line)
    assert other.message.startswith("1 line dropped between ")
    assert [event for event in sink.events if event.job_id == "JB_3"] == [JobProgressed(job_id="JB_3", current=1)]
    assert sink.numbers == list(range(1, len(sink.numbers) + 1))
    assert_counts_add_up(writer)


def test_a_line_larger_than_the_bound_is_taken_when_nothing_waits() -> None:
    sink = ListSink()
    with Writer(sink, max_buffer_bytes=1000) as writer:
        writer.capture(line("x" * 100_000))
    assert sink.messages == ["x" * 100_000]


def test_of_a_refused_batch_only_the_guilty_events_are_dropped(caplog: pytest.LogCaptureFixture) -> None:
    sink = ListSink(poison)
    with Writer(sink, max_age_s=NEVER_S) as writer:
        writer.capture(line("first"))
        sink.wait_for(lambda sink: sink.sizes == [1])
        for number in range(100):
            writer.capture(line("poison" if number in {0, 63, 99} else str(number), stage="read"))
        assert writer.flush(LONG_S)
    good = [str(number) for number in range(100) if number not in {0, 63, 99}]
    assert sink.messages[:98] == ["first", *good]
    notices = [event for event in sink.events[98:] if isinstance(event, Line)]
    assert [(notice.level, notice.stage) for notice in notices] == [(LogLevel.WARNING, "read")] * 3
    assert notices[0].metadata == {"refused": "Line", "n": 2, "reason": "there is a poison in it"}
    assert sink.numbers == sorted(set(sink.numbers))
    assert writer.stats().dropped == 3
    assert_counts_add_up(writer)
    assert "is refused" in caplog.text or "was refused" in caplog.text


def test_a_refused_notice_makes_no_further_notice() -> None:
    def refuse(batch: Batch) -> None:
        raise BatchRejected("never")

    sink = ListSink(refuse)
    writer = Writer(sink)
    for number in range(10):
        writer.capture(line(str(number)))
    assert writer.close(LONG_S)
    assert writer.stats().captured == writer.stats().dropped == 20


def test_the_process_hears_once_that_capture_fails_and_once_that_it_works(caplog: pytest.LogCaptureFixture) -> None:
    failures = iter([True] * 20)

    def fail_for_a_while(batch: Batch) -> None:
        del batch
        if next(failures, False):
            raise SinkUnavailable("the service is away")

    with Writer(ListSink(fail_for_a_while), first_pause_s=0.001, max_pause_s=0.001) as writer:
        for number in range(3):
            writer.capture(line(str(number)))
            assert writer.flush(LONG_S)
    texts = [record.getMessage() for record in caplog.records if record.name == "jobtail"]
    assert len(texts) == 2
    assert "SinkUnavailable: the service is away" in texts[0]
    assert "can send again" in texts[1]
    assert writer.stats().last_error == "SinkUnavailable: the service is away"


def test_a_close_gives_up_at_its_timeout_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    def fail(batch: Batch) -> None:
        raise SinkUnavailable

    sink = ListSink(fail)
    writer = Writer(sink, first_pause_s=0.001, max_pause_s=0.001)
    for number in range(3):
        writer.capture(line(str(number)))
    assert not writer.close(0.05)
    thread = writer._thread
    assert thread is not None
    thread.join(LONG_S)
    assert not thread.is_alive()
    assert sink.closed == 1
    assert (writer.stats().dropped, writer.stats().waiting) == (3, 0)
    assert "3 events are dropped" in caplog.text


def test_after_the_close_a_capture_is_counted_and_nothing_else() -> None:
    sink = ListSink()
    writer = Writer(sink)
    assert writer.close(LONG_S)
    writer.capture(line("late"))
    assert writer.close(LONG_S)
    assert sink.closed == 1
    assert sink.batches == []
    assert (writer.stats().captured, writer.stats().dropped) == (1, 1)
    assert writer._thread is None


def test_what_cannot_be_captured_is_counted_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    with Writer(ListSink()) as writer:
        for _ in range(3):
            writer.capture(None)  # type: ignore[arg-type]
        writer.capture(line("fine"))
    assert writer.stats().faults == 3
    assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) == 1


def test_a_signal_handler_that_captures_in_the_middle_of_a_capture_neither_blocks_nor_disorders() -> None:
    sink = ListSink()
    with Writer(sink) as writer:
        handled: list[int] = []

        def handler(*_: object) -> None:
            handled.append(1)
            writer.capture(line("from the handler"))

        previous = signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        try:
            for number in range(20_000):
                writer.capture(line(str(number)))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, previous)
    assert handled
    assert sink.numbers == list(range(1, 20_001 + len(handled)))
    assert [message for message in sink.messages if message != "from the handler"] == [str(n) for n in range(20_000)]


def test_the_estimate_grows_with_what_an_event_holds() -> None:
    empty = estimated_bytes(line(""))
    assert estimated_bytes(line("x" * 1000)) - empty == 1000
    nested = {"items": ["y" * 500, {"deep": "z" * 500}]}
    assert estimated_bytes(line("", metadata=nested)) - empty > 1000 + sys.getsizeof("")
    knot: dict[str, Any] = {}
    knot["self"] = knot
    assert estimated_bytes(line("", metadata=knot)) > empty
    assert estimated_bytes(JobFinished(job_id="J", status=JobStatus.FAILED, error="e" * 1000)) > 1000


class KeepingSink(ListSink):
    """A sink that keeps what it takes, and needs time to be rid of it."""

    def __init__(self) -> None:
        super().__init__()
        self.flushes: list[float] = []
        self.answer = True

    def flush(self, timeout_s: float) -> bool:
        self.flushes.append(timeout_s)
        return self.answer


def test_where_no_thread_can_be_started_the_close_sends_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in an exit handler of a Python that ends."""

    def refuse(thread: Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(Thread, "start", refuse)
    sink = ListSink()
    writer = Writer(sink, max_batch_events=2)
    for number in range(5):
        writer.capture(line(str(number)))
    assert writer.stats().faults == 0
    assert writer.close(LONG_S)
    assert sink.messages == ["0", "1", "2", "3", "4"]
    assert sink.numbers == [1, 2, 3, 4, 5]


def test_without_a_thread_and_with_a_sink_that_fails_the_close_comes_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: Thread) -> None:
        raise RuntimeError("can't start new thread")

    def fail(batch: Batch) -> None:
        raise SinkUnavailable

    monkeypatch.setattr(Thread, "start", refuse)
    writer = Writer(ListSink(fail))
    writer.capture(line("lost"))
    assert not writer.close(0.05)
    assert writer.stats().dropped == 1


def test_a_flush_holds_to_its_deadline_though_a_lock_is_never_freed() -> None:
    writer, held, freed = Writer(ListSink()), Flag(), Flag()

    def hold() -> None:
        with writer._wake:
            held.set()
            freed.wait(LONG_S)

    holder = Thread(target=hold)
    holder.start()
    assert held.wait(LONG_S)
    began = time.monotonic()
    assert not writer.flush(0.05)
    assert time.monotonic() - began < LONG_S / 2
    freed.set()
    holder.join(LONG_S)
    assert writer.close(LONG_S)


def test_a_flush_and_a_close_ask_the_sink_too_and_for_the_time_that_is_left() -> None:
    sink = KeepingSink()
    writer = Writer(sink)
    writer.capture(line("one"))
    assert writer.flush(LONG_S)
    assert 0 < sink.flushes[0] <= LONG_S
    sink.answer = False
    assert not writer.flush(LONG_S)
    assert not writer.close(LONG_S)
    assert len(sink.flushes) == 3
    assert sink.closed == 1
    assert writer.stats().sent == 1


def test_events_are_masked_in_the_writers_thread_once_however_often_they_are_sent() -> None:
    seen: list[tuple[str, str]] = []

    def mask(event: Event) -> Event:
        assert isinstance(event, Line)
        seen.append((event.message, threading.current_thread().name))
        return replace(event, message=event.message.replace("secret", "***"))

    tries: list[Batch] = []

    def fail_once(batch: Batch) -> None:
        tries.append(batch)
        if len(tries) == 1:
            raise SinkUnavailable

    sink = ListSink(fail_once)
    with Writer(sink, mask=mask, first_pause_s=0.001) as writer:
        writer.capture(line("a secret"))
    assert sink.messages == ["a ***"]
    assert tries[0] == tries[1]
    assert seen == [("a secret", "jobtail-writer")]


def test_what_cannot_be_masked_is_withheld_and_not_lost(caplog: pytest.LogCaptureFixture) -> None:
    def fail(event: Event) -> Event:
        raise RecursionError("too deep")

    at = datetime(2025, 1, 15, tzinfo=UTC)
    sink = ListSink()
    with Writer(sink, mask=fail) as writer:
        writer.capture(JobStarted(job_id="J", handler_name="hunter2", metadata={"a": "hunter2"}, total=3, at=at))
        writer.capture(
            line("hunter2", job_id="J", stage="hunter2", task_id="hunter2", metadata={"a": "hunter2"}, at=at)
        )
        writer.capture(TaskChanged(job_id="J", stage="hunter2", task_id="hunter2", status=TaskStatus.FAILED, at=at))
        writer.capture(JobProgressed(job_id="J", current=1))
        writer.capture(JobFinished(job_id="J", status=JobStatus.FAILED, error="hunter2", at=at))
    assert "hunter2" not in repr(sink.events)
    assert [type(event) for event in sink.events] == [JobStarted, Line, Line, JobProgressed, JobFinished]
    assert sink.messages[0] == "withheld: it could not be searched for secrets"
    assert sink.events[-1] == JobFinished(job_id="J", status=JobStatus.FAILED, error=sink.messages[0], at=at)
    assert writer.stats().faults == 5
    assert writer.stats().sent == 5


def test_a_job_that_does_nothing_but_emit_leaves_the_writer_enough_of_the_interpreter() -> None:
    def work(batch: Batch) -> None:
        for item in batch.events:
            repr(item)

    with Writer(ListSink(work), max_buffer_bytes=2 << 20, close_timeout_s=LONG_S) as writer:
        for number in range(20_000):
            writer.capture(line(f"line {number}"))
    stats = writer.stats()
    assert (stats.sent, stats.dropped) == (20_000, 0)


def test_a_close_without_time_still_waits_for_the_sink_to_keep_what_it_holds() -> None:
    class SlowToClose(KeepingSink):
        def close(self) -> None:
            Flag().wait(0.2)
            super().close()

    sink = SlowToClose()
    writer = Writer(sink)
    writer.capture(line("one"))
    assert writer.flush(LONG_S)
    writer.close(0)
    assert sink.closed == 1
