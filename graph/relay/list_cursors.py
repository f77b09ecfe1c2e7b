"""The keys in the cursors of lists that are ordered by more than a number."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

from domain import cursors
from domain.errors import InvalidInput
from domain.executions import ExecutionLine
from domain.requests import NewestKey


def job_key(cursor: str | None) -> tuple[datetime, str] | None:
    return creation_key(cursor, "job", "jobs")


def creation_key(cursor: str | None, kind: str, things: str) -> tuple[datetime, str] | None:
    """Read a cursor of jobs, or of what a job stands for, by creation.

    Raises:
        InvalidInput: if it is of another kind.
    """
    if cursor is None:
        return None
    match cursors.decode(cursor):
        case (found, [str() as created_at, str() as job_id]) if found == kind:
            return moment(created_at, cursor), job_id
        case _:
            raise InvalidInput(f"{cursor[:80]!r} is not a cursor of a list of {things}")


def task_key(cursor: str | None) -> tuple[int, datetime, str] | None:
    if cursor is None:
        return None
    match cursors.decode(cursor):
        case ("task", [int() as first_seq, str() as started_at, str() as task_id]):
            return first_seq, moment(started_at, cursor), task_id
        case _:
            raise InvalidInput(f"{cursor[:80]!r} is not a cursor of a list of tasks")


def newest_key(cursor: str | None) -> NewestKey | None:
    if cursor is None:
        return None
    match cursors.decode(cursor):
        case ("newest", [str() as recorded_at, str() as job_id, int() as seq]) if seq > 0:
            return moment(recorded_at, cursor), job_id, seq
        case _:
            raise InvalidInput(f"{cursor[:80]!r} is not a cursor of the lines of all jobs")


def line_cursor(line: ExecutionLine, execution_id: str) -> str:
    created_at = line.job_created_at.isoformat()
    return cursors.encode("executionLog", execution_id, created_at, line.log.job_id, line.log.seq)


def line_key(cursor: str | None, execution_id: str) -> tuple[datetime, str, int] | None:
    if cursor is None:
        return None
    match cursors.decode(cursor):
        case ("executionLog", [str() as other, str() as created_at, str() as job_id, int() as seq]) if seq >= 0:
            if other != execution_id:
                raise InvalidInput(f"this cursor belongs to the log of execution {other!r}, not to {execution_id!r}")
            return moment(created_at, cursor), job_id, seq
        case _:
            raise InvalidInput(f"{cursor[:80]!r} is not a cursor of the log of an execution")


def moment(text: str, cursor: str) -> datetime:
    """Read a time that is part of a cursor.

    Raises:
        InvalidInput: if it is none.
    """
    with suppress(ValueError, OverflowError):
        time = datetime.fromisoformat(text)
        if time.tzinfo is not None:
            return time.astimezone(UTC)
    raise InvalidInput(f"{cursor[:80]!r} is not a cursor of this API; pass one back as you received it")
