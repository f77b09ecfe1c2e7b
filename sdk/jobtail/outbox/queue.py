"""The delivery queue, in its one order: rows in the spool first, then the few batches that are still in memory."""

from __future__ import annotations

import logging
import time
from collections import deque
from dataclasses import dataclass, replace
from threading import Condition
from uuid import UUID

from jobtail.outbox.post import Division, Post, divided, post_of
from jobtail.outbox.spool import Spool, SpoolUnavailable
from jobtail.sink import SinkUnavailable

WINDOW_BATCHES = 4
"""How many batches are handed from thread to thread without touching the disk, while the service is quick."""
JOINED_BYTES = 2 << 20
SPOOL_SHARE = 16
"""What goes out together goes to disk, and is given up there, together: no more than this part of a small spool."""

MOST_FORBIDDEN = 10_000

log = logging.getLogger("jobtail")


@dataclass(frozen=True, slots=True)
class Counts:
    """Where the events are that this process handed over. An event is in one place."""

    waiting: int = 0
    """In memory."""
    spooled: int = 0
    """On disk."""
    sent: int = 0
    dropped: int = 0

    def taken(self, events: int) -> Counts:
        return replace(self, waiting=self.waiting + events)

    def moved(self, source: str, target: str, events: int) -> Counts:
        """Count events that went from one place to another."""
        return replace(self, **{source: getattr(self, source) - events, target: getattr(self, target) + events})


class DeliveryQueue:
    """Keeps what was handed over until it is stored. `changed` guards it, and is notified when it changes.

    A batch never overtakes an older one of its writer: the service's position only moves forward, and would pass over
    the older one's lines. Hence every own row of the spool is older than every batch in memory.
    """

    def __init__(self, spool: Spool | None) -> None:
        self.changed = Condition()
        self.counts = Counts()
        self.adopted = 0
        """Events that were sent for processes that died."""
        self.last_error: str | None = None
        self._spool = spool
        self._joined_bytes = min(JOINED_BYTES, spool.max_bytes // SPOOL_SHARE) if spool else JOINED_BYTES
        self._window: deque[Post] = deque()
        self._in_flight: Post | None = None
        self._writer_id: UUID | None = None
        self._has_rows = False
        self._orphans: list[UUID] = []
        self._removed: dict[UUID, int] = {}
        """Rows that are stored and could not be removed."""
        self._is_flowing = False
        """The last post was stored. Until then rows go alone, so that of few it is unknown whether they are stored."""
        self._forbidden: dict[str, None] = {}
        """Jobs that the service's token does not allow. Their later events stay behind the earlier ones."""
        self._aside_events = 0
        self._apart_until = 0
        """Rows up to this one go alone: one of them is refused."""
        self._has_warned_of_spool = False
        self._has_warned_of_room = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing of this process's own is left to be sent."""
        return not self._window and not self._has_rows

    @property
    def is_stored(self) -> bool:
        """Whether all of this process's own is stored, and nothing was set aside."""
        return self.is_empty and not self._aside_events

    def divide(self, post: Post, forbidden: str | None = None) -> Division:
        """Take out of a post what belongs to jobs that the service forbids: one more, and those that it has forbidden."""
        with self.changed:
            if forbidden is not None:
                self._forbidden[forbidden] = None
                if len(self._forbidden) > MOST_FORBIDDEN:
                    del self._forbidden[next(iter(self._forbidden))]
            return divided(post.body, self._forbidden) if self._forbidden else Division(post.body, b"", 0)

    def put(self, post: Post) -> None:
        """Take a batch, in memory if nothing is before it but a few others, else on disk.

        Raises:
            SinkUnavailable: there is no room for it.
        """
        with self.changed:
            self._know(post.writer_id)
            if not self._has_rows and not self._orphans and self._joins_last(post):
                return
            has_room = len(self._window) < WINDOW_BATCHES
            if (self._has_rows or self._orphans or not has_room) and self.spill(post):
                return
            if not has_room:
                raise SinkUnavailable(self.last_error or "the service takes nothing and the memory of capture is full")
            self._window.append(post)
            self.counts = self.counts.taken(post.events)
            self.changed.notify_all()

    def _joins_last(self, post: Post) -> bool:
        """Let a batch go out with the one before it, if that waits and there is room: each post has its price."""
        last = self._window[-1] if self._window else None
        if (
            last is None
            or last is self._in_flight
            or last.writer_id != post.writer_id
            or len(last.body) + len(post.body) > self._joined_bytes
        ):
            return False
        last.join(post)
        self.counts = self.counts.taken(post.events)
        return True

    def spill(self, *more: Post) -> bool:
        """Put what is in memory, and more behind it, on disk. False if that can't be done."""
        with self.changed:
            posts = [*self._window, *more]
            if self._spool is None:
                return False
            if not posts:
                return True
            is_first_sending = posts[0] is self._in_flight
            try:
                appended = self._spool.append([post.encoded for post in posts], is_first_sending=is_first_sending)
            except SpoolUnavailable as error:
                self._note_spool(error)
                return False
            for post, row_id in zip(posts, appended.ids, strict=True):
                post.row_ids = [row_id]
            self._window.clear()
            self._has_rows = True
            self._has_warned_of_spool = False
            counts = self.counts.taken(sum(post.events for post in more))
            counts = counts.moved("waiting", "spooled", sum(post.events for post in posts))
            self.counts = counts.moved("spooled", "dropped", appended.dropped)
            if appended.has_given_up:
                self._note_room()
            self.changed.notify_all()
            return True

    def spill_older_than(self, age_s: float) -> bool:
        """Put what is in memory on disk if any of it is older. False if nothing is in memory."""
        with self.changed:
            if self._window and time.monotonic() - self._window[0].since > age_s:
                self.spill()
            return bool(self._window)

    def adopt(self) -> None:
        """Look for what dead processes left."""
        with self.changed:
            if self._spool is None:
                return
            try:
                self._orphans += self._spool.adopt()
                if not self._orphans and not self._has_rows:
                    self._spool.rest()
            except SpoolUnavailable as error:
                self._note_spool(error)

    def take(self) -> Post | None:
        """Take what is to be sent next. It stays here until it is settled.

        Raises:
            SpoolUnavailable: older rows can't be read now.
        """
        with self.changed:
            self._in_flight = None
            self._in_flight = self._next()
            return self._in_flight

    def settle(self, post: Post, aside: Division | None = None) -> None:
        """Forget a post: it is stored, but for what is set aside."""
        with self.changed:
            events_aside = 0 if aside is None else self._set_aside(post, aside)
            self._in_flight = None
            self._is_flowing = True
            is_own = post.writer_id == self._writer_id
            if post.row_ids:
                self._apart_until = self._apart_until if post.row_ids[-1] < self._apart_until else 0
                if not events_aside:
                    self._remove(post.writer_id, post.row_ids[-1])
            else:
                self._window.popleft()
            if is_own:
                source = "spooled" if post.row_ids else "waiting"
                counts = self.counts.moved(source, "sent", post.events - events_aside)
                self._aside_events += events_aside
                self.counts = counts.moved(source, "dropped", post.dropped)
            else:
                self.adopted += post.events - events_aside
            self.changed.notify_all()

    def _set_aside(self, post: Post, aside: Division) -> int:
        """Keep what may not be sent on disk. Tells how many events of the post that are; without a disk they are lost."""
        events = min(aside.events, post.events)  # without the notices among them
        if not events:
            return 0
        if not post.row_ids:
            self.spill()
        if not post.row_ids or self._spool is None:
            self.counts = self.counts.moved("waiting", "dropped", events)
            post.events -= events
            return 0
        try:
            self._spool.set_aside(post.row_ids[0], aside.body, events)
        except SpoolUnavailable as error:
            self._removed[post.writer_id] = post.row_ids[0]  # it is sent no more, and lies there whole
            self._note_spool(error)
        return events

    def put_back(self, post: Post, error: BaseException) -> None:
        """Keep a post that is not known to be stored; all that is in memory goes to disk."""
        with self.changed:
            self.last_error = str(error) or type(error).__name__
            self._is_flowing = False
            self.spill()
            self._in_flight = None
            if post.row_ids and self._spool is not None:
                self._spool.put_back(post.writer_id, post.row_ids[0], post.row_ids[-1])
            self.changed.notify_all()

    def part(self, post: Post) -> None:
        """Put back a post of several rows, whose rows are to be sent one by one."""
        with self.changed:
            self._in_flight = None
            self._apart_until = post.row_ids[-1]

    def mend(self, post: Post, raw: bytes, mended: bytes | None) -> None:
        """Replace an event of a post that the service refused, or drop it."""
        with self.changed:
            post.body = post.body.replace(raw, mended or b"", 1)
            if mended is not None:  # else it was a notice, which nobody handed over
                post.events -= 1
            if mended is not None and post.writer_id == self._writer_id:
                self.counts = self.counts.moved("spooled" if post.row_ids else "waiting", "dropped", 1)
            if post.row_ids and self._spool is not None:
                try:
                    self._spool.replace(post.row_ids[0], post.body, post.events)
                except SpoolUnavailable as error:
                    self._note_spool(error)

    def close(self) -> int:
        """Put all on disk and leave it to whoever comes next. Tells how many events are lost."""
        with self.changed:
            self.spill()
            lost = self.counts.waiting
            self.counts = self.counts.moved("waiting", "dropped", lost)
            self._window.clear()
            if self._spool is not None:
                self._spool.close()
            self.changed.notify_all()
            return lost

    def leave(self) -> None:
        """Close the files once more: whoever was at work during the close may have opened them."""
        if self._spool is not None:
            self._spool.close()

    def _know(self, writer_id: UUID) -> None:
        if self._has_rows and self._writer_id is not None and writer_id != self._writer_id:
            self._orphans.append(self._writer_id)
            self._has_rows = False
        self._writer_id = writer_id

    def _next(self) -> Post | None:
        while self._orphans:
            try:
                post = self._from_spool(self._orphans[0])
            except SpoolUnavailable as error:
                self._note_spool(error)
                self._release(self._orphans.pop(0))
                continue
            if post is not None:
                return post
            self._release(self._orphans.pop(0))
            if not self._orphans:
                self.adopt()
        if self._has_rows and self._writer_id is not None:
            post = self._from_spool(self._writer_id)
            if post is not None:
                return post
            self._note_drained()
        return self._window[0] if self._window else None

    def _from_spool(self, writer_id: UUID) -> Post | None:
        assert self._spool is not None
        max_bytes = JOINED_BYTES if self._is_flowing and not self._apart_until else 0
        rows = self._spool.head(writer_id, after_id=self._removed.get(writer_id, 0), max_bytes=max_bytes)
        return post_of(writer_id, rows) if rows else None

    def _note_drained(self) -> None:
        """Own rows that are no longer there were deleted by another process to make room."""
        self._has_rows = False
        self._has_warned_of_room = False
        self.counts = self.counts.moved("spooled", "dropped", max(self.counts.spooled - self._aside_events, 0))
        if self._spool is not None:
            self._spool.rest()
        self.changed.notify_all()

    def _remove(self, writer_id: UUID, row_id: int) -> None:
        assert self._spool is not None
        try:
            self._spool.remove(writer_id, row_id)
        except SpoolUnavailable as error:
            self._removed[writer_id] = row_id
            self._note_spool(error)

    def _release(self, writer_id: UUID) -> None:
        assert self._spool is not None
        self._spool.release(writer_id)

    def _note_spool(self, error: SpoolUnavailable) -> None:
        self.last_error = str(error)
        if not self._has_warned_of_spool:
            self._has_warned_of_spool = True
            log.warning("capture keeps lines in memory only: %s", error)

    def _note_room(self) -> None:
        if not self._has_warned_of_room:
            self._has_warned_of_room = True
            log.warning("the spool of capture is full: the oldest lines are given up")
