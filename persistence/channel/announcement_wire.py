"""The wire form of announcements: JSON, in which a message is a version and one array for each announcement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson

from domain.announcements import Announcement
from domain.logs import TaskLog
from jobtail.events import JobStatus, LogLevel

VERSION = 1
"""First in every message. A process that knows another version looks at the database instead of guessing."""
ROW_BYTES = 80
"""A row on the wire is never shorter than this and its texts: two times, a seq, a level, quotes and commas."""


OPENING, COMMA, END = b"[%d" % VERSION, b",", b"]"
ENVELOPE = len(OPENING + COMMA + END)
"""What a message is longer than the one announcement in it, in bytes."""


_STATUSES = {str(status): status for status in JobStatus}
_LEVELS = {int(level): level for level in LogLevel}


class UnreadableMessage(ValueError):
    """The message is none of ours, or of another version."""


def decode(text: str | bytes) -> list[Announcement]:
    """Read a message.

    Raises:
        UnreadableMessage: if it cannot be.
    """
    try:
        version, *parts = orjson.loads(text)
        if version != VERSION:
            raise UnreadableMessage(f"a message of version {version!r:.20}, and this process reads {VERSION}")
        return [_announcement(*part) for part in parts]
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise error if isinstance(error, UnreadableMessage) else UnreadableMessage(str(error)) from error


def encode(announcement: Announcement) -> bytes:
    """Write one announcement down, as a part of a message."""
    part = (
        announcement.job_id,
        announcement.first_seq,
        announcement.last_seq,
        announcement.status,
        [_row_fields(row) for row in announcement.rows],
    )
    return orjson.dumps(part, default=_plain)


def message(parts: Sequence[bytes]) -> str:
    """Put a message together."""
    return b"".join((OPENING, *(COMMA + part for part in parts), END)).decode()


def merged(earlier: Announcement, later: Announcement) -> Announcement:
    """Say in one announcement without rows what two of the same job say."""
    return replace(
        later,
        first_seq=min(earlier.first_seq, later.first_seq),
        last_seq=max(earlier.last_seq, later.last_seq),
        rows=(),
    )


def least_size(rows: Sequence[TaskLog], limit: int) -> int:
    """Tell how many bytes rows take at the least. Stops at what is over the limit: it need not be known by how much."""
    size = 0
    for row in rows:
        size += ROW_BYTES + len(row.message) + len(row.stage)
        for value in (row.metadata or {}).values():
            size += len(value) if isinstance(value, str) else 0
        if size > limit:
            break
    return size


def _row_fields(row: TaskLog) -> tuple[Any, ...]:
    return (
        row.seq,
        row.execution_id,
        row.stage,
        row.task_id,
        row.timestamp.astimezone(UTC),
        row.recorded_at.astimezone(UTC),
        row.level,
        row.message,
        row.metadata,
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError


def _announcement(job_id: str, first_seq: int, last_seq: int, status: str, rows: list[list[Any]]) -> Announcement:
    if not (isinstance(job_id, str) and isinstance(first_seq, int) and isinstance(last_seq, int)):
        raise UnreadableMessage("an announcement is malformed")
    return Announcement(
        job_id=job_id,
        first_seq=first_seq,
        last_seq=last_seq,
        status=_STATUSES[status],
        rows=tuple(_row(job_id, fields) for fields in rows),
    )


def _row(job_id: str, fields: Sequence[Any]) -> TaskLog:
    seq, execution_id, stage, task_id, timestamp, recorded_at, level, message, metadata = fields
    return TaskLog(
        job_id=job_id,
        seq=seq,
        execution_id=execution_id,
        stage=stage,
        task_id=task_id,
        timestamp=datetime.fromisoformat(timestamp),
        recorded_at=datetime.fromisoformat(recorded_at),
        level=_LEVELS[level],
        message=message,
        metadata=metadata,
    )
