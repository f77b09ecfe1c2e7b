"""Bodies whose events are given up or refused: what is left of them, and the line that says so in the job's log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from jobtail.events import REFUSAL, Line, LossNotice, NumberedEvent, refused
from jobtail.outbox.wire import encode
from jobtail.writer.buffer import Gap

_KINDS = {
    "line": "Line",
    "progress": "JobProgressed",
    "task": "TaskChanged",
    "job.started": "JobStarted",
    "job.finished": "JobFinished",
}


class Remains(NamedTuple):
    """What is left of a body whose lines were given up."""

    body: bytes
    kept: int
    """Events that are still there, notices not counted."""
    dropped: int
    """Events that are not, what earlier notices speak of not counted."""


@dataclass(slots=True)
class _Loss:
    """What one job loses."""

    gap: Gap
    last_n: int = 0
    progress: tuple[int, bytes] | None = None


@dataclass(slots=True)
class _GivingUp:
    losses: dict[str, _Loss] = field(default_factory=dict)
    kept: list[tuple[int, bytes]] = field(default_factory=list)
    dropped: int = 0


def give_up(body: bytes) -> Remains:
    """Leave of a body all but its lines, each job's newest progress, and a notice a job that counts its lines.

    Notices in the body are added up, so that giving up joined remains makes one notice of them.
    """
    work = _GivingUp()
    for raw, event in _events(body):
        _sort(work, raw, event)
    kept = len(work.kept) + sum(loss.progress is not None for loss in work.losses.values())
    return Remains(b"".join(_in_order(work)), kept, work.dropped)


def refusal(raw: bytes, reason: str) -> bytes | None:
    """Write the line that stands in for an event that was refused. None if it was such a line itself."""
    event = _parsed(raw)
    metadata = event.get("metadata")
    if isinstance(metadata, dict) and metadata.keys() == REFUSAL:
        return None
    kind = _KINDS.get(str(event.get("type")), "unknown")
    stage = event.get("stage")
    stage = stage if isinstance(stage, str) else None
    line = refused(str(event.get("job_id", "")), kind, event.get("n"), reason, stage=stage)
    return encode([NumberedEvent(_number(event), line)])


def split(body: bytes) -> list[bytes]:
    """Split a body into its events, each with its line end. JSON escapes every other kind of line end."""
    return body.splitlines(keepends=True)


def job_of(raw: bytes) -> str:
    """Tell which job an event belongs to."""
    return str(_parsed(raw).get("job_id", ""))


def _events(body: bytes) -> Iterator[tuple[bytes, dict[str, Any]]]:
    for raw in split(body):
        yield raw, _parsed(raw)


def _parsed(raw: bytes) -> dict[str, Any]:
    try:
        event = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}


def _number(event: dict[str, Any]) -> int:
    n = event.get("n")
    return n if isinstance(n, int) else 0


def _sort(work: _GivingUp, raw: bytes, event: dict[str, Any]) -> None:
    kind, n = event.get("type"), _number(event)
    if kind not in {"line", "progress"}:
        work.kept.append((n, raw))
        return
    at = _moment(event.get("at"))
    loss = work.losses.setdefault(str(event["job_id"]), _Loss(Gap(at, at)))
    if kind == "progress":
        work.dropped += loss.progress is not None
        loss.progress = n, raw
        return
    loss.last_n = n
    lost = LossNotice.of(_said(event))
    work.dropped += lost is None
    loss.gap.add(lost or LossNotice(lines=1, first_at=at, last_at=at), event.get("stage"))


def _said(event: dict[str, Any]) -> Line:
    return Line(job_id="", message=str(event.get("message")), metadata=event.get("metadata"))


def _in_order(work: _GivingUp) -> list[bytes]:
    events = work.kept
    for job_id, loss in work.losses.items():
        if loss.gap.lines:
            events.append((loss.last_n, encode([NumberedEvent(loss.last_n, loss.gap.notice(job_id))])))
        if loss.progress is not None:
            events.append(loss.progress)
    return [raw for _, raw in sorted(events)]


def _moment(at: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(at)
    except (TypeError, ValueError):
        return datetime.now(UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
