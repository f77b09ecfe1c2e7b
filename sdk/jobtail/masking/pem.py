"""Private keys in PEM: between their BEGIN and END, in one text or line by line."""

from __future__ import annotations

import re
from collections.abc import Iterator

MASK = "***"

STRANGERS = 20
"""So many lines in a row that are no part of a key end one whose END does not come."""
LONGEST = 2000
"""And so many lines at all."""

_MARKER = re.compile(r"-{4,5} ?(BEGIN|END) [A-Z0-9 ]{0,40}?PRIVATE KEY(?: BLOCK)? ?-{4,5}")
_SPACE = re.compile(r"(?:\s|\\[nr])*+")
_HEADER = re.compile(r"\s{0,200}[A-Z][A-Za-z-]{2,20}: ")
_KEY_LIKE = re.compile(r"(?:\s|\\[nr])*+(?:[A-Z][A-Za-z-]{2,20}: |[A-Za-z0-9+/=]{16})")
_LONG_RUN = re.compile(r"[A-Za-z0-9+/]{40}")
_ONLY_KEY = re.compile(r"\s*+[A-Za-z0-9+/=]++[\s\\nr\"',+]*+")


def key_bodies(text: str) -> Iterator[tuple[int, int]]:
    """Find the bodies of private keys. Without an END the rest is one if it begins like one."""
    markers = list(_MARKER.finditer(text))
    for marker, following in zip(markers, [*markers[1:], None], strict=True):
        if marker[1] == "BEGIN":
            start = _SPACE.match(text, marker.end()).end()  # type: ignore[union-attr] # matches nothing too
            end = _end_of_body(text, marker.end(), following)
            if start < end and text[start:end].strip("*"):
                yield start, end


def _end_of_body(text: str, start: int, following: re.Match[str] | None) -> int:
    if following is not None and following[1] == "END":
        end = following.start()
        while end > start and text[end - 1].isspace():
            end -= 1
        return end - 2 if text[end - 2 : end] == "\\n" else end
    if _KEY_LIKE.match(text, start) is None:
        return start
    return len(text) if following is None else following.start()


class KeyStream:
    """Lines of one stream. From the BEGIN of a private key to its END every line of the key is masked.

    Lines between that are no part of one, as of another thread, pass. Twenty of them in a row end the key.
    """

    def __init__(self) -> None:
        self._lines = 0
        """Of the present key, its BEGIN included; 0 outside of any."""
        self._strangers = 0

    def mask(self, line: str) -> str:
        """Give the line, or a mask in its place."""
        if not self._lines and "PRIVATE KEY" not in line:
            return line
        markers = list(_MARKER.finditer(line))
        if markers:
            return self._at_marker(line, markers)
        return self._inside(line) if self._lines else line

    def _at_marker(self, line: str, markers: list[re.Match[str]]) -> str:
        first, was_inside = markers[0], self._lines > 0
        self._strangers = 0
        self._lines = int(markers[-1][1] == "BEGIN")
        ended = line[: first.start()]
        return MASK + line[first.start() :] if was_inside and first[1] == "END" and ended.strip() else line

    def _inside(self, line: str) -> str:
        self._lines += 1
        if not line.strip():
            return line
        if self._is_of_key(line):
            self._strangers = 0
            return MASK
        self._strangers += 1
        if self._strangers >= STRANGERS or self._lines > LONGEST:
            self._lines = 0
        return line

    def _is_of_key(self, line: str) -> bool:
        if _LONG_RUN.search(line):
            return True
        return not self._strangers and bool(_ONLY_KEY.fullmatch(line) or _HEADER.match(line))
