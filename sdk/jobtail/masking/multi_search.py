"""Many texts looked for at once, in time that does not grow with their number.

Every text is filed under some of its pieces of four characters, so many in a row that one of them begins at a place that
is looked at, whatever its position in the haystack.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from jobtail.masking.encoded_forms import SHORTEST, EncodedForm

Span = tuple[int, int]

PIECE = SHORTEST
STRIDE = 5
"""Of a text of 8 characters and more every fifth place is looked at, of shorter ones every place."""
CHUNK = STRIDE << 14
FEW = 32
"""So many short texts are looked for one by one, which is faster than looking at every place."""
_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_")


class _Filed(NamedTuple):
    disguise: EncodedForm
    offset: int


class _Index:
    """Texts by their pieces. Others may add while one looks: every step is one operation of a dictionary."""

    __slots__ = ("_by_piece", "stride")

    def __init__(self, stride: int) -> None:
        self.stride = stride
        self._by_piece: dict[str, dict[_Filed, None]] = {}

    def add(self, disguise: EncodedForm) -> None:
        first = (len(disguise.text) - PIECE - self.stride + 1) // 2
        for offset in range(first, first + self.stride):
            piece = disguise.text[offset : offset + PIECE]
            self._by_piece.setdefault(piece, {})[_Filed(disguise, offset)] = None

    def find(self, text: str) -> Iterator[Span]:
        pieces, stride, length = self._by_piece.keys(), self.stride, len(text)
        if not pieces or (stride == 1 and len(pieces) <= FEW and not any(piece in text for piece in list(pieces))):
            return
        for start in range(0, length, CHUNK):
            places = range(start, min(start + CHUNK, length), stride)
            if not pieces.isdisjoint([text[place : place + PIECE] for place in places]):
                for place in places:
                    yield from self._at(text, place)

    def _at(self, text: str, place: int) -> Iterator[Span]:
        for disguise, offset in list(self._by_piece.get(text[place : place + PIECE], ())):
            start = place - offset
            if start >= 0 and text.startswith(disguise.text, start):
                yield _extended(text, start, disguise)


class MultiSearch:
    """What is looked for. Its own text shows nothing of it."""

    __slots__ = ("_known", "_long", "_short", "has_stars")

    def __init__(self) -> None:
        self._known: set[EncodedForm] = set()
        self._long = _Index(STRIDE)
        self._short = _Index(1)
        self.has_stars = False
        """Whether the mask itself may complete one of them."""

    def __bool__(self) -> bool:
        return bool(self._known)

    def add(self, disguises: Iterable[EncodedForm]) -> None:
        for disguise in disguises:
            if disguise not in self._known:
                (self._long if len(disguise.text) >= PIECE + STRIDE - 1 else self._short).add(disguise)
                self.has_stars = self.has_stars or "*" in disguise.text
                self._known.add(disguise)

    def find(self, text: str) -> list[Span]:
        """Give the places of all of them, in no order; they may overlap."""
        return [*self._long.find(text), *self._short.find(text)]


def _extended(text: str, start: int, disguise: EncodedForm) -> Span:
    end = start + len(disguise.text)
    if disguise.has_shared_start and start > 0 and text[start - 1] in _BASE64:
        start -= 1
    if disguise.has_shared_end and text[end : end + 1] in _BASE64:
        end += 1
    return start, end
