"""Lines that are JSON already, for those who hand them on and look at nothing in them but their numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple, Self, overload


class Writing(Enum):
    """How an attribute is written as JSON."""

    NUMBER = "as it is"
    TEXT = "as a string"
    TIME = "in UTC with microseconds and Z"
    LEVEL = "by its name in capitals"
    JSON = "as the value that it is"


LINE_ATTRIBUTES: Mapping[str, Writing] = {
    "seq": Writing.NUMBER,
    "job_id": Writing.TEXT,
    "execution_id": Writing.TEXT,
    "stage": Writing.TEXT,
    "task_id": Writing.TEXT,
    "timestamp": Writing.TIME,
    "level": Writing.LEVEL,
    "message": Writing.TEXT,
    "metadata": Writing.JSON,
}
"""What a line has that can be written, for Postgres and for Python."""


@dataclass(frozen=True, slots=True)
class LineSelection:
    """What a line's JSON object has, in order: the name of each member, and the attribute of the line that it holds."""

    members: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, members: Sequence[tuple[str, str]]) -> Self | None:
        """Select attributes of lines, None where one of them is none or there is none."""
        are_lines = members and all(attribute in LINE_ATTRIBUTES for _, attribute in members)
        return cls(tuple(members)) if are_lines else None

    @property
    def attributes(self) -> tuple[str, ...]:
        return tuple(attribute for _, attribute in self.members)


class WrittenLine(NamedTuple):
    seq: int
    json: str


class WrittenLines(Sequence[Any]):
    """Has a `WrittenLine` of each."""

    __slots__ = ("_seqs", "_texts")

    def __init__(self, seqs: Sequence[int], texts: Sequence[str]) -> None:
        self._seqs, self._texts = seqs, texts

    def __len__(self) -> int:
        return len(self._seqs)

    @overload
    def __getitem__(self, index: int) -> WrittenLine: ...

    @overload
    def __getitem__(self, index: slice) -> WrittenLines: ...

    def __getitem__(self, index: int | slice) -> WrittenLine | WrittenLines:
        seqs, texts = self._seqs[index], self._texts[index]
        if isinstance(seqs, int):
            return WrittenLine(seqs, str(texts))
        return WrittenLines(seqs, texts)

    @property
    def json(self) -> bytes:
        """The JSON array of them."""
        return f"[{','.join(self._texts)}]".encode()


NO_LINES = WrittenLines([], [])
