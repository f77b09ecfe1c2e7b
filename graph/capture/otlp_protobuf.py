"""OTLP in protobuf, read record by record: the frames around the records are passed through as bytes.

Two bytes may stand for an empty message that takes a hundred times as much, so nothing is decoded before it is known to be
small, or to hold few values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from domain.errors import InvalidInput
from graph.capture.otlp_ids import SPAN_BYTES, TRACE_BYTES, id_of_bytes
from graph.capture.otlp_json import MOST_RECORDS, MOST_VALUES
from graph.capture.otlp_records import Record, Surroundings

LEAST_BYTES = 2
"""Of a message within another: its field and its length."""
SMALL_BYTES = 64 * 1024
"""What a message of this size becomes may be had unseen."""
_LENGTH_DELIMITED = 2
_FIXED = {1: 8, 5: 4}
"""The wire types whose values have a length of their own."""
_LONGEST_VARINT = 10
_MORE = 0x80
"""Of a byte of a number: others follow."""
_KEY_VALUE, _ANY, _ARRAY, _LIST, _RECORD, _RESOURCE, _SCOPE = range(7)
_PARTS = {
    _RESOURCE: {1: _KEY_VALUE},
    _SCOPE: {3: _KEY_VALUE},
    _RECORD: {5: _ANY, 6: _KEY_VALUE},
    _KEY_VALUE: {2: _ANY},
    _ANY: {5: _ARRAY, 6: _LIST},
    _ARRAY: {1: _ANY},
    _LIST: {1: _KEY_VALUE},
}
"""Of each kind of message, the fields that are messages of another kind."""


def read_protobuf(body: bytes) -> Iterator[tuple[Record | None, Surroundings]]:
    """Yield the records with what is around them, None for one that cannot be read.

    Raises:
        InvalidInput: if the body is no request.
        DecodeError: as well.
    """
    if len(body) > LEAST_BYTES * MOST_RECORDS:
        _require_few(body)  # before anything is made of any
    for resource_start, resource_end in _messages(body, 0, len(body), 1):
        resource = Resource.FromString(_joined(body, resource_start, resource_end, _RESOURCE))
        attributes = _attributes(resource.attributes)
        for scope_start, scope_end in _messages(body, resource_start, resource_end, 2):
            scope = InstrumentationScope.FromString(_joined(body, scope_start, scope_end, _SCOPE))
            around = Surroundings(
                attributes, _attributes(scope.attributes), scope_name=scope.name, scope_version=scope.version
            )
            for start, end in _messages(body, scope_start, scope_end, 2):
                yield _record_at(body, start, end), around


def _require_few(body: bytes) -> None:
    """Go on only with so many records, and with as many resources and scopes, which take as much as they do."""
    for count, _ in enumerate(_all(body)):
        if count >= MOST_RECORDS:
            raise InvalidInput(f"a request takes {MOST_RECORDS:,} records at most: send the rest in another")


def _all(body: bytes) -> Iterator[tuple[int, int]]:
    for resource in _messages(body, 0, len(body), 1):
        yield resource
        for scope in _messages(body, *resource, 2):
            yield scope
            yield from _messages(body, *scope, 2)


def _joined(body: bytes, start: int, end: int, kind: int) -> bytes:
    """Give the message in field 1, which protobuf lets a sender divide."""
    parts = [body[begin:stop] for begin, stop in _messages(body, start, end, 1)]
    message = b"".join(parts)
    if len(message) > SMALL_BYTES and not _is_light(message, 0, len(message), kind):
        raise InvalidInput(f"what is around the records holds more than {MOST_VALUES:,} values")
    return message


def _record_at(body: bytes, start: int, end: int) -> Record | None:
    try:
        if end - start > SMALL_BYTES and not _is_light(body, start, end, _RECORD):
            return None
        record = LogRecord.FromString(body[start:end])
    except (DecodeError, InvalidInput):
        return None
    return Record(
        body=_value(record.body),
        has_body=record.HasField("body"),
        event_name=record.event_name,
        severity_number=record.severity_number,
        severity_text=record.severity_text,
        time_unix_nano=record.time_unix_nano or record.observed_time_unix_nano,
        attributes=_attributes(record.attributes),
        trace_id=id_of_bytes(record.trace_id, TRACE_BYTES),
        span_id=id_of_bytes(record.span_id, SPAN_BYTES),
    )


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    match kind:
        case None:
            return None
        case "array_value":
            return [_value(item) for item in value.array_value.values]
        case "kvlist_value":
            return _attributes(value.kvlist_value.values)
        case _:
            return getattr(value, kind)


def _is_light(body: bytes, start: int, end: int, kind: int) -> bool:
    """Tell whether a message holds no more values than it may."""
    waiting, count = [(start, end, kind)], 0
    while waiting:
        start, end, kind = waiting.pop()
        parts = _PARTS[kind]
        for number, begin, stop in _fields(body, start, end):
            count += 1
            if count > MOST_VALUES:
                return False
            if number in parts:
                waiting.append((begin, stop, parts[number]))
    return True


def _messages(body: bytes, start: int, end: int, wanted: int) -> Iterator[tuple[int, int]]:
    for number, begin, stop in _fields(body, start, end):
        if number == wanted:
            yield begin, stop


def _fields(body: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield the length-delimited fields of a message, and where each begins and ends."""
    while at < end:
        tag = body[at]
        tag, at = (tag, at + 1) if tag < _MORE else _varint(body, at, end)
        wire_type = tag & 7
        if wire_type == _LENGTH_DELIMITED:
            length = body[at] if at < end else _MORE
            length, at = (length, at + 1) if length < _MORE else _varint(body, at, end)
            if at + length > end:
                raise InvalidInput("a message is longer than what it is in")
            yield tag >> 3, at, at + length
            at += length
        elif wire_type == 0:
            _, at = _varint(body, at, end)
        elif wire_type in _FIXED:
            at += _FIXED[wire_type]
        else:
            raise InvalidInput(f"the wire type {wire_type} is not understood")


def _varint(body: bytes, at: int, end: int) -> tuple[int, int]:
    """Read a number of seven bits a byte, and tell where it ends."""
    number = 0
    for place in range(_LONGEST_VARINT):
        if at >= end:
            break
        byte = body[at]
        at += 1
        number |= (byte & 0x7F) << 7 * place
        if byte < _MORE:
            return number, at
    raise InvalidInput("a number has no end")
