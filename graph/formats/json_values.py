"""The number of values in a JSON text, told before it is read: a text of 4 MB may become 80 MB of objects."""

from __future__ import annotations

import re

BYTES_OF_VALUE = 100
"""What a value takes as an object, its text left out; a value may be a container."""
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[,\[{]+', re.DOTALL)
_QUOTE = ord('"')
_STRUCTURE = (b",", b"[", b"{")


def values_in(text: str | bytes, most: int) -> int:
    """Count the values, or about as many; exactly only where they might be more than `most`.

    What is in strings does not count, as JSON is often sent within JSON.
    """
    if len(text) <= most:
        return 0 if len(text) < BYTES_OF_VALUE else _structure(text.encode() if isinstance(text, str) else text)
    written = text.encode("utf-8", "replace") if isinstance(text, str) else text
    found = _structure(written)
    return found if found <= most else _structure_between_strings(written, most)


def memory_of(text: str | bytes, values: int) -> int:
    """Tell about how many bytes a text of so many values takes when it is read."""
    return len(text) + BYTES_OF_VALUE * values


def _structure(text: bytes) -> int:
    return sum(map(text.count, _STRUCTURE))


def _structure_between_strings(text: bytes, most: int) -> int:
    """Count up to where it is more than `most`."""
    found = 0
    for token in _TOKEN.finditer(text):
        if text[token.start()] != _QUOTE:
            found += token.end() - token.start()
            if found > most:
                break
    return found
