"""Whole lines out of pieces of output, as bytes or text. Nothing is cut and no character is split."""

from __future__ import annotations

import codecs

_decoder = codecs.getincrementaldecoder("utf-8")


class LineSplitter:
    r"""Splits at \n and takes \r\n as one end. A lone \r stays: a progress bar redraws its line and is one line.

    Bytes are UTF-8; those that are not are shown as \xNN. A line may have any length, and costs time in proportion.
    """

    def __init__(self) -> None:
        self._decoder = _decoder("backslashreplace")
        self._has_bytes = False
        self._parts: list[str] = []

    def feed(self, data: bytes | bytearray | memoryview | str) -> list[str]:
        """Take the next piece, and give the lines that it ends."""
        text = self._text(data)
        if "\n" not in text:
            self._parts.append(text)
            return []
        first, *others = text.split("\n")
        lines = ["".join([*self._parts, first]), *others[:-1]]
        self._parts = [others[-1]]
        return [line.removesuffix("\r") for line in lines]

    def flush(self) -> list[str]:
        """Give the line that has no end, if there is one, and forget it."""
        rest = "".join(self._parts) + self._end_of_bytes()
        self._parts = []
        return [rest] if rest else []

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
