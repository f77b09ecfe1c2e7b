"""The sender: hands batches to the sink until it takes or refuses them, with pauses between. It keeps no books."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from uuid import UUID

from jobtail.backoff import Attempts
from jobtail.events import Batch, NumberedEvent
from jobtail.sink import BatchRejected, Sink, SinkUnavailable


class Delivery(NamedTuple):
    """What became of events that were sent."""

    events: tuple[NumberedEvent, ...]
    error: BaseException | None
    """None: they were taken. A BatchRejected: the one event never will be. Another one: they will be sent again."""


class Sender:
    """Sends from one thread, which others hurry and stop by its `attempts`."""

    def __init__(self, sink: Sink, attempts: Attempts) -> None:
        self.attempts = attempts
        self._sink = sink

    def deliver(self, writer_id: UUID, events: tuple[NumberedEvent, ...]) -> Iterator[Delivery]:
        """Send a batch; where it is refused, its halves. Yields before each pause, and ends early when stopped."""
        parts = [events]
        while parts and not self.attempts.is_stopped:
            part = parts.pop()
            self.attempts.begin()
            error = self._send(Batch(writer_id, part))
            if isinstance(error, BatchRejected) and len(part) > 1:
                middle = len(part) // 2
                parts += [part[middle:], part[:middle]]
                self.attempts.succeed()
                continue
            yield Delivery(part, error)
            if error is None or isinstance(error, BatchRejected):
                self.attempts.succeed()
                continue
            parts.append(part)
            self.attempts.pause(error.retry_after_s if isinstance(error, SinkUnavailable) else None)

    def _send(self, batch: Batch) -> BaseException | None:
        try:
            self._sink.send(batch)
        except BaseException as error:  # noqa: BLE001 - a writer whose thread dies loses every further line
            return error
        return None
