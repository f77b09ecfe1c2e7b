"""Levels as other programs write them."""

from __future__ import annotations

from jobtail.events import LogLevel

_NAMES = {level.name: level for level in LogLevel} | {"WARN": LogLevel.WARNING, "FATAL": LogLevel.CRITICAL}
_GRAVEST_FIRST = sorted(LogLevel, reverse=True)


def level_of_name(name: str) -> LogLevel | None:
    """Find the level of a name in any case, WARN and FATAL among them."""
    return _NAMES.get(name.strip().upper())


def level_of_number(number: int) -> LogLevel:
    """Find the level of a number of Python's logging; one between two levels is the lower of them."""
    return next((level for level in _GRAVEST_FIRST if number >= level), LogLevel.TRACE)
