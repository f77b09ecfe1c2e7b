"""OTLP's two encodings, protobuf and JSON: requests are read, answers and errors written, in the same one."""

from __future__ import annotations

import json
from collections.abc import Iterator

from google.protobuf.json_format import MessageToJson
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

from domain.errors import InvalidInput
from graph.capture.otlp_json import read_json
from graph.capture.otlp_protobuf import read_protobuf
from graph.capture.otlp_records import Record, Surroundings

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
_VARINT_MORE = 0x80


def read_request(media_type: str, body: bytes) -> Iterator[tuple[Record | None, Surroundings]]:
    """Yield a request's records with what is around them, None for one that cannot be read.

    Raises:
        InvalidInput: if it is no request.
    """
    try:
        yield from read_protobuf(body) if media_type == PROTOBUF else read_json(body)
    except RecursionError:
        raise InvalidInput("the body is nested too deeply to be read") from None
    except (DecodeError, ValueError, InvalidInput) as error:
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
