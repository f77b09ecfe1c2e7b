"""Two runs beside each other: which messages are new, missing or more frequent, and how long the stages took."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from domain.analysis.message_profiles import Fingerprint, MessageProfile, Occurrences
from domain.stages.stage_status import Stage

FREQUENT_RATIO = 2
FREQUENT_LINES = 3
"""A message is more frequent if it comes at least twice as often, and at least three times more."""


@dataclass(frozen=True, slots=True)
class MessageChange:
    """A message that one run says more than the other."""

    fingerprint: Fingerprint
    count: int
    with_count: int
    example: tuple[str, int]
    """Job and seq of its first line: in the job itself, or in the other where it is missing."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The gravest come first, then the most frequent."""

    new: Sequence[MessageChange]
    missing: Sequence[MessageChange]
    more_frequent: Sequence[MessageChange]


class StagePair(NamedTuple):
    """A stage of either run, or of both."""

    name: str
    own: Stage | None
    other: Stage | None


NEVER = Occurrences(0, 0)


def compared(own: MessageProfile, other: MessageProfile) -> Comparison:
    changes = [
        MessageChange(fingerprint, said.lines, other.said.get(fingerprint, NEVER).lines, (own.job_id, said.first_seq))
        for fingerprint, said in own.said.items()
    ]
    missing = [
        MessageChange(fingerprint, 0, said.lines, (other.job_id, said.first_seq))
        for fingerprint, said in other.said.items()
        if fingerprint not in own.said
    ]
    return Comparison(
        new=_ordered(change for change in changes if not change.with_count),
        missing=_ordered(missing),
        more_frequent=_ordered(change for change in changes if change.with_count and _is_more(change)),
    )


def _is_more(change: MessageChange) -> bool:
    more = change.count - change.with_count
    return more >= FREQUENT_LINES and change.count >= FREQUENT_RATIO * change.with_count


def _ordered(changes: Iterable[MessageChange]) -> list[MessageChange]:
    return sorted(changes, key=_rank)


def _rank(change: MessageChange) -> tuple[int, int, int]:
    _, seq = change.example
    return -change.fingerprint.level, -max(change.count, change.with_count), seq


def stage_pairs(own: Sequence[Stage], other: Sequence[Stage]) -> list[StagePair]:
    """Pair stages by name: those of the job in their order, then those that the other alone has."""
    mine = {stage.record.name: stage for stage in own}
    theirs = {stage.record.name: stage for stage in other}
    return [StagePair(name, mine.get(name), theirs.get(name)) for name in {**mine, **theirs}]
