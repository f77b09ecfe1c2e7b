"""A message as people read a long one: its beginning, its end, and how much lies between."""

from __future__ import annotations

import re
from dataclasses import dataclass

from domain.analysis.telling_line import exception_of
from jobtail.shown_text import coloured

_CUT_COLOUR = re.compile(r"\x1b(?:\[[0-9;:]*)?\Z")
_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
LONGEST_COLOUR = 64


@dataclass(frozen=True, slots=True)
class Preview:
    head: str
    tail: str | None
    """None where `head` is the whole message."""
    hidden_lines: int = 0
    """Line ends between the two: with those of both they are all that the message has."""
    hidden_characters: int = 0
    exception: str | None = None
    """Type and message of the exception, where the message is a traceback."""


def preview(message: str, max_length: int) -> Preview:
    """Shorten a message to about a number of characters, at the ends of lines where they are near.

    What is longer is shortened as a terminal shows it: of a progress bar its last state is seen, not one of its first.
    """
    exception = exception_of(message)
    text = message if len(message) <= max_length else coloured(message)
    if len(text) <= max_length:
        return Preview(text, None, exception=exception)
    head, tail = _head(text, max_length // 2), _tail(text, max_length - max_length // 2)
    hidden = text[len(head) : len(text) - len(tail)]
    return Preview(head, tail, hidden.count("\n"), len(hidden), exception)


def _head(text: str, length: int) -> str:
    end = text.rfind("\n", length // 2, length) + 1 or length
    return _CUT_COLOUR.sub("", text[:end])


def _tail(text: str, length: int) -> str:
    begin = len(text) - length
    line = text.find("\n", begin - 1, begin + length // 2) + 1
    if line:
        return text[line:]
    cut = text.rfind("\x1b", max(begin - LONGEST_COLOUR, 0), begin)
    found = _COLOUR.match(text, cut) if cut >= 0 else None
    return text[max(begin, found.end()) if found else begin :]
