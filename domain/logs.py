"""A stored line, and the text that can be stored."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from jobtail.events import LogLevel

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""What a Postgres text cannot hold: NUL, and surrogates that stand alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLog:
    """One line of a job as it is stored."""

    job_id: str
    seq: int
    execution_id: str | None
    stage: str
    task_id: str | None
    """None for a line of the stage itself."""
    timestamp: datetime
    """When the job said it, by the worker's clock."""
    recorded_at: datetime
    """When it was stored, by the database's clock."""
    level: LogLevel
    message: str
    metadata: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogExtent:
    """Between which numbers and times the lines of a job lie."""

    first_seq: int
    """Of the first line that is still there."""
    last_seq: int
    first_at: datetime
    """No line was said before, by its worker's clock. Where the first lines were pruned, when the first one left was said."""
    last_at: datetime
    """No line was said later."""


class SaidMessage(NamedTuple):
    """A line, but for what a fingerprint does not need."""

    seq: int
    level: int
    stage: str
    message: str
    """Clipped as `domain.analysis.message_templates` has it."""


def storable(text: str) -> str:
    """Replace what Postgres cannot hold by something that is seen: NUL by U+2400, a lone surrogate by U+FFFD."""
    if text.isascii() and "\x00" not in text:
        return text
    return UNSTORABLE.sub(lambda found: "\u2400" if found[0] == "\x00" else "\ufffd", text)


EARLIEST = datetime(1, 1, 2, tzinfo=UTC)
LATEST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""The calendar's very ends stand for infinity in the driver. Lines are stored by seconds in a double, which holds every
microsecond from 1700 to 2250, and those of other years to 32 microseconds."""


def storable_time(at: datetime) -> datetime:
    """Bring a time to UTC, between `EARLIEST` and `LATEST`. One without an offset is local, as Python has it."""
    if at.tzinfo is None:
        try:
            at = at.astimezone(UTC)
        except (OverflowError, OSError, ValueError):  # the first and last day of the calendar have no local time
            at = at.replace(tzinfo=UTC)
    return min(max(at, EARLIEST), LATEST).astimezone(UTC)


MAX_LABEL_LENGTH = 200
"""In characters. Job, stage and task ids together are a key, and Postgres indexes no key over 2,700 bytes."""


def storable_label(text: str) -> str:
    """Make an id or a name usable as a key.

    One that is too long keeps its beginning and gets a digest, so that two that differ stay apart.
    """
    label = storable(text)
    if len(label) <= MAX_LABEL_LENGTH:
        return label
    digest = hashlib.sha256(label.encode()).hexdigest()[:16]
    return f"{label[: MAX_LABEL_LENGTH - 17]}~{digest}"


MAX_JSON_DEPTH = 200
"""Containers in containers. JSON writers give up soon beyond."""


def storable_json(value: Any, depth: int = 0) -> Any:
    """Apply `storable` to every string and key of a JSON value.

    A number that no JSON reader takes becomes a text, and so does what lies too deep.
    """
    # The commonest first: whether something is a Mapping is a question that takes long to answer.
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**64 else str(value)
    is_object = type(value) is dict or isinstance(value, Mapping)
    if not is_object and not isinstance(value, list | tuple):
        return value
    if depth >= MAX_JSON_DEPTH:
        return f"<deeper than {MAX_JSON_DEPTH}>"
    if is_object:
        return {storable(str(key)): storable_json(item, depth + 1) for key, item in value.items()}
    return [storable_json(item, depth + 1) for item in value]
