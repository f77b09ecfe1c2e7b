"""The sink of a writer's batches: the recorder in this process, the service by HTTP, a spool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jobtail.events import Batch, Event


class Sink(Protocol):
    """Takes batches in the order of their numbers, one at a time.

    `send` and `close` are called from the writer's thread (`close` from the closing one if nothing was ever captured),
    so both may block. The events' metadata are plain JSON values; their texts are as the job said them, NUL and lone
    surrogates included.
    """

    def send(self, batch: Batch) -> None:
        """Hand over a batch and return once it is taken for good: stored, or kept where a restart finds it.

        Raises:
            SinkUnavailable: not now; the writer sends the same batch again.
            BatchRejected: never; the writer looks for the event that is to blame and drops it.
            Exception: is understood as SinkUnavailable, so that a defect costs time and no line.
        """

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that was handed over is stored. False as soon as that is known to be impossible now."""

    def renew(self) -> None:
        """Forget, in a forked child, connections, locks, threads and what the parent has yet to send."""

    def close(self) -> None:
        """Free what it holds. Called once, after the last `send` has returned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkStats:
    """Counts of events that a sink was handed: the sum of sent, spooled, waiting and dropped."""

    sent: int
    spooled: int
    """On disk now."""
    waiting: int
    """In memory now."""
    dropped: int
    """Given up because the spool was full, refused by the service, or lost by a close without a spool."""
    adopted: int = 0
    """Sent for processes that died; part of no other count."""
    posting_bytes: int = 0
    """The size of what is on its way to the service right now."""
    last_error: str | None = None


@runtime_checkable
class CountingSink(Sink, Protocol):
    """A sink that knows what became of what it has taken: it takes a batch before it is stored."""

    def stats(self) -> SinkStats:
        """Count it."""


class EventWriter(Protocol):
    """What takes events: `jobtail.Writer`."""

    def capture(self, event: Event) -> None:
        """Take an event. Never raises, never blocks."""

    def report_fault(self, error: Exception) -> None:
        """Count an emission that could not be captured."""


class SinkUnavailable(Exception):
    """The sink can't take a batch now. Whether it was stored is unknown: it must be safe to send it again."""

    def __init__(self, message: str = "the sink is unavailable", *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class BatchRejected(Exception):
    """The sink will never take a batch as it is: something in it cannot be stored."""

    def __init__(self, message: str = "the batch was refused", *, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line
        """Which event of the batch is to blame, from 1, where that is known."""
