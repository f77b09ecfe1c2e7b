"""The buffer of unsent events: numbered in order, bounded in bytes, with a note in the log where lines were dropped.

It knows nothing of threads, sinks and time; the writer guards it by its lock.
"""

from __future__ import annotations

import sys
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any

from jobtail.events import (
    Event,
    JobFinished,
    JobProgressed,
    JobStarted,
    Line,
    LossNotice,
    NumberedEvent,
    TaskChanged,
)

EVENT_BYTES = 400
"""What an event costs beside its texts: its object, time, number and place in the queue."""
VALUE_BYTES = 32
CROWD_BATCHES = 4


@dataclass(slots=True)
class Gap:
    """What was given up of one job since its last event that was taken."""

    first_at: datetime
    last_at: datetime
    lines: int = 0
    stage: str | None = None
    progress: JobProgressed | None = None
    """The newest one is held back instead of given up."""

    def add(self, lost: LossNotice, stage: str | None) -> None:
        self.first_at = min(self.first_at, lost.first_at) if self.lines else lost.first_at
        self.last_at = max(self.last_at, lost.last_at) if self.lines else lost.last_at
        self.lines += lost.lines
        self.stage = stage

    def notice(self, job_id: str) -> Line:
        return LossNotice(lines=self.lines, first_at=self.first_at, last_at=self.last_at).line(job_id, self.stage)


class Buffer:
    """Events in order. Over the bound lines are given up and counted, events of other kinds are still taken."""

    def __init__(self, *, max_batch_events: int, max_batch_bytes: int, max_bytes: int) -> None:
        self._max_batch_events = max_batch_events
        self._max_batch_bytes = max_batch_bytes
        self._max_bytes = max_bytes
        self._crowd_events = CROWD_BATCHES * max_batch_events
        self._crowd_bytes = min(CROWD_BATCHES * max_batch_bytes, max_bytes // 2)
        self._queue: deque[tuple[Event, int]] = deque()
        self._queued_bytes = 0
        self.taken_bytes = 0
        """Of the batch that was taken out."""
        self._gaps: dict[str, Gap] = {}
        self.last_n = 0
        """The number of the newest event that was taken out."""
        self.captured = 0
        self.given_up = 0

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def has_full_batch(self) -> bool:
        return len(self._queue) >= self._max_batch_events or self._queued_bytes >= self._max_batch_bytes

    @property
    def is_crowded(self) -> bool:
        """Whether several batches wait."""
        return len(self._queue) > self._crowd_events or self._queued_bytes > self._crowd_bytes

    def offer(self, event: Event, size: int) -> bool:
        """Take an event, or give it up and say False. An empty buffer takes a line of any size."""
        self.captured += 1
        buffered = self._queued_bytes + self.taken_bytes
        if buffered and buffered + size > self._max_bytes and type(event) in _GIVEN_UP:
            self._give_up(event)
            return False
        if self._gaps:
            self._close_gap(event.job_id)
        self._append(event, size)
        return True

    def add(self, event: Event) -> int:
        """Take an event whatever the bound, and say which number it will have."""
        self.captured += 1
        self._append(event, estimated_bytes(event))
        return self.last_n + len(self._queue)

    def take(self) -> tuple[NumberedEvent, ...]:
        """Take the next batch out. Its bytes count until `free`."""
        queue, room = self._queue, self._max_batch_bytes
        taken = 0
        events: list[Event] = []
        while queue and len(events) < self._max_batch_events:
            event, size = queue[0]
            if events and taken + size > room:
                break
            queue.popleft()
            taken += size
            events.append(event)
        self._queued_bytes -= taken
        self.taken_bytes += taken
        # Numbered here and not on arrival: a signal handler that captures in the middle of a capture cannot turn the
        # numbers round.
        first_n = self.last_n + 1
        self.last_n += len(events)
        return tuple(map(NumberedEvent, count(first_n), events))

    def free(self) -> None:
        """Forget the batch that was taken out."""
        self.taken_bytes = 0

    def close_gaps(self) -> None:
        """Say in each log what was given up."""
        for job_id in list(self._gaps):
            self._close_gap(job_id)

    def _append(self, event: Event, size: int) -> None:
        self._queue.append((event, size))
        self._queued_bytes += size

    def _give_up(self, event: Event) -> None:
        at = getattr(event, "at", None) or datetime.now(UTC)
        gap = self._gaps.setdefault(event.job_id, Gap(at, at))
        if isinstance(event, JobProgressed):
            self.given_up += gap.progress is not None
            gap.progress = event
        elif isinstance(event, Line):
            self.given_up += 1
            gap.add(LossNotice(lines=1, first_at=at, last_at=at), event.stage)

    def _close_gap(self, job_id: str) -> None:
        gap = self._gaps.pop(job_id, None)
        if gap is None:
            return
        if gap.lines:
            self.add(gap.notice(job_id))
        if gap.progress is not None:
            self._append(gap.progress, EVENT_BYTES)


_GIVEN_UP = frozenset({Line, JobProgressed})


def estimated_bytes(event: Event) -> int:
    """Estimate the memory of an event.

    400 bytes, its message and the strings of its metadata as Python holds them, and 32 bytes for each other value and
    container there. The short texts of other fields are part of the 400.

    Raises:
        TypeError: if it is no event.
    """
    match event:
        case Line():
            size, metadata = EVENT_BYTES + sys.getsizeof(event.message), event.metadata
        case JobStarted():
            size, metadata = EVENT_BYTES, event.metadata
        case JobFinished():
            size, metadata = EVENT_BYTES + sys.getsizeof(event.error) + sys.getsizeof(event.result), None
        case TaskChanged():
            size, metadata = EVENT_BYTES + sys.getsizeof(event.result), None
        case JobProgressed():
            size, metadata = EVENT_BYTES, None
        case _:
            raise TypeError(f"{event!r} is no event")
    return size if metadata is None else size + _value_bytes(metadata)


def _value_bytes(value: Any) -> int:
    size = 0
    seen: set[int] = set()
    todo = [value]
    while todo:
        value = todo.pop()
        kind = type(value)
        if kind is str:
            size += sys.getsizeof(value)
            continue
        size += VALUE_BYTES
        if kind is not dict and kind is not list:
            continue
        if id(value) not in seen:
            seen.add(id(value))
            if kind is dict:
                todo.extend(value)
                todo.extend(value.values())
            else:
                todo.extend(value)
    return size
