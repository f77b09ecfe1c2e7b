"""The dispatcher: carries posts from the queue to the service in their order, with pauses while it is away."""

from __future__ import annotations

import logging
import time
from contextvars import Context
from threading import Thread

from jobtail.backoff import Attempts
from jobtail.jsonable import shown
from jobtail.outbox.loss_notices import refusal, split
from jobtail.outbox.post import Division, Post
from jobtail.outbox.queue import DeliveryQueue
from jobtail.outbox.spool import SpoolUnavailable
from jobtail.outbox.transport import POST_TIMEOUT_S, AnswerLate, HttpTransport, JobForbidden
from jobtail.sink import BatchRejected, SinkUnavailable

ADOPT_EVERY_S = 30.0
QUICK_POST_S = 0.5
"""What a batch that is in memory only may wait for its answer."""
SLOW_POST_S = 0.25
"""A service slower than this makes further batches go to disk before they are sent."""
SLOWEST_BYTES_A_SECOND = 256 << 10

log = logging.getLogger("jobtail")


class Dispatcher:
    """A thread that posts. It ends when it is stopped and not before, whatever happens to it."""

    def __init__(self, queue: DeliveryQueue, transport: HttpTransport, *, kept_in: str, has_spool: bool) -> None:
        self.attempts = Attempts(queue.changed)
        self.failures = 0
        """All that ever were; who waits looks whether one comes."""
        self.posting_bytes = 0
        """The size of what is on its way right now."""
        self._queue = queue
        self._transport = transport
        self._kept_in = kept_in
        self._has_spool = has_spool
        self._is_failing = False
        self._has_defect = False
        self._thread: Thread | None = None

    @property
    def is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        # A context of its own: what libraries log here belongs to no job.
        thread = Thread(target=Context().run, args=(self._run,), name="jobtail-dispatcher", daemon=True)
        thread.start()
        self._thread = thread

    def _run(self) -> None:
        has_looked = False
        while not self.attempts.is_stopped:
            self.attempts.begin()
            try:
                if not has_looked:
                    has_looked = True
                    self._queue.adopt()
                post = self._queue.take()
                if post is None:
                    self._wait()
                else:
                    self._carry(post)
            except (SinkUnavailable, SpoolUnavailable) as error:
                self._fail(error)
            except Exception as error:
                if not self._has_defect:  # it would be said again with every attempt
                    log.exception("a defect in capture's dispatcher; it goes on")
                self._has_defect = True
                self._fail(error)
        self._queue.leave()

    def _wait(self) -> None:
        """Sleep until something waits to be sent; look for orphans after a while."""
        with self._queue.changed:
            has_news = self._queue.changed.wait_for(
                lambda: self.attempts.is_stopped or not self._queue.is_empty, timeout=ADOPT_EVERY_S
            )
        if not has_news:
            self._queue.adopt()

    def _carry(self, post: Post) -> None:
        began = time.monotonic()
        is_in_memory, is_hasty = not post.row_ids, self._is_hasty(post)
        waited = self._queue.counts.spooled + self._queue.counts.waiting
        try:
            self._deliver(post)
        except AnswerLate as error:
            self._queue.put_back(post, error)
            if not is_hasty:
                raise
            post.was_late = True  # no failure yet: from the disk it is sent again with all the time it may need
            return
        except Exception as error:
            self._queue.put_back(post, error)
            raise
        self._note_recovery(waited)
        if is_in_memory and time.monotonic() - began > SLOW_POST_S:
            self._queue.spill()

    def _deliver(self, post: Post) -> None:
        """Send a post whole; where the service refuses it, all of it but what is to blame."""
        division = self._queue.divide(post)
        while not (division.events and len(post.row_ids) > 1):
            try:
                if division.rest and not self._send(post, division.rest):
                    break
            except JobForbidden as error:
                division = self._divide_further(post, division, error)
                continue
            self._queue.settle(post, division)
            return
        self._queue.part(post)

    def _send(self, post: Post, body: bytes) -> bool:
        """Post a body, less what is refused in it. False where that is to be found in one of several rows."""
        try:
            self._post(post, body)
        except BatchRejected as error:
            if len(post.row_ids) > 1:
                return False
            self._mend(post, body, error)
        return True

    def _divide_further(self, post: Post, division: Division, error: JobForbidden) -> Division:
        further = self._queue.divide(post, error.job_id)
        if further.events == division.events:
            raise SinkUnavailable(str(error))  # the service names a job that this post does not
        self._queue.last_error = str(error)
        log.warning("the events of job %r are set aside in %s: %s", error.job_id, self._kept_in, error)
        return further

    def _is_hasty(self, post: Post) -> bool:
        return self._has_spool and not post.row_ids and not post.was_late

    def _post(self, post: Post, body: bytes) -> None:
        timeout_s = POST_TIMEOUT_S + len(body) / SLOWEST_BYTES_A_SECOND
        if self._is_hasty(post):
            timeout_s = QUICK_POST_S
        self.posting_bytes = len(body)
        try:
            self._transport.post(post.writer_id, body, timeout_s=timeout_s)
        finally:
            self.posting_bytes = 0

    def _mend(self, post: Post, body: bytes, error: BatchRejected) -> None:
        """Each round halves a part or takes an event out of it, so that it ends whatever the service says."""
        reason = shown(error)
        parts = self._parts(post, split(body), error)
        while parts:
            part = parts.pop()
            if not part:
                continue
            try:
                self._post(post, b"".join(part))
            except BatchRejected as again:
                reason = shown(again)
                parts += self._parts(post, part, again)
        log.warning("events of a batch were refused and are dropped: %s", reason)

    def _parts(self, post: Post, part: list[bytes], error: BatchRejected) -> list[list[bytes]]:
        """Say what to post instead, the last first."""
        line = error.line if error.line is not None and error.line <= len(part) else None
        if line is None and len(part) > 1:
            middle = len(part) // 2
            return [part[middle:], part[:middle]]
        at = (line or 1) - 1
        mended = refusal(part[at], shown(error))
        self._queue.mend(post, part[at], mended)
        return [[*part[:at], *([mended] if mended else []), *part[at + 1 :]]]

    def _fail(self, error: Exception) -> None:
        with self._queue.changed:
            self.failures += 1
            self._queue.changed.notify_all()
        if not self._is_failing:
            self._is_failing = True
            log.warning("capture can't send, lines are kept in %s; jobs go on: %s", self._kept_in, error)
        self.attempts.pause(error.retry_after_s if isinstance(error, SinkUnavailable) else None)

    def _note_recovery(self, waited: int) -> None:
        self._has_defect = False
        self.attempts.succeed()
        if self._is_failing:
            self._is_failing = False
            log.warning("capture can send again; %d events waited", waited)
