"""The outbox: a sink that never waits for the network. What it takes is sent in order, and kept on disk until then."""

from __future__ import annotations

import logging
import time
from contextvars import Context
from threading import Condition, Thread

from jobtail.events import Batch
from jobtail.outbox.dispatcher import Dispatcher
from jobtail.outbox.post import Post
from jobtail.outbox.queue import DeliveryQueue
from jobtail.outbox.spool import Spool
from jobtail.outbox.transport import HttpTransport
from jobtail.outbox.wire import encode
from jobtail.sink import SinkStats, SinkUnavailable

MEMORY_AGE_S = 0.5
"""How long a batch may be in memory only, whatever holds the dispatcher up."""
LOOK_EVERY_S = 0.2

log = logging.getLogger("jobtail")


class Outbox:
    """Satisfies `jobtail.sink.CountingSink`."""

    def __init__(self, transport: HttpTransport, spool: Spool | None) -> None:
        """Make an outbox; its threads start with the first batch.

        Without a spool what can't be sent stays in the writer's buffer, and is lost with the process.
        """
        self._transport = transport
        self._spool = spool
        self._is_closed = False
        self._is_dozing = False
        self._watch_over = Condition()
        self._watcher: Thread | None = None
        self._queue = DeliveryQueue(spool)
        self._dispatcher = self._new_dispatcher()

    def send(self, batch: Batch) -> None:
        """Take a batch.

        Raises:
            SinkUnavailable: there is no room for it, neither on disk nor in memory.
        """
        if self._is_closed:
            raise SinkUnavailable("capture was closed")
        if not batch.events:
            return
        assert batch.writer_id is not None, "the service tells batches apart by their writer"
        first, last = batch.events[0], batch.events[-1]
        post = Post(batch.writer_id, encode(batch.events), len(batch.events), first.n, last.n)
        self._queue.put(post)
        self._start()

    def start(self) -> None:
        """Send what dead processes left, though nothing was handed over."""
        self._start()

    def flush(self, timeout_s: float) -> bool:
        """Wait until all is stored. False at the first attempt that fails: what was taken is on disk then."""
        queue, dispatcher = self._queue, self._dispatcher
        deadline = time.monotonic() + timeout_s
        if not queue.changed.acquire(timeout=max(timeout_s, 0)):
            return False
        try:
            failures = dispatcher.failures
            dispatcher.attempts.hurry()
            while not queue.is_empty and not self._is_closed:
                left_s = deadline - time.monotonic()
                is_hopeless = not dispatcher.is_running or dispatcher.attempts.named_pause_until > deadline
                if left_s <= 0 or is_hopeless or dispatcher.failures != failures:
                    return False
                queue.changed.wait(left_s)
            return queue.is_stored
        finally:
            queue.changed.release()

    def stats(self) -> SinkStats:
        queue = self._queue
        counts = queue.counts
        return SinkStats(
            sent=counts.sent,
            spooled=counts.spooled,
            waiting=counts.waiting,
            dropped=counts.dropped,
            adopted=queue.adopted,
            posting_bytes=self._dispatcher.posting_bytes,
            last_error=queue.last_error,
        )

    def renew(self) -> None:
        """Begin anew in a forked child; what was taken before is the parent's to send."""
        if self._spool is not None:
            self._spool.renew()
        self._transport.renew()
        self._is_closed = self._is_dozing = False
        self._watch_over = Condition()
        self._watcher = None
        self._queue = DeliveryQueue(self._spool)
        self._dispatcher = self._new_dispatcher()

    def close(self) -> None:
        """Leave on disk what is not sent, for the next process that comes."""
        if self._is_closed:
            return
        self._is_closed = True
        self._dispatcher.attempts.stop()
        lost = self._queue.close()
        with self._watch_over:
            self._watch_over.notify_all()
        if lost:
            log.warning("capture was closed before it could send, and has no spool: %d events are lost", lost)

    def _new_dispatcher(self) -> Dispatcher:
        kept_in = "memory" if self._spool is None else str(self._spool.directory)
        return Dispatcher(self._queue, self._transport, kept_in=kept_in, has_spool=self._spool is not None)

    def _start(self) -> None:
        """Start the threads, or wake the one that dozes."""
        try:
            if not self._dispatcher.is_running:
                self._dispatcher.start()
            if self._watcher is None and self._spool is not None:
                self._watcher = Thread(target=Context().run, args=(self._watch,), name="jobtail-watcher", daemon=True)
                self._watcher.start()
        except RuntimeError:  # the interpreter ends, and starts no thread any more
            self._queue.spill()
        if self._is_dozing:
            with self._watch_over:
                self._watch_over.notify_all()

    def _watch(self) -> None:
        """Put on disk what has been in memory for too long, though a post or the look-up of a name should hang."""
        while not self._is_closed:
            is_busy = self._queue.spill_older_than(MEMORY_AGE_S - LOOK_EVERY_S)
            with self._watch_over:
                self._is_dozing = not is_busy
                # Whoever adds something from here on sees that this thread dozes.
                is_idle = self._is_dozing and self._queue.counts.waiting == 0 and not self._is_closed
                self._watch_over.wait(None if is_idle else LOOK_EVERY_S)
                self._is_dozing = False
