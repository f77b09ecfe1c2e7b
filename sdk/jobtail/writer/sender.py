"""The sender: hands batches to the sink until it takes or refuses them, with pauses between. It keeps no books."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from threading import Condition
from typing import NamedTuple
from uuid import UUID

from jobtail.events import Batch, NumberedEvent
from jobtail.sink import BatchRejected, Sink, SinkUnavailable

MAX_RETRY_AFTER_S = 60.0
"""A sink that asks for a longer pause is asked again after this one."""


class Delivery(NamedTuple):
    """What became of events that were sent."""

    events: tuple[NumberedEvent, ...]
    error: BaseException | None
    """None: they were taken. A BatchRejected: the one event never will be. Another one: they will be sent again."""


class Sender:
    """Sends from one thread; others hurry and stop it. `wake` is notified whenever it should look up from a pause."""

    def __init__(self, sink: Sink, wake: Condition, *, first_pause_s: float, max_pause_s: float) -> None:
        self.is_stopped = False
        self._sink = sink
        self._wake = wake
        self._first_pause_s = first_pause_s
        self._max_pause_s = max_pause_s
        self._hurries = 0

    def hurry(self) -> None:
        """End the pause, unless the sink named it: somebody waits."""
        with self._wake:
            self._hurries += 1
            self._wake.notify_all()

    def stop(self) -> None:
        """Let the attempt in flight be the last one."""
        with self._wake:
            self.is_stopped = True
            self._wake.notify_all()

    def deliver(self, writer_id: UUID, events: tuple[NumberedEvent, ...]) -> Iterator[Delivery]:
        """Send a batch; where it is refused, its halves. Yields before each pause, and ends early when stopped."""
        parts = [events]
        failures = 0
        while parts and not self.is_stopped:
            part, hurries = parts.pop(), self._hurries
            error = self._send(Batch(writer_id, part))
            if isinstance(error, BatchRejected) and len(part) > 1:
                middle = len(part) // 2
                parts += [part[middle:], part[:middle]]
                failures = 0
                continue
            yield Delivery(part, error)
            if error is None or isinstance(error, BatchRejected):
                failures = 0
                continue
            parts.append(part)
            failures += 1
            self._pause(failures, hurries, error)
            if hurries != self._hurries:
                failures = 0

    def _send(self, batch: Batch) -> BaseException | None:
        try:
            self._sink.send(batch)
        except BaseException as error:  # noqa: BLE001 - a writer whose thread dies loses every further line
            return error
        return None

    def _pause(self, failures: int, hurries: int, error: BaseException) -> None:
        is_named = _named_pause_s(error) is not None
        deadline = time.monotonic() + self._pause_s(failures, error)
        with self._wake:
            while not self.is_stopped and (left_s := deadline - time.monotonic()) > 0:
                if not is_named and hurries != self._hurries:
                    break
                self._wake.wait(left_s)

    def _pause_s(self, failures: int, error: BaseException) -> float:
        if (named_s := _named_pause_s(error)) is not None:
            return min(max(named_s, 0), MAX_RETRY_AFTER_S)
        longest = min(self._first_pause_s * 2.0 ** min(failures - 1, 30), self._max_pause_s)
        return longest * random.uniform(0.5, 1)  # noqa: S311 - spreads writers, guards nothing


def _named_pause_s(error: BaseException) -> float | None:
    return error.retry_after_s if isinstance(error, SinkUnavailable) else None
