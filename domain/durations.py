"""Lengths of time as people write them: 30m, 12h, 90d, 2w."""

from __future__ import annotations

import re
from datetime import timedelta

from domain.errors import InvalidInput

UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def read_duration(text: str, name: str) -> timedelta:
    """Read a duration that was given as `name`.

    Raises:
        InvalidInput: if it is none.
    """
    found = re.fullmatch(r"([0-9]{1,5})([mhdw])", text)
    if found is None or int(found[1]) == 0:
        raise InvalidInput(f"{name} {text!r} is no duration; give a number and one of m, h, d, w, such as 90d")
    return timedelta(**{UNITS[found[2]]: int(found[1])})
