"""The scalars of the contract."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NewType

import orjson
import strawberry
from strawberry.exceptions import StrawberryInputCoercionError
from strawberry.scalars import JSON
from strawberry.types.scalar import ScalarDefinition

from graph.formats.times import read_time

BigInt = NewType("BigInt", int)

LARGEST = 2**53 - 1
"""The largest whole number that a JSON number carries exactly to every client."""


def write_time(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def write_times(values: Sequence[datetime]) -> list[str]:
    """Write times as `write_time` does each, ten times as fast.

    orjson leaves microseconds out where there are none, which the length tells, as it tells of an offset but UTC's.
    """
    written: list[str] = orjson.loads(orjson.dumps(values, option=orjson.OPT_UTC_Z))
    if set(map(len, written)) <= {_TIME_LENGTH}:
        return written
    return [write_time(value) for value in values]


_TIME_LENGTH = len("2025-01-15T10:30:00.123456Z")


def _read_time(value: Any) -> datetime:
    if (time := read_time(value)) is not None:
        return time
    raise StrawberryInputCoercionError(f"{value!r} is no RFC 3339 time such as 2025-01-15T10:30:00.123456Z")


def _read_big(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > LARGEST:
        raise StrawberryInputCoercionError(f"{value!r} is no whole number between -(2^53-1) and 2^53-1")
    return value


SCALARS: dict[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="RFC 3339, UTC, microseconds: 2025-01-15T10:30:00.123456Z",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=write_time,
        parse_value=_read_time,
    ),
    BigInt: strawberry.scalar(
        name="BigInt",
        description="A whole number up to 2^53-1, sent as a JSON number.",
        serialize=int,
        parse_value=_read_big,
    ),
    JSON: strawberry.scalar(
        name="JSON",
        description="Any JSON value.",
        serialize=lambda value: value,
        parse_value=lambda value: value,
    ),
}
