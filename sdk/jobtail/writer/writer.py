"""The writer: takes events from the job without delay, and sends them in batches, in order, from its own thread."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from enum import Enum, auto
from functools import partial
from threading import Condition, RLock, Thread
from types import TracebackType
from typing import Self
from uuid import UUID, uuid4

from jobtail.backoff import FIRST_PAUSE_S, LONGEST_PAUSE_S, Attempts
from jobtail.events import Event, Line, NumberedEvent
from jobtail.jsonable import named
from jobtail.masking.masked_batch import masked
from jobtail.process.fork_hooks import forks, notice_fork, renew_after_fork
from jobtail.sink import BatchRejected, Sink
from jobtail.writer.accounts import Accounts, WriterStats
from jobtail.writer.buffer import Buffer, estimated_bytes
from jobtail.writer.sender import Sender

SINK_CLOSE_S = 2.0
"""How long a close waits at least for the sink to keep what it holds: a process that leaves ends its threads."""

log = logging.getLogger("jobtail")


class _Sleep(Enum):
    """What the thread sleeps for, so that a capture wakes it only when that helps."""

    NOTHING = auto()
    ANY_EVENT = auto()
    FULL_BATCH = auto()


class Writer:
    """Sends what is captured to a sink. Use it as a context manager, or close it.

    A line that comes after a quiet `max_age_s` leaves at once. While lines keep coming one batch leaves every
    `max_age_s`, or as soon as one is full. An event waits no longer than that and the send in flight.

    `flush` and `close` block; from asyncio call them by `asyncio.to_thread`. In a forked process it begins anew: what
    waits in the parent is the parent's to send.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        max_batch_events: int = 2000,
        max_batch_bytes: int = 1 << 20,
        max_age_s: float = 0.02,
        max_buffer_bytes: int = 64 << 20,
        first_pause_s: float = FIRST_PAUSE_S,
        max_pause_s: float = LONGEST_PAUSE_S,
        close_timeout_s: float = 5.0,
        mask: Callable[[Event], Event] | None = None,
    ) -> None:
        """Make a writer; its thread starts with the first event.

        Args:
            sink: is closed with the writer.
            max_batch_events: how many events a batch holds at most.
            max_batch_bytes: and how many bytes by the estimate of `jobtail.writer.buffer`; an event larger than that goes
                alone.
            max_age_s: how long an event may wait for others to join it.
            max_buffer_bytes: what waits and what is being sent, by the same estimate. Beyond it lines are given up.
            first_pause_s: the pause after a failure; it doubles with each further one.
            max_pause_s: where the doubling ends.
            close_timeout_s: how long the end of the `with` block waits.
            mask: makes of each event the one that may leave the process; called in the writer's thread.
        """
        self._sink = sink
        self._mask = mask
        self._max_age_s = max_age_s
        self._close_timeout_s = close_timeout_s
        self._new_buffer = partial(
            Buffer,
            max_batch_events=max_batch_events,
            max_batch_bytes=max_batch_bytes,
            max_bytes=max_buffer_bytes,
        )
        self._new_attempts = partial(Attempts, first_pause_s=first_pause_s, longest_pause_s=max_pause_s)
        self._is_closed = False
        self._begin()
        renew_after_fork(self)

    def _begin(self) -> None:
        """Make all that changes, in a new process too: nothing here is read before it is made."""
        self.writer_id: UUID = uuid4()
        self._buffer = self._new_buffer()
        # Reentrant: a signal handler or a finalizer may capture while its own thread is inside a capture.
        lock = RLock()
        self._wake = Condition(lock)
        self._settled = Condition(lock)
        self._accounts = Accounts(self._buffer, self._settled)
        self._attempts = self._new_attempts(self._wake)
        self._sender = Sender(self._sink, self._attempts)
        self._thread: Thread | None = None
        self._sleep = _Sleep.NOTHING
        self._left_at = -math.inf
        self._flushing = 0
        self._has_warned_of_overflow = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close(self._close_timeout_s)

    def capture(self, event: Event) -> None:
        """Take an event to be sent. Never raises and never waits for the sink.

        Its metadata must be plain JSON values that nobody changes any more, as `jobtail.jsonable` makes them.
        """
        try:
            if forks.is_under_way or type(event) is not Line:
                notice_fork()  # not with each line: it is a twentieth of what a line costs
            size = estimated_bytes(event)
            with self._wake:
                is_first_given_up = self._accept(event, size)
                is_crowded = self._buffer.is_crowded
            if is_crowded:
                # No wait: a job that does nothing but emit leaves the writer's thread too little of the interpreter.
                time.sleep(0)
            if is_first_given_up:
                log.warning("capture gives up lines: more wait to be sent than its buffer holds")
        except Exception as error:  # noqa: BLE001 - no fault of the capture reaches the job
            self.report_fault(error)

    def report_fault(self, error: Exception) -> None:
        """Count an emission that could not be captured. The first one is logged."""
        self._accounts.note_fault(error)

    def flush(self, timeout_s: float) -> bool:
        """Wait until what was captured before has left, the sink too. Says whether it did so within `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        has_left = self.hand_over(timeout_s)
        return self._flush_sink(deadline - time.monotonic()) and has_left

    def hand_over(self, timeout_s: float) -> bool:
        """Wait until the sink has taken what was captured before. Says whether it did so within `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        if not self._wake.acquire(timeout=max(timeout_s, 0)):
            return False
        try:
            self._buffer.close_gaps()
            n = self._buffer.last_n + len(self._buffer)
            return self._wait_until_settled(n, deadline - time.monotonic())
        finally:
            self._wake.release()

    def close(self, timeout_s: float = 5.0) -> bool:
        """Send what waits, for at most `timeout_s`, and end. Says whether all of it left; the rest is dropped.

        A sink that keeps lines of its own gets what is left of the time to send them, and keeps the rest.
        """
        deadline = time.monotonic() + timeout_s
        with self._wake:
            self._buffer.close_gaps()
            was_closed, self._is_closed = self._is_closed, True
            # A refused event adds a notice behind what stood in the buffer.
            while has_sent_all := self._wait_until_settled(
                self._buffer.last_n + len(self._buffer),
                deadline - time.monotonic(),
            ):
                if self._accounts.settled_n == self._buffer.last_n and not self._buffer:
                    break
        if not was_closed:
            has_sent_all = self._flush_sink(deadline - time.monotonic()) and has_sent_all
        with self._wake:
            self._attempts.stop()
            self._settled.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(max(deadline - time.monotonic(), SINK_CLOSE_S))
        elif not was_closed:
            self._end()
        return has_sent_all

    def hold(self, timeout_s: float) -> bool:
        """Let nothing change while the process forks."""
        return self._wake.acquire(timeout=timeout_s)

    def release(self) -> None:
        """End the hold, in the parent."""
        self._wake.release()

    def renew_locks(self) -> None:
        """Leave all that changes to the parent, its locks with it."""
        self._begin()

    def renew(self) -> None:
        """Begin anew in a forked process, as another writer: the parent's events are the parent's."""
        try:
            self._sink.renew()
        except Exception as error:  # noqa: BLE001 - the child's work goes on
            self.report_fault(error)

    @property
    def in_hand_bytes(self) -> int:
        """The size of the batch that the thread is at work on, by the estimate of `jobtail.writer.buffer`."""
        return self._buffer.taken_bytes

    def stats(self) -> WriterStats:
        return self._accounts.stats()

    def _accept(self, event: Event, size: int) -> bool:
        """Put an event into the buffer. Says whether it is the first one that had to be given up."""
        if self._is_closed:
            self._accounts.note_late()
            return False
        if not self._buffer.offer(event, size):
            was_warned, self._has_warned_of_overflow = self._has_warned_of_overflow, True
            return not was_warned
        if self._thread is None:
            self._start()
        elif self._sleep is _Sleep.ANY_EVENT or (self._sleep is _Sleep.FULL_BATCH and self._buffer.has_full_batch):
            self._sleep = _Sleep.NOTHING
            self._wake.notify_all()
        return False

    def _start(self) -> None:
        # A context of its own: what a sink logs belongs to no job.
        thread = Thread(target=Context().run, args=(self._run,), name="jobtail-writer", daemon=True)
        with suppress(RuntimeError):  # the interpreter ends, or has too many: whoever waits sends what waits
            thread.start()
            self._thread = thread

    def _send_here(self) -> None:
        """Send what waits from this thread, until the sink fails: there is no other."""
        while self._buffer and self._thread is None:
            for attempt in self._sender.deliver(self.writer_id, self._masked(self._buffer.take())):
                self._accounts.note(attempt)
                if attempt.error is not None and not isinstance(attempt.error, BatchRejected):
                    return
            self._buffer.free()

    def _masked(self, events: tuple[NumberedEvent, ...]) -> tuple[NumberedEvent, ...]:
        return events if self._mask is None else masked(events, self._mask, self.report_fault)

    def _wait_until_settled(self, n: int, timeout_s: float) -> bool:
        if self._thread is None and not self._attempts.is_stopped:
            self._send_here()
        self._flushing += 1
        self._attempts.hurry()
        try:
            self._settled.wait_for(
                lambda: self._accounts.settled_n >= n or self._attempts.is_stopped, max(timeout_s, 0)
            )
        finally:
            self._flushing -= 1
        return self._accounts.settled_n >= n

    def _flush_sink(self, timeout_s: float) -> bool:
        try:
            return self._sink.flush(max(timeout_s, 0))
        except Exception as error:  # noqa: BLE001 - no fault of the capture reaches the job
            self.report_fault(error)
            return False

    def _run(self) -> None:
        while events := self._next_batch():
            for attempt in self._sender.deliver(self.writer_id, self._masked(events)):
                self._accounts.note(attempt)
            with self._wake:
                self._buffer.free()
        self._end()

    def _next_batch(self) -> tuple[NumberedEvent, ...]:
        """Wait for a batch that is due. Empty when the writer ends."""
        with self._wake:
            while not self._attempts.is_stopped:
                if not self._buffer:
                    self._buffer.close_gaps()
                    self._has_warned_of_overflow = False
                if not self._buffer:
                    self._sleep_for(_Sleep.ANY_EVENT, None)
                    continue
                due_in_s = self._left_at + self._max_age_s - time.monotonic()
                if due_in_s <= 0 or self._flushing or self._buffer.has_full_batch:
                    self._left_at = time.monotonic()
                    return self._buffer.take()
                self._sleep_for(_Sleep.FULL_BATCH, due_in_s)
        return ()

    def _sleep_for(self, what: _Sleep, timeout_s: float | None) -> None:
        self._sleep = what
        self._wake.wait(timeout_s)
        self._sleep = _Sleep.NOTHING

    def _end(self) -> None:
        self._accounts.close()
        try:
            self._sink.close()
        except Exception as error:  # noqa: BLE001 - nobody is left to be told
            log.warning("the sink of capture did not close: %s", named(error))
