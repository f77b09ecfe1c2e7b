"""The line that ended a job, among its lines at ERROR and above."""

from __future__ import annotations

from collections.abc import Iterable

from domain.analysis.telling_line import telling
from domain.logs import TaskLog
from jobtail.shown_text import shown

SHORTEST_REASON = 8
"""In characters. What is shorter, such as `1`, is in many a line that has nothing to do with it."""


def carrying(error: str, lines: Iterable[TaskLog]) -> TaskLog | None:
    """Find the last of some lines that carries a job's error: in its text, or in the `error` of its metadata."""
    said = telling(error)
    kind, _, reason = said.partition(": ")
    reasons = [shown(error).strip(), said]
    if len(reason) >= SHORTEST_REASON and " " not in kind:
        reasons.append(reason)
    return max(
        (line for line in lines if _carries(line, [each for each in reasons if each], shown(error))),
        key=lambda line: line.seq,
        default=None,
    )


def _carries(line: TaskLog, reasons: list[str], error: str) -> bool:
    text = shown(line.message)
    own = line.metadata.get("error") if line.metadata else None
    return any(each in text for each in reasons) or (
        isinstance(own, str) and len(own) >= SHORTEST_REASON and shown(own) in error
    )
