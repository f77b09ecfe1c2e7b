"""Room in the spool: which batches give up their lines when all of them together are too large."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from jobtail.outbox.loss_notices import give_up

ROW_BYTES = 200
"""What a row takes beside its body, at least."""
MOST_MERGED_BYTES = 64 << 10
"""Remains larger than this are left alone, so that no append has to read them all again."""


class _Batch(NamedTuple):
    id: int
    url: str
    writer_id: str
    events: int
    dropped: int
    size: int
    sending: int
    given_up: int
    body: bytes


_OLDEST_WHOLE = """
    SELECT id, url, writer_id, events, dropped, size, sending, given_up, body
    FROM batches WHERE given_up = 0 AND sending <> 1 ORDER BY id LIMIT 1
"""
_BEFORE = """
    SELECT id, url, writer_id, events, dropped, size, sending, given_up, body
    FROM batches WHERE url = ? AND writer_id = ? AND id < ? ORDER BY id DESC LIMIT 1
"""


def row_size(body: bytes) -> int:
    return len(body) + ROW_BYTES


def make_room(connection: sqlite3.Connection, writer_id: str, max_bytes: int) -> int | None:
    """Bring all batches together below a bound, the oldest first. None if they were.

    Otherwise tells how many of the writer's own events that cost; other writers find theirs in the rows' `dropped`.
    """
    if _held(connection) <= max_bytes:
        return None
    cost = 0
    while _held(connection) > max_bytes:
        freed = _give_up_oldest(connection, writer_id)
        if freed is None:
            freed = _delete_oldest(connection, writer_id)
        if freed is None:
            break  # all that is left is being sent right now
        cost += freed
    return cost


def _held(connection: sqlite3.Connection) -> int:
    held: int = connection.execute("SELECT bytes FROM held").fetchone()[0]
    return held


def _give_up_oldest(connection: sqlite3.Connection, writer_id: str) -> int | None:
    """Let the oldest whole batch give up its lines. None if there is none."""
    found = connection.execute(_OLDEST_WHOLE).fetchone()
    if found is None:
        return None
    batch = _Batch(*found)
    earlier = _mergeable(connection, batch)
    body = batch.body if earlier is None else earlier.body + batch.body
    remains = give_up(body)
    is_own = batch.writer_id == writer_id
    dropped = batch.dropped + (earlier.dropped if earlier else 0) + (0 if is_own else remains.dropped)
    if earlier is not None:
        connection.execute("DELETE FROM batches WHERE id = ?", (earlier.id,))
    connection.execute(
        "UPDATE batches SET given_up = 1, events = ?, dropped = ?, size = ?, body = ? WHERE id = ?",
        (remains.kept, dropped, row_size(remains.body), remains.body, batch.id),
    )
    return remains.dropped if is_own else 0


def _mergeable(connection: sqlite3.Connection, batch: _Batch) -> _Batch | None:
    """Find the remains right before a batch that can be counted together with its own.

    Not where one of both was sent already: if it is stored after all, its own notice will be skipped by its number.
    """
    found = connection.execute(_BEFORE, (batch.url, batch.writer_id, batch.id)).fetchone()
    if found is None:
        return None
    earlier = _Batch(*found)
    is_untried = not earlier.sending and not batch.sending
    return earlier if earlier.given_up and is_untried and earlier.size <= MOST_MERGED_BYTES else None


def _delete_oldest(connection: sqlite3.Connection, writer_id: str) -> int | None:
    """Delete the oldest remains whole: not even they fit. None if there are none."""
    found = connection.execute(
        "SELECT id, writer_id, events FROM batches WHERE sending <> 1 ORDER BY id LIMIT 1"
    ).fetchone()
    if found is None:
        return None
    connection.execute("DELETE FROM batches WHERE id = ?", found[:1])
    return int(found[2]) if found[1] == writer_id else 0
