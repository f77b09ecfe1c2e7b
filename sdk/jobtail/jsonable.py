"""Snapshots of what a job passes as metadata: plain JSON values that no later change of the job's objects reaches.

What JSON cannot say is replaced by something that is seen. Nothing here raises, whatever it is given.
"""

from __future__ import annotations

import base64
import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping, ValuesView
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time
from enum import Enum
from numbers import Integral, Rational, Real
from typing import Any

from jobtail.events import rfc3339

MAX_DEPTH = 50
MAX_VALUES = 1_000_000
"""Lists that hold one another twice grow by powers of two; a snapshot ends here instead of filling the memory."""
MAX_INT_BITS = 10_000
"""Python writes no longer integers as decimals (sys.set_int_max_str_digits)."""

_PLAIN = frozenset({str, bool, type(None)})
_SMALL = range(-(2**63), 2**64)


def jsonable_object(metadata: Any) -> dict[str, Any] | None:
    """Take a snapshot of a line's metadata. What is not a mapping becomes the `value` of one."""
    if metadata is None:
        return None
    try:
        if type(metadata) is dict and _is_flat(metadata):
            return metadata.copy()
    except RuntimeError:
        pass  # another thread changes it right now; the walk below copies before it looks
    value = jsonable(metadata)
    return value if isinstance(value, dict) else {"value": value}


def jsonable(value: Any) -> Any:
    """Take a snapshot of a value: dict, list, str, int, finite float, bool or None."""
    return _Snapshot().of(value, 0)


def shown(value: Any) -> str:
    """Say a value as text; one that cannot be said is named by its type."""
    if type(value) is str:
        return value
    try:
        return str.__str__(str(value.value if isinstance(value, Enum) else value))
    except Exception:  # noqa: BLE001 - a job's own __str__ may raise anything
        return f"<{type(value).__qualname__} that cannot be shown>"


def named(error: BaseException) -> str:
    """Say an error's kind and message in one line."""
    kind, text = type(error).__qualname__, shown(error)
    return f"{kind}: {text}" if text else kind


def _is_flat(metadata: dict[Any, Any]) -> bool:
    for key, value in metadata.items():
        if type(key) is not str or (type(value) not in _PLAIN and not _is_plain_number(value)):
            return False
    return True


def _is_plain_number(value: Any) -> bool:
    kind = type(value)
    return value in _SMALL if kind is int else kind is float and math.isfinite(value)


class _Snapshot:
    """One walk: the containers that it is inside of, and how much it has seen."""

    def __init__(self) -> None:
        self.path: set[int] = set()
        self.count = 0

    def of(self, value: Any, depth: int) -> Any:
        self.count += 1
        if self.count > MAX_VALUES:
            return f"<more than {MAX_VALUES} values>"
        kind = type(value)
        if kind in _PLAIN or _is_plain_number(value):
            return value
        try:
            return self._container(value, depth) if _holds_values(value) else _scalar(value)
        except Exception:  # noqa: BLE001 - a job's own containers may raise anything
            return f"<{kind.__qualname__} that cannot be shown>"

    def _container(self, value: Any, depth: int) -> Any:
        if id(value) in self.path:
            return "<cycle>"
        if depth >= MAX_DEPTH:
            return f"<deeper than {MAX_DEPTH}>"
        self.path.add(id(value))
        try:
            if isinstance(value, Mapping):
                return self._object(list(value.items()), depth + 1)
            if is_dataclass(value):
                return self._object(((field.name, getattr(value, field.name)) for field in fields(value)), depth + 1)
            return [
                self.of(item, depth + 1)
                for item in (_in_order(value) if isinstance(value, AbstractSet) else list(value))
            ]
        finally:
            self.path.discard(id(value))

    def _object(self, items: Iterable[tuple[Any, Any]], depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, item in items:
            name = key if type(key) is str else _key(key)
            if name in result:  # 1 and "1" are two keys in Python
                name = f"{name} ({type(key).__qualname__})"
            result[name] = self.of(item, depth)
        return result


def _holds_values(value: Any) -> bool:
    if isinstance(value, Enum | str | bytes | bytearray):
        return False
    if isinstance(value, Mapping | list | tuple | AbstractSet | deque | ValuesView):
        return True
    return is_dataclass(value) and not isinstance(value, type)


def _in_order(values: AbstractSet[Any]) -> list[Any]:
    try:
        return sorted(values)
    except Exception:  # noqa: BLE001 - a job's own comparison may raise anything
        return list(values)


def _key(key: Any) -> str:
    return shown(_scalar(key)) if isinstance(key, Enum | bytes | date) else shown(key)


def _scalar(value: Any) -> Any:
    for kinds, convert in _CONVERSIONS:
        if isinstance(value, kinds):
            return convert(value)
    return shown(value)


def _float(value: Any) -> float | str:
    number = float(value)
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def _int(value: Any) -> int | str:
    number = int(value)
    return number if number.bit_length() <= MAX_INT_BITS else hex(number)


def _bytes(value: bytes | bytearray | memoryview) -> str:
    whole = bytes(value)
    try:
        return whole.decode()
    except UnicodeDecodeError:
        return f"base64:{base64.b64encode(whole).decode()}"


def _datetime(value: datetime) -> str:
    try:
        return rfc3339(value)
    except (OverflowError, OSError, ValueError):  # the first and last day of the calendar have no local time
        return value.isoformat()


_CONVERSIONS: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (Enum, lambda value: jsonable(value.value)),
    (str, str.__str__),
    (Integral, _int),
    (Rational, shown),
    (Real, _float),
    ((bytes, bytearray, memoryview), _bytes),
    (datetime, _datetime),
    ((date, time), lambda value: value.isoformat()),
    (BaseException, lambda value: f"{type(value).__qualname__}: {shown(value)}"),
)
"""The first kind that fits decides: an IntEnum is an Enum before it is a number."""
