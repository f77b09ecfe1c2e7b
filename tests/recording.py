"""A sink that keeps what it is sent, behind a client of the process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from jobtail import Batch, Event, Line, client

E = TypeVar("E", bound=Event)
LONG_S = 20.0


class RecordingSink:
    """Keeps what it is sent. `before` may refuse, fail or wait."""

    def __init__(self, before: Callable[[Batch], None] = lambda _: None) -> None:
        self.before = before
        self.events: list[Event] = []
        self.writer_ids: set[object] = set()
        self.is_closed = False
        self.renewals = 0
        self.changed = threading.Condition()

    def send(self, batch: Batch) -> None:
        self.before(batch)
        with self.changed:
            self.events += [numbered.event for numbered in batch.events]
            self.writer_ids.add(batch.writer_id)
            self.changed.notify_all()

    def flush(self, timeout_s: float) -> bool:
        return True

    def renew(self) -> None:
        self.renewals += 1

    def close(self) -> None:
        self.is_closed = True


class Recording:
    """What the process has captured since the recording began."""

    def __init__(self, sink: RecordingSink) -> None:
        self.sink = sink

    @property
    def events(self) -> list[Event]:
        assert client.flush(LONG_S)
        return list(self.sink.events)

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def lines(self) -> list[Line]:
        return self.of(Line)

    @property
    def messages(self) -> list[str]:
        return [line.message for line in self.lines]

    @property
    def line(self) -> Line:
        (line,) = self.lines
        return line


@contextmanager
def recording() -> Iterator[Recording]:
    """Let the process capture into memory meanwhile; no fault of capture goes unseen."""
    sink = RecordingSink()
    client.use(client.Client(sink))
    try:
        yield Recording(sink)
        assert client.stats().faults == 0, client.stats()
    finally:
        client.use(None)
