"""The memory that values take, about: whatever is held for readers and writers is counted by it."""

from __future__ import annotations

from collections.abc import Mapping
from sys import getsizeof
from typing import Any

SMALL_BYTES = 32
"""A number, or another value without parts."""
CONTAINER_BYTES = 64
PART_BYTES = 16
"""What a container takes for each of its parts."""
KEY_BYTES = 100
"""What a key of an object takes, its object's table included."""
_SMALL = frozenset({int, float, bool, type(None)})


def memory_of(value: Any) -> int:
    """Count a JSON value in bytes, with all that is in it."""
    total, waiting = 0, [value]
    while waiting:
        each = waiting.pop()
        kind = type(each)
        if kind is str:
            total += getsizeof(each)
        elif kind in _SMALL:
            total += SMALL_BYTES
        elif isinstance(each, Mapping):
            total += CONTAINER_BYTES + KEY_BYTES * len(each)
            waiting.extend(each.values())
        elif isinstance(each, list | tuple):
            total += CONTAINER_BYTES + PART_BYTES * len(each)
            waiting.extend(each)
    return total
