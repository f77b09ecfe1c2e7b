"""A clock that can be set: it takes the place of Python's own before anything else is imported.

Only what asks Python for the time of day sees it: `time.time`, `time.time_ns` and `datetime.now`. The kernel's clock,
SQLite's and the service's stay as they are.
"""

from __future__ import annotations

import datetime as dt
import time

_time_ns = time.time_ns
_shift_ns = 0


def shift(seconds: float) -> None:
    """Set the clock forward, or back."""
    global _shift_ns  # noqa: PLW0603 - a clock is one
    _shift_ns += int(seconds * 1e9)


def now() -> dt.datetime:
    return _SetDatetime.now(dt.UTC)


class _SetDatetime(dt.datetime):
    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> _SetDatetime:
        seconds, rest_ns = divmod(_shifted_ns(), 1_000_000_000)
        return cls.fromtimestamp(seconds, tz).replace(microsecond=rest_ns // 1_000)


def _shifted_ns() -> int:
    return _time_ns() + _shift_ns


def install() -> None:
    time.time_ns = _shifted_ns
    time.time = lambda: _shifted_ns() / 1e9
    dt.datetime = _SetDatetime  # type: ignore[misc]
