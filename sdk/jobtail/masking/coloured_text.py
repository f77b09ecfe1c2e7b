"""Text without its colours, and where what is found in it stands in the text with them."""

from __future__ import annotations

import re
from bisect import bisect_right

Span = tuple[int, int]

COLOUR_START = "\x1b["
_COLOUR = re.compile(r"\x1b\[[0-9;:]*[A-Za-z]")


class PlainText:
    """A text whose escape sequences are taken out: they may stand between a name and its value."""

    __slots__ = ("_moved", "_places", "text")

    def __init__(self, coloured: str) -> None:
        parts: list[str] = []
        self._places: list[int] = []
        self._moved: list[int] = []
        done = length = 0
        for found in _COLOUR.finditer(coloured):
            parts.append(coloured[done : found.start()])
            length += found.start() - done
            done = found.end()
            self._places.append(length)
            self._moved.append(done - length)
        self.text = "".join([*parts, coloured[done:]])

    def original(self, span: Span) -> Span:
        """Tell where a span of the plain text stands in the coloured one."""
        start, end = span
        return start + self._moved_at(start), end + self._moved_at(end - 1)

    def _moved_at(self, place: int) -> int:
        before = bisect_right(self._places, place)
        return self._moved[before - 1] if before else 0
