"""Levels as other programs write them."""

from __future__ import annotations

from jobtail.events import LogLevel

_NAMES = {level.name: level for level in LogLevel} | {"WARN": LogLevel.WARNING, "FATAL": LogLevel.CRITICAL}


def level_of_name(name: str) -> LogLevel | None:
    """Find the level of a name in any case, WARN and FATAL among them."""
    return _NAMES.get(name.strip().upper())
