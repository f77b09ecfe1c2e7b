"""Whole lines out of pieces of output, as bytes or text. Nothing is lost and no character is split."""

from __future__ import annotations

import codecs

MOST_REDRAWN = 8_000_000
r"""Characters of a line that has no end: beyond them it ends at its last \r, as that of a progress bar may."""
LONGEST_LINE = 60_000_000
"""And beyond these anywhere. A line travels whole, and the service takes no more than 64 MiB at once."""

_decoder = codecs.getincrementaldecoder("utf-8")


class LineSplitter:
    r"""Splits at \n and takes \r\n as one end. A lone \r stays: a progress bar redraws its line and is one line.

    Bytes are UTF-8; those that are not are shown as \xNN. A line costs time in proportion to its length. One that does
    not end becomes several lines, so that it costs no more memory than the longest of them.
    """

    def __init__(self, *, most_redrawn: int = MOST_REDRAWN, longest: int = LONGEST_LINE) -> None:
        self._decoder = _decoder("backslashreplace")
        self._has_bytes = False
        self._most_redrawn = most_redrawn
        self._longest = longest
        self._parts: list[str] = []
        self._length = 0
        self._look_at = most_redrawn
        """The length at which the line is next looked through for a place to part it."""

    def feed(self, data: bytes | bytearray | memoryview | str) -> list[str]:
        """Take the next piece, and give the lines that it ends."""
        text = self._text(data)
        lines: list[str] = []
        if "\n" in text:
            first, *others = text.split("\n")
            whole = ["".join([*self._parts, first]), *others[:-1]]
            lines = [line.removesuffix("\r") for each in whole for line in self._bounded(each)]
            text = others[-1]
            self._begin()
        self._parts.append(text)
        self._length += len(text)
        return lines if self._length < self._look_at else lines + self._parted()

    def flush(self) -> list[str]:
        """Give the line that has no end, if there is one, and forget it."""
        rest = "".join(self._parts) + self._end_of_bytes()
        self._begin()
        return self._bounded(rest) if rest else []

    def _begin(self, rest: str = "") -> None:
        self._parts, self._length, self._look_at = [rest], len(rest), self._most_redrawn

    def _parted(self) -> list[str]:
        """Give the part of a long line that may go, up to its last redraw if there is one."""
        line = "".join(self._parts)
        end = line.rfind("\r", 0, -1)  # the last character may be half of an end
        if end > 0:
            self._begin(line[end + 1 :])
            return self._bounded(line[:end])
        *lines, rest = self._bounded(line)
        self._begin(rest)
        self._look_at = max(self._most_redrawn, min(2 * len(rest), self._longest))
        return lines

    def _bounded(self, line: str) -> list[str]:
        longest = self._longest
        if len(line) <= longest:
            return [line]
        return [line[start : start + longest] for start in range(0, len(line), longest)]

    def _text(self, data: bytes | bytearray | memoryview | str) -> str:
        if isinstance(data, str):
            return self._end_of_bytes() + data if self._has_bytes else data
        self._has_bytes = True
        return self._decoder.decode(data)

    def _end_of_bytes(self) -> str:
        """Show a character that was begun and never ended."""
        self._has_bytes = False
        rest = self._decoder.decode(b"", final=True)
        self._decoder.reset()
        return rest
