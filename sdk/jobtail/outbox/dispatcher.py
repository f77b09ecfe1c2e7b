"""The courier: carries loads from the depot to the service in their order, with pauses while it is away."""

from __future__ import annotations

import logging
import random
import time
from contextvars import Context
from threading import Thread

from jobtail.jsonable import shown
from jobtail.outbox.loss_notices import refusal, split
from jobtail.outbox.post import Load
from jobtail.outbox.queue import Depot
from jobtail.outbox.spool import SpoolUnavailable
from jobtail.outbox.transport import POST_TIMEOUT_S, AnswerLate, HttpTransport
from jobtail.sink import BatchRejected, SinkUnavailable

ADOPT_EVERY_S = 30.0
FIRST_PAUSE_S = 0.1
MAX_PAUSE_S = 5.0
MAX_RETRY_AFTER_S = 60.0
QUICK_POST_S = 0.5
"""What a batch that is in memory only may wait for its answer."""
SLOW_POST_S = 0.25
"""A service slower than this makes further batches go to disk before they are sent."""
SLOWEST_BYTES_A_SECOND = 256 << 10

log = logging.getLogger("jobtail")


class Courier:
    """A thread that posts. It ends when it is stopped and not before, whatever happens to it."""

    def __init__(self, depot: Depot, transport: HttpTransport, *, kept_in: str, has_spool: bool) -> None:
        self.failures = 0
        """All that ever were; who waits looks whether one comes."""
        self.named_pause_until = 0.0
        """The service asked for a pause until then, by the monotonic clock."""
        self._depot = depot
        self._transport = transport
        self._kept_in = kept_in
        self._has_spool = has_spool
        self._failing = 0
        self._hurries = 0
        self._has_defect = False
        self._is_stopped = False
        self._thread: Thread | None = None

    @property
    def is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        # A context of its own: what libraries log here belongs to no job.
        thread = Thread(target=Context().run, args=(self._run,), name="jobtail-courier", daemon=True)
        thread.start()
        self._thread = thread

    def hurry(self) -> None:
        """End a pause, unless the service named it: somebody waits."""
        with self._depot.changed:
            self._hurries += 1
            self._depot.changed.notify_all()

    def stop(self) -> None:
        with self._depot.changed:
            self._is_stopped = True
            self._depot.changed.notify_all()

    def _run(self) -> None:
        has_looked = False
        while not self._is_stopped:
            hurries = self._hurries
            try:
                if not has_looked:
                    has_looked = True
                    self._depot.adopt()
                load = self._depot.take()
                if load is None:
                    self._wait()
                else:
                    self._carry(load)
            except (SinkUnavailable, SpoolUnavailable) as error:
                self._note_failure(error)
                self._pause(error, hurries)
            except Exception as error:
                if not self._has_defect:  # it would be said again with every attempt
                    log.exception("a defect in capture's courier; it goes on")
                self._has_defect = True
                self._note_failure(error)
                self._pause(error, hurries)
        self._depot.leave()

    def _wait(self) -> None:
        """Sleep until something waits to be sent; look for orphans after a while."""
        with self._depot.changed:
            has_news = self._depot.changed.wait_for(
                lambda: self._is_stopped or not self._depot.is_empty, timeout=ADOPT_EVERY_S
            )
        if not has_news:
            self._depot.adopt()

    def _carry(self, load: Load) -> None:
        began = time.monotonic()
        is_in_memory, is_hasty = not load.row_ids, self._is_hasty(load)
        waited = self._depot.spooled + self._depot.waiting
        try:
            self._deliver(load)
        except AnswerLate as error:
            self._depot.put_back(load, error)
            if not is_hasty:
                raise
            load.was_late = True  # no failure yet: from the disk it is sent again with all the time it may need
            return
        except Exception as error:
            self._depot.put_back(load, error)
            raise
        self._note_recovery(waited)
        if is_in_memory and time.monotonic() - began > SLOW_POST_S:
            self._depot.spill()

    def _deliver(self, load: Load) -> None:
        """Post a load whole; where the service refuses it, all of it but what is to blame."""
        try:
            self._post(load, load.body)
        except BatchRejected as error:
            if len(load.row_ids) > 1:
                self._depot.part(load)
                return
            self._mend(load, error)
        self._depot.settle(load)

    def _is_hasty(self, load: Load) -> bool:
        return self._has_spool and not load.row_ids and not load.was_late

    def _post(self, load: Load, body: bytes) -> None:
        timeout_s = POST_TIMEOUT_S + len(body) / SLOWEST_BYTES_A_SECOND
        if self._is_hasty(load):
            timeout_s = QUICK_POST_S
        self._transport.post(load.writer_id, body, timeout_s=timeout_s)

    def _mend(self, load: Load, error: BatchRejected) -> None:
        """Each round halves a part or takes an event out of it, so that it ends whatever the service says."""
        reason = shown(error)
        parts = self._parts(load, split(load.body), error)
        while parts:
            part = parts.pop()
            if not part:
                continue
            try:
                self._post(load, b"".join(part))
            except BatchRejected as again:
                reason = shown(again)
                parts += self._parts(load, part, again)
        log.warning("events of a batch were refused and are dropped: %s", reason)

    def _parts(self, load: Load, part: list[bytes], error: BatchRejected) -> list[list[bytes]]:
        """Say what to post instead, the last first."""
        line = error.line if error.line is not None and error.line <= len(part) else None
        if line is None and len(part) > 1:
            middle = len(part) // 2
            return [part[middle:], part[:middle]]
        at = (line or 1) - 1
        mended = refusal(part[at], shown(error))
        self._depot.mend(load, part[at], mended)
        return [[*part[:at], *([mended] if mended else []), *part[at + 1 :]]]

    def _note_failure(self, error: Exception) -> None:
        self._failing += 1
        with self._depot.changed:
            self.failures += 1
            self._depot.changed.notify_all()
        if self._failing == 1:
            log.warning("capture can't send, lines are kept in %s; jobs go on: %s", self._kept_in, error)

    def _note_recovery(self, waited: int) -> None:
        self._has_defect = False
        if self._failing:
            self._failing = 0
            log.warning("capture can send again; %d events waited", waited)

    def _pause(self, error: BaseException, hurries: int) -> None:
        named_s = error.retry_after_s if isinstance(error, SinkUnavailable) else None
        deadline = time.monotonic() + self._pause_s(named_s)
        with self._depot.changed:
            self.named_pause_until = deadline if named_s is not None else 0.0
            self._depot.changed.notify_all()
            while not self._is_stopped and (left_s := deadline - time.monotonic()) > 0:
                if named_s is None and hurries != self._hurries:
                    break
                self._depot.changed.wait(left_s)

    def _pause_s(self, named_s: float | None) -> float:
        if named_s is not None:
            return min(max(named_s, FIRST_PAUSE_S), MAX_RETRY_AFTER_S)
        longest = min(FIRST_PAUSE_S * 2.0 ** min(max(self._failing - 1, 0), 30), MAX_PAUSE_S)
        return longest * random.uniform(0.5, 1)  # noqa: S311 - spreads writers, guards nothing
