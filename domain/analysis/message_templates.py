"""Message templates: a message with `<*>` for what varies from run to run, as log parsers write it.

Masks alone, and no clusters as of Drain: the template of a message never depends on other messages, so those of two runs
can be compared whenever and wherever they were made.
"""

from __future__ import annotations

import re
from functools import lru_cache

WILDCARD = "<*>"
END_LENGTH = 1_000
"""In characters. A message longer than twice that counts by its two ends: a traceback names the error in its last line."""

_DATE = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_UUID = r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"
_HEX = r"0[xX][0-9A-Fa-f]+|(?=[0-9]*[A-Fa-f])(?=[A-Fa-f]*[0-9])[0-9A-Fa-f]{8,}"
_MIXED = r"(?=[A-Za-z]*[0-9]+[A-Za-z]+[0-9])[0-9A-Za-z]{8,}"
"""An id that digits break at two places or more. `sha256sum` is a word."""
_UNIT = r" ?(?:[num\u00b5\u03bc]?s|[mh]|[kKMGT]?i?B)(?!\w)"
_NUMBER = rf"(?:(?<![\w)\]])[-+])?[0-9]+(?:[.,:][0-9]+)*(?:[eE][-+]?[0-9]+)?(?:{_UNIT})?"
"""With what makes of numbers times, addresses and versions, and with its unit: 950 ms may be 1.2 s next time."""
_QUOTED = r"""(?<![\w=:])(?<![=:] )(?P<quote>['"])(?:(?!(?P=quote)).)*(?P=quote)(?!\w|\s?[:=])"""
"""Beside a colon or an equals sign it is no value but the name or the reason: {"event": "started"}, KeyError: 'email'."""
_COLOUR = r"\x1b\[[0-9;?]*[A-Za-z]"
_SPACE = r"\s{2,}|[^\S ]"
_VARYING = re.compile(
    rf"(?<![^\W_])(?:{_DATE}|{_UUID}|{_HEX}|{_MIXED})(?![^\W_])|{_NUMBER}|{_QUOTED}|(?P<colour>{_COLOUR})|(?P<space>{_SPACE})"
)
_DIGITS = str.maketrans("123456789", "0" * 9)


def template(message: str) -> str:
    """Replace what varies: numbers, dates, ids and quoted texts."""
    return _template(clipped(message).translate(_DIGITS))


def clipped(message: str) -> str:
    """Leave the middle of a long message out."""
    if len(message) <= 2 * END_LENGTH:
        return message
    return f"{message[:END_LENGTH]}\n{message[-END_LENGTH:]}"


@lru_cache(maxsize=4096)
def _template(shape: str) -> str:
    """Make the template of all messages that differ by the values of digits alone, which are few."""
    return _VARYING.sub(_replacement, shape).strip()


def _replacement(found: re.Match[str]) -> str:
    if found["space"]:
        return " "
    if found["colour"]:
        return ""
    quote = found["quote"] or ""
    return f"{quote}{WILDCARD}{quote}"
