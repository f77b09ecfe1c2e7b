"""The sink of a writer's batches: the recorder in this process, the service by HTTP, a spool."""

from __future__ import annotations

from typing import Protocol

from jobtail.events import Batch


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
