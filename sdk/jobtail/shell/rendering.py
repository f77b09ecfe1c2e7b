"""The rendering of a log's line for a terminal, for a pipe and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from jobtail.shown_text import UNSEEN, coloured, shown

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


def as_json(line: Mapping[str, Any]) -> bytes:
    """Write a line as one JSON object, in UTF-8 whatever the locale.

    A lone surrogate becomes its JSON escape, and so does all that would steer a terminal or turn its text around.
    """
    text = UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(line, ensure_ascii=False))
    return text.encode("utf-8", "backslashreplace") + b"\n"


def renderer(*, has_colour: bool, encoding: str) -> Render:
    """Make what writes a line for reading: its text as a terminal shows it, and nothing else that steers one."""

    def render(line: Mapping[str, Any]) -> bytes:
        message = coloured(line["message"]) if has_colour else shown(line["message"])
        place, level = shown(_place(line)), line["level"]
        text = _coloured(line, level, place, message) if has_colour else _plain(line, level, place, message)
        return f"{text}\n".encode(encoding, "backslashreplace")

    return render


def _plain(line: Mapping[str, Any], level: str, place: str, message: str) -> str:
    return f"{_clock(line['timestamp'])}  {level:<{LEVEL_WIDTH}}  {place}  {message}"


def _coloured(line: Mapping[str, Any], level: str, place: str, message: str) -> str:
    shown_level = f"{COLOURS.get(level, '')}{level:<{LEVEL_WIDTH}}{PLAIN}"
    return f"{DIM}{_clock(line['timestamp'])}{PLAIN}  {shown_level}  {DIM}{place}{PLAIN}  {message}"


def _place(line: Mapping[str, Any]) -> str:
    return f"{line['stage']}/{line['taskId']}" if line.get("taskId") else str(line["stage"])


def _clock(timestamp: str) -> str:
    """Show the local time of day: 12:03:04.123."""
    return datetime.fromisoformat(timestamp).astimezone().strftime("%H:%M:%S.%f")[:-3]
