"""The writer's books: what became of each event, and what the log of the process and of the job hears of it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from threading import Condition

from jobtail.events import Line, NumberedEvent, refused
from jobtail.jsonable import named, shown
from jobtail.sink import BatchRejected
from jobtail.writer.buffer import Buffer
from jobtail.writer.sender import Delivery

log = logging.getLogger("jobtail")


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterStats:
    """Counts of events; `captured` is the sum of sent, dropped and waiting. The writer's own notices count too."""

    captured: int
    sent: int
    dropped: int
    """Given up over the bound, refused by the sink, left unsent by a close, or captured after it."""
    waiting: int
    faults: int
    """Emissions that could not be captured for a defect of ours or of the job's objects."""
    last_error: str | None


class Accounts:
    """Counts under the writer's lock and logs outside of it. `settled` is notified when events have left or are lost."""

    def __init__(self, buffer: Buffer, settled: Condition) -> None:
        self.settled_n = 0
        """The number of the newest event that needs no more sending."""
        self._buffer = buffer
        self._settled = settled
        self._sent = 0
        self._dropped = 0
        self._faults = 0
        self._is_failing = False
        self._last_error: str | None = None
        self._notices: set[int] = set()

    def stats(self) -> WriterStats:
        with self._settled:
            captured, dropped = self._buffer.captured, self._dropped + self._buffer.given_up
            return WriterStats(
                captured=captured,
                sent=self._sent,
                dropped=dropped,
                waiting=captured - self._sent - dropped,
                faults=self._faults,
                last_error=self._last_error,
            )

    def note_fault(self, error: Exception) -> None:
        """Count an emission that could not be captured. The first one is logged."""
        with self._settled:
            self._faults += 1
            is_first = self._faults == 1
            self._last_error = named(error)
        if is_first:
            log.error("an emission could not be captured; further ones are only counted", exc_info=error)

    def note_late(self) -> None:
        """Count an event that was captured after the close."""
        with self._settled:
            self._buffer.captured += 1
            self._dropped += 1

    def close(self) -> None:
        """Count what was not sent as dropped."""
        with self._settled:
            unsent = self.stats().waiting
            self._dropped += unsent
        if unsent:
            log.warning("capture was closed before it could send: %d events are dropped", unsent)

    def note(self, attempt: Delivery) -> None:
        """Enter what became of events that were sent."""
        match attempt.error:
            case None:
                self._note_recovery()
                self._settle(attempt.events)
            case BatchRejected() as error:
                self._note_recovery()
                self._drop_refused(attempt.events[0], error)
            case error:
                self._note_failure(error)

    def _settle(self, part: tuple[NumberedEvent, ...]) -> None:
        with self._settled:
            self._sent += len(part)
            self.settled_n = part[-1].n
            self._notices = {n for n in self._notices if n > self.settled_n}
            self._settled.notify_all()

    def _drop_refused(self, numbered: NumberedEvent, error: BatchRejected) -> None:
        with self._settled:
            self._dropped += 1
            self._last_error = named(error)
            if numbered.n not in self._notices:
                self._notices.add(self._buffer.add(_refusal(numbered, error)))
            self.settled_n = numbered.n
            self._settled.notify_all()
        log.warning("an event of job %r was refused and is dropped: %s", numbered.event.job_id, shown(error))

    def _note_failure(self, error: BaseException) -> None:
        with self._settled:
            was_failing, self._is_failing = self._is_failing, True
            self._last_error = named(error)
        if not was_failing:
            log.warning("capture can't send and tries again; jobs go on: %s", named(error))

    def _note_recovery(self) -> None:
        if self._is_failing:
            self._is_failing = False
            log.warning("capture can send again; %d events wait", self.stats().waiting)


def _refusal(numbered: NumberedEvent, error: BatchRejected) -> Line:
    n, event = numbered
    return refused(event.job_id, type(event).__name__, n, shown(error), stage=getattr(event, "stage", None))
