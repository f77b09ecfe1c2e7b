"""Announcements that wait to be sent: bounded, merged, and packed into messages."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from domain.announcements import Announcement
from persistence.channel.announcement_wire import ENVELOPE, encode, least_size, merged, message

CAPACITY = 10_000
MESSAGES_OF_ROWS = 16
"""How many full messages of rows may wait before further rows stay behind: by then readers are quicker alone."""


class AnnouncementQueue:
    """What waits to be sent, at most CAPACITY announcements; the oldest are forgotten.

    News of a job join what waits of it already where neither carries rows, so most often a job waits once.
    """

    def __init__(self, message_limit: int, *, capacity: int = CAPACITY) -> None:
        """`message_limit` is in bytes of UTF-8."""
        self._limit = message_limit
        self._capacity = capacity
        self._waiting: deque[_Waiting] = deque()
        self._newest: dict[str, _Waiting] = {}
        self._bytes_of_rows = 0
        self.forgotten = 0
        """Announcements that were given up unsent."""

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, announcement: Announcement) -> None:
        size = least_size(announcement.rows, self._limit)
        if size > self._limit or self._bytes_of_rows + size > MESSAGES_OF_ROWS * self._limit:
            announcement, size = replace(announcement, rows=()), 0
        newest = self._newest.get(announcement.job_id)
        if newest is not None and newest.takes(announcement):
            return
        if len(self._waiting) >= self._capacity:
            self._remove_first()
            self.forgotten += 1
        waiting = _Waiting(announcement, size)
        self._waiting.append(waiting)
        self._newest[announcement.job_id] = waiting
        self._bytes_of_rows += size

    def take(self) -> str | None:
        """Take the oldest that fit into one message together; None when nothing waits."""
        parts: list[bytes] = []
        length = ENVELOPE - 1
        while self._waiting:
            part = self._waiting[0].encoded(self._limit - ENVELOPE)
            if part is None:
                self.forgotten += 1
            elif length + 1 + len(part) > self._limit:
                break
            else:
                parts.append(part)
                length += 1 + len(part)
            self._remove_first()
        return message(parts) if parts else None

    def _remove_first(self) -> None:
        waiting = self._waiting.popleft()
        self._bytes_of_rows -= waiting.size
        job_id = waiting.announcement.job_id
        if self._newest.get(job_id) is waiting:
            del self._newest[job_id]


class _Waiting:
    """An announcement in the outbox, with its part of a message once that was made."""

    __slots__ = ("_part", "announcement", "size")

    def __init__(self, announcement: Announcement, size: int) -> None:
        self.announcement = announcement
        self.size = size
        self._part: bytes | None = None

    def takes(self, later: Announcement) -> bool:
        """Join later news of the job, and tell whether that could be done."""
        if self.announcement.rows or later.rows:
            return False
        self.announcement = merged(self.announcement, later)
        self._part = None
        return True

    def encoded(self, limit: int) -> bytes | None:
        """Make the part, without rows where it would be longer than `limit` bytes; None where it cannot be made."""
        if self._part is None:
            self._part = _encoded(self.announcement, limit) or _encoded(replace(self.announcement, rows=()), limit)
        return self._part


def _encoded(announcement: Announcement, limit: int) -> bytes | None:
    try:
        part = encode(announcement)
    except TypeError:  # metadata, or an id, that no JSON can hold
        return None
    return part if len(part) <= limit else None
