"""OTLP in JSON, read record by record: no more of a request becomes objects than one record at a time.

A request's text is looked through for the places of its records, which are cut out of it. What is left, the resources and
the scopes around them, is small.
"""

from __future__ import annotations

import base64
import json
import math
import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from domain.errors import InvalidInput
from domain.logs import storable_json
from graph.capture.otlp_ids import SPAN_BYTES, TRACE_BYTES, id_of_hex
from graph.capture.otlp_records import BadRecord, Record, Surroundings
from graph.formats.json_values import values_in

MOST_RECORDS = 200_000
"""Of one request."""
MOST_VALUES = 100_000
"""That a record, or all that is around the records, may hold."""
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_OF_RECORD = b"{[{[{["
"""The brackets that are open where a record begins: request, resources, resource, scopes, scope, records."""
_DEEPEST = 1000
_64_BITS = 2**63
_LONGEST_NUMBER = 30
"""In digits: of 64 bits are 20."""


def read_json(body: bytes) -> Iterator[tuple[Record | None, Surroundings]]:
    """Yield the records with what is around them, None for one that cannot be read.

    Raises:
        InvalidInput: if the body is no request.
    """
    rest, places = _cut(body)
    for of_resource in _objects(_read(rest), "resourceLogs", "resource_logs"):
        resource = _attributes(_object(of_resource, "resource", "resource"))
        for of_scope in _objects(of_resource, "scopeLogs", "scope_logs"):
            scope = _object(of_scope, "scope", "scope")
            around = Surroundings(
                resource,
                _attributes(scope),
                scope_name=_text(scope, "name", "name"),
                scope_version=_text(scope, "version", "version"),
            )
            for number in _list(of_scope, "logRecords", "log_records"):
                yield _record_at(body, places, number), around


def _cut(body: bytes) -> tuple[bytes, Sequence[int]]:
    """Find where the records begin and end, and put their numbers into their places."""
    opened, places, rest, end = bytearray(), array("Q"), bytearray(), 0
    start: int | None = None
    for token in _TOKEN.finditer(body):
        at = token.start()
        sign = body[at]
        if sign == ord('"'):
            continue
        if sign in b"[{":
            if start is None and sign == ord("{") and opened == _OF_RECORD:
                start = at
            opened.append(sign)
            if len(opened) > _DEEPEST:
                raise InvalidInput("the body is nested too deeply to be read")
            continue
        if opened:
            opened.pop()
        if start is not None and opened == _OF_RECORD:
            rest += body[end:start] + b"%d" % (len(places) // 2)
            places.extend((start, at + 1))
            start, end = None, at + 1
            if len(places) > 2 * MOST_RECORDS:
                raise InvalidInput(f"a request takes {MOST_RECORDS:,} records at most: send the rest in another")
    return bytes(rest + body[end:]), places


def _read(text: bytes) -> Any:
    most = MOST_VALUES + MOST_RECORDS
    if values_in(text, most) > most:
        raise InvalidInput(f"what is around the records holds more than {MOST_VALUES:,} values")
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:  # lone surrogates, and numbers that only Python holds
        read = json.loads(text.decode("utf-8", "replace"), strict=False, parse_constant=str, parse_float=_float)
        return storable_json(read)


def _float(digits: str) -> float | str:
    number = float(digits)
    return number if math.isfinite(number) else digits


def _record_at(body: bytes, places: Sequence[int], number: Any) -> Record | None:
    if type(number) is not int or not 0 <= 2 * number < len(places):
        return None  # no object stood there
    start, end = places[2 * number : 2 * number + 2]
    try:
        text = body[start:end]
        if len(text) > MOST_VALUES and values_in(text, MOST_VALUES) > MOST_VALUES:
            return None
        return _record(_read(text))
    except (ValueError, OverflowError, RecursionError):
        return None


def _record(fields: dict[str, Any]) -> Record:
    body = fields.get("body")
    time = _whole(fields, "timeUnixNano", "time_unix_nano") or _whole(
        fields, "observedTimeUnixNano", "observed_time_unix_nano"
    )
    return Record(
        body=_value(body),
        has_body=body is not None,
        event_name=_text(fields, "eventName", "event_name"),
        severity_number=_severity(fields),
        severity_text=_text(fields, "severityText", "severity_text"),
        time_unix_nano=min(max(time, 0), 2**64 - 1),
        attributes=_attributes(fields),
        trace_id=id_of_hex(_field(fields, "traceId", "trace_id"), TRACE_BYTES),
        span_id=id_of_hex(_field(fields, "spanId", "span_id"), SPAN_BYTES),
    )


def _severity(fields: Mapping[str, Any]) -> int:
    """Read the number, which may be written by its name."""
    said = _field(fields, "severityNumber", "severity_number")
    if isinstance(said, str) and not said.lstrip("-").isdecimal():
        name = said.removeprefix("SEVERITY_NUMBER_")
        return 0 if name == said or name not in _SEVERITIES else _SEVERITIES[name]
    return _number(said)


_SEVERITIES = {
    f"{name}{step or ''}": first + max(step - 1, 0)
    for first, name in ((1, "TRACE"), (5, "DEBUG"), (9, "INFO"), (13, "WARN"), (17, "ERROR"), (21, "FATAL"))
    for step in (0, 2, 3, 4)
}


def _value(any_value: Any) -> Any:
    """Read an AnyValue."""
    if any_value is None:
        return None
    for name, value in _mapping(any_value).items():
        read = _KINDS.get(name)
        if read is not None and value is not None:
            return read(value)
    return None


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise BadRecord("a stringValue must be a string")
    return value


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise BadRecord("a boolValue must be true or false")
    return value


def _number(value: Any) -> int:
    """Read a whole number of 64 bits, which JSON may hold as a text."""
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise BadRecord("a number must be a number, or one as a text")
    number = int(value[:_LONGEST_NUMBER] if isinstance(value, str) else value)
    if not -_64_BITS <= number < 2 * _64_BITS or (isinstance(value, float) and number != value):
        raise BadRecord("a whole number has 64 bits at most")
    return number


def _double(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise BadRecord("a doubleValue must be a number")
    return float(value)


def _bytes(value: Any) -> bytes:
    return base64.b64decode(_string(value).replace("-", "+").replace("_", "/"), validate=True)


def _array(value: Any) -> list[Any]:
    return [_value(each) for each in _list(_mapping(value), "values", "values")]


def _pairs(value: Any) -> dict[str, Any]:
    return dict(_pair(each) for each in _list(_mapping(value), "values", "values"))


def _pair(pair: Any) -> tuple[str, Any]:
    fields = _mapping(pair)
    return _text(fields, "key", "key"), _value(fields.get("value"))


_KINDS = {
    **dict.fromkeys(("stringValue", "string_value"), _string),
    **dict.fromkeys(("boolValue", "bool_value"), _boolean),
    **dict.fromkeys(("intValue", "int_value"), _number),
    **dict.fromkeys(("doubleValue", "double_value"), _double),
    **dict.fromkeys(("bytesValue", "bytes_value"), _bytes),
    **dict.fromkeys(("arrayValue", "array_value"), _array),
    **dict.fromkeys(("kvlistValue", "kvlist_value"), _pairs),
}


def _attributes(fields: Mapping[str, Any]) -> dict[str, Any]:
    return dict(_pair(each) for each in _list(fields, "attributes", "attributes"))


def _whole(fields: Mapping[str, Any], *names: str) -> int:
    return _number(_field(fields, *names))


def _text(fields: Mapping[str, Any], *names: str) -> str:
    value = _field(fields, *names)
    return "" if value is None else _string(value)


def _objects(fields: Any, *names: str) -> Iterator[Mapping[str, Any]]:
    return map(_mapping, _list(_mapping(fields), *names))


def _object(fields: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    value = _field(fields, *names)
    return {} if value is None else _mapping(value)


def _list(fields: Mapping[str, Any], *names: str) -> list[Any]:
    value = _field(fields, *names)
    if not isinstance(value, list | None):
        raise BadRecord(f"{names[0]} must be a list")
    return value or []


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise BadRecord(f"an object is wanted, not {type(value).__name__}")
    return value


def _field(fields: Mapping[str, Any], name: str, other_name: str) -> Any:
    """Read a field by the name that JSON has for it, or by protobuf's own."""
    value = fields.get(name)
    return fields.get(other_name) if value is None else value
