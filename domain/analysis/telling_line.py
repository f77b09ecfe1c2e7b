"""The line of an error that says what went wrong: its exception's type and message, not what leads there or what follows.

The page says the same of errors in its lists: web/viewer/log/text/telling.ts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from jobtail.shown_text import shown

HEADER = "Traceback (most recent call last):"
_HEADER = re.compile(r"(\s*)(?:\S+: )?.*Traceback \(most recent call last\):\s*")
_GROUP_HEADER = re.compile(r"\s*\+ Exception Group Traceback \(most recent call last\):\s*")
_GROUP_EDGE = re.compile(r"\s*(?:\| ?|\+(?:-\+)?-+ ?(?:\d+|\.\.\.)? ?-*|\+ )*")
"""What is drawn around an exception group."""
_EXCEPTION = re.compile(
    r"(?:Uncaught )?[A-Za-z_$][\w.$]*(?:Error|Exception|Warning|Interrupt|Exit|Timeout)(?:: |$)", re.ASCII
)
_GROUP = re.compile(r"\w[\w.]*Group: ")
_SPACE = re.compile(r"\s+")


def telling(text: str) -> str:
    """Choose the telling line of an error: of a traceback its exception, else its first one."""
    lines = shown(text).split("\n")
    found = _of_traceback(lines) or next((line for line in lines if line.strip()), "")
    return _SPACE.sub(" ", found).strip()


def exception_of(text: str) -> str | None:
    """Find the type and the message of the exception that a traceback in the text ends with; None without one."""
    if HEADER not in text:
        return None
    found = _of_traceback(shown(text).split("\n"))
    return None if found is None else _SPACE.sub(" ", found).strip()


def _of_traceback(lines: Sequence[str]) -> str | None:
    if any(map(_GROUP_HEADER.fullmatch, lines)):
        return _of_group(lines)
    headers = [(place, found) for place, line in enumerate(lines) if (found := _HEADER.fullmatch(line))]
    if not headers:
        return None
    place, header = headers[-1]  # of a chain the one that ended it
    frame = header[1] + " "
    return next((line for line in lines[place + 1 :] if line.strip() and not line.startswith(frame)), None)


def _of_group(lines: Sequence[str]) -> str | None:
    """Say what the group is called, and the first exception of it that is no group."""
    bare = [_GROUP_EDGE.sub("", line, count=1) for line in lines]
    group = next((line for line in bare if _GROUP.match(line)), None)
    leaf = next((line for line in bare if _EXCEPTION.match(line) and not _GROUP.match(line)), None)
    return ": ".join(filter(None, (group, leaf))) or None
