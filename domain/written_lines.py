"""Lines that are JSON already, for those who hand them on and look at nothing in them but their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias, overload

Members: TypeAlias = tuple[tuple[str, str], ...]
"""What a line's JSON object has, in order: the name of each member, and the attribute of the line that it holds.

A time is written in UTC with microseconds and `Z`, a level by its name in capitals.
"""


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
