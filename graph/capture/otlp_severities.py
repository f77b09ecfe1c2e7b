"""OpenTelemetry's severities as levels: by number, four of which make a level, or by the names that its specification maps."""

from __future__ import annotations

from jobtail.events import LogLevel

_LEVELS = list(LogLevel)
_RANGES = {"TRACE": 1, "DEBUG": 5, "INFO": 9, "WARN": 13, "ERROR": 17, "FATAL": 21}
_OF_OTHERS = {
    "FINEST": 1,
    "FINER": 2,
    "VERBOSE": 5,
    "FINE": 5,
    "CONFIG": 6,
    "INFORMATION": 9,
    "INFORMATIONAL": 9,
    "NOTICE": 10,
    "WARNING": 13,
    "SEVERE": 17,
    "DPANIC": 18,
    "ALERT": 19,
    "PANIC": 19,
    "CRITICAL": 21,
    "EMERGENCY": 21,
}
"""What syslog, Windows' event log, Log4j, Zap, java.util.logging and .NET say, by the table "Example Mappings" of the data
model. `Critical` is one number in syslog and another in .NET: it is our level of that name."""
NUMBERS = {
    **{f"{name}{step or ''}": first + max(step - 1, 0) for name, first in _RANGES.items() for step in (0, 1, 2, 3, 4)},
    **_OF_OTHERS,
}
"""The number of each name, in upper case."""


def level_of(number: int, text: str) -> LogLevel:
    """Find the level. A number goes before a text; INFO is what nothing or something unknown says."""
    if number <= 0:
        number = NUMBERS.get(text.strip().upper(), 0)
    return _LEVELS[min((number - 1) // 4, len(_LEVELS) - 1)] if number > 0 else LogLevel.INFO
