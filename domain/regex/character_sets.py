"""Sets of characters as ranges of code points, ascending and apart. NUL is in none: no stored text holds it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TypeAlias

Ranges: TypeAlias = tuple[tuple[int, int], ...]
"""First and last code points, both inclusive."""

LAST = 0x10FFFF
EVERY: Ranges = ((1, LAST),)
NEWLINE: Ranges = ((10, 10),)
DIGITS: Ranges = ((48, 57),)
WORD: Ranges = ((48, 57), (65, 90), (95, 95), (97, 122))
SPACE: Ranges = ((9, 13), (32, 32))
_LAST_CASED = 0x1FFFF
"""No character beyond has a case."""


def merged(ranges: Iterable[tuple[int, int]]) -> Ranges:
    found: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return tuple(found)


def inverted(ranges: Ranges) -> Ranges:
    """Give all characters that are not in a set."""
    found, begin = [], 1
    for first, last in ranges:
        if begin < first:
            found.append((begin, first - 1))
        begin = last + 1
    if begin <= LAST:
        found.append((begin, LAST))
    return tuple(found)


def folded(ranges: Ranges) -> Ranges:
    """Add to a set its characters in lower case."""
    lows = (low for code, low in _cased() if any(first <= code <= last for first, last in ranges))
    return merged([*ranges, *((low, low) for low in lows)])


def lowered(code: int) -> int:
    """Lower a character by itself, as `fold_case` does."""
    return ord(chr(code).lower()[0])


@cache
def _cased() -> list[tuple[int, int]]:
    """List the characters that have another one as their lower case."""
    pairs = ((code, lowered(code)) for code in range(_LAST_CASED + 1))
    return [(code, low) for code, low in pairs if low != code]
