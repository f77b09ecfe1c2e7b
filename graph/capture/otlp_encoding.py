"""OTLP's two encodings, protobuf and JSON: requests are read, answers and errors written, in the same one."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator
from typing import Any

import orjson
from google.protobuf.json_format import MessageToJson, ParseDict, ParseError
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse

from domain.errors import InvalidInput
from domain.logs import storable_json

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
_IDS = ("traceId", "trace_id", "spanId", "span_id")
_VARINT_MORE = 0x80


def read_request(media_type: str, body: bytes) -> ExportLogsServiceRequest:
    """Read a request.

    Raises:
        InvalidInput: if it is none.
    """
    try:
        if media_type == PROTOBUF:
            return ExportLogsServiceRequest.FromString(body)
        return ParseDict(_with_bytes_as_base64(_json(body)), ExportLogsServiceRequest(), ignore_unknown_fields=True)
    except RecursionError:
        raise InvalidInput("the body is nested too deeply to be read") from None
    except (DecodeError, ParseError, ValueError, TypeError, AttributeError) as error:
        raise InvalidInput(f"the body is no ExportLogsServiceRequest in {media_type}: {error}") from None


def write_answer(media_type: str, answer: ExportLogsServiceResponse) -> bytes:
    return answer.SerializeToString() if media_type == PROTOBUF else MessageToJson(answer, indent=None).encode()


def write_status(media_type: str, code: int, message: str) -> bytes:
    """Write a google.rpc.Status: field 1 is the code, field 2 the message."""
    if media_type != PROTOBUF:
        return json.dumps({"code": code, "message": message}).encode()
    text = message.encode("utf-8", "replace")
    return b"\x08" + _varint(code) + b"\x12" + _varint(len(text)) + text


def _varint(number: int) -> bytes:
    groups = bytearray()
    while number >= _VARINT_MORE:
        groups.append(number % _VARINT_MORE + _VARINT_MORE)
        number //= _VARINT_MORE
    return bytes((*groups, number))


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:  # lone surrogates, and numbers that only Python holds
        return storable_json(json.loads(body, strict=False, parse_constant=str, parse_float=_float))


def _float(digits: str) -> float | str:
    number = float(digits)
    return number if math.isfinite(number) else digits


def _with_bytes_as_base64(request: Any) -> Any:
    """Turn the ids, which OTLP writes in hex, into what protobuf's JSON means by bytes."""
    for record in _records(request):
        for name in _IDS:
            if isinstance(record.get(name), str):
                record[name] = base64.b64encode(bytes.fromhex(record[name])).decode()
    return request


def _records(request: Any) -> Iterator[dict[str, Any]]:
    for of_resource in _list(request, "resourceLogs", "resource_logs"):
        for of_scope in _list(of_resource, "scopeLogs", "scope_logs"):
            yield from _list(of_scope, "logRecords", "log_records")


def _list(message: dict[str, Any], *names: str) -> Iterator[Any]:
    for name in names:
        yield from message.get(name) or ()
