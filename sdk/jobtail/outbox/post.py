"""Loads: what goes into one post, from memory or from the spool."""

from __future__ import annotations

import time
from collections.abc import Container
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from jobtail.outbox.loss_notices import job_of, split
from jobtail.outbox.spool import EncodedBatch, StoredBatch


@dataclass(slots=True, eq=False)
class Post:
    """What goes into one post."""

    writer_id: UUID
    body: bytes
    events: int
    """Notices not counted."""
    first_n: int = 0
    last_n: int = 0
    row_ids: list[int] = field(default_factory=list)
    """Empty while it is in memory only."""
    dropped: int = 0
    since: float = field(default_factory=time.monotonic)
    was_late: bool = False
    """The service took it and did not answer in the time that a batch in memory has."""

    def join(self, later: Post) -> None:
        """Take in a batch of the same writer that comes right behind."""
        self.body += later.body
        self.events += later.events
        self.last_n = later.last_n

    @property
    def encoded(self) -> EncodedBatch:
        return EncodedBatch(self.writer_id, self.first_n, self.last_n, self.events, self.body)


class Division(NamedTuple):
    """A body in two: what is sent, and what is set aside."""

    rest: bytes
    body: bytes
    """What is set aside."""
    events: int
    """How many events that are, notices among them."""


def divided(body: bytes, job_ids: Container[str]) -> Division:
    """Part from a body the events of some jobs. The order of both parts stays."""
    rest: list[bytes] = []
    aside: list[bytes] = []
    for raw in split(body):
        (aside if job_of(raw) in job_ids else rest).append(raw)
    return Division(b"".join(rest), b"".join(aside), len(aside))


def post_of(writer_id: UUID, rows: list[StoredBatch]) -> Post:
    return Post(
        writer_id,
        body=b"".join(row.body for row in rows),
        events=sum(row.events for row in rows),
        dropped=sum(row.dropped for row in rows),
        row_ids=[row.id for row in rows],
    )
