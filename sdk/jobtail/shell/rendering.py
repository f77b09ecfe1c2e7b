"""The rendering of a log's line for a terminal, for a pipe and as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

Render = Callable[[Mapping[str, Any]], bytes]

LEVEL_WIDTH = 8
DIM = "\x1b[2m"
PLAIN = "\x1b[0m"
COLOURS = {
    "TRACE": DIM,
    "DEBUG": DIM,
    "INFO": "\x1b[32m",
    "WARNING": "\x1b[33m",
    "ERROR": "\x1b[31m",
    "CRITICAL": "\x1b[1;31m",
}
SGR = re.compile(r"\x1b\[[0-9;:]*m")
"""A colour or another look of characters: all that a job may tell a terminal."""
HARMFUL = re.compile(
    r"\x1b(?!\[[0-9;:]*m)"  # moves the cursor, renames the window, asks the terminal to type
    r"|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]"
    r"|[\u200e\u200f\u202a-\u202e\u2066-\u2069]",  # turns the order of characters round
)


def as_json(line: Mapping[str, Any]) -> bytes:
    """Write a line as one JSON object, in UTF-8 whatever the locale. A lone surrogate becomes its JSON escape."""
    return json.dumps(line, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def renderer(*, is_terminal: bool, has_colour: bool, encoding: str) -> Render:
    """Make what writes a line for reading. What would harm a terminal is escaped only where there is one."""

    def render(line: Mapping[str, Any]) -> bytes:
        message, place, level = line["message"], _place(line), line["level"]
        if is_terminal:
            message, place = _harmless(message, has_colour=has_colour), _harmless(place, has_colour=False)
        text = _coloured(line, level, place, message) if has_colour else _plain(line, level, place, message)
        return f"{text}\n".encode(encoding, "backslashreplace")

    return render


def _plain(line: Mapping[str, Any], level: str, place: str, message: str) -> str:
    return f"{_clock(line['timestamp'])}  {level:<{LEVEL_WIDTH}}  {place}  {message}"


def _coloured(line: Mapping[str, Any], level: str, place: str, message: str) -> str:
    end = PLAIN if "\x1b" in message else ""
    shown_level = f"{COLOURS.get(level, '')}{level:<{LEVEL_WIDTH}}{PLAIN}"
    return f"{DIM}{_clock(line['timestamp'])}{PLAIN}  {shown_level}  {DIM}{place}{PLAIN}  {message}{end}"


def _place(line: Mapping[str, Any]) -> str:
    return f"{line['stage']}/{line['taskId']}" if line.get("taskId") else str(line["stage"])


def _clock(timestamp: str) -> str:
    """Show the local time of day: 12:03:04.123."""
    return datetime.fromisoformat(timestamp).astimezone().strftime("%H:%M:%S.%f")[:-3]


def _harmless(text: str, *, has_colour: bool) -> str:
    if not has_colour:
        text = SGR.sub("", text)
    return HARMFUL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
