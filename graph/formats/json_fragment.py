"""`JsonFragment`, a part of an answer that is JSON already, and how an answer with such parts is written down."""

from __future__ import annotations

import json
from typing import Any

import orjson


class JsonFragment:
    """An answer's data, or a part of it, that is written down already."""

    __slots__ = ("json",)

    def __init__(self, json: bytes) -> None:
        self.json = json


def to_bytes(data: Any) -> bytes:
    """Write an answer down; what is encoded already goes in as it is."""
    try:
        return orjson.dumps(data, default=_fragment)
    except TypeError:  # a client's lone surrogate that a message of GraphQL's own quotes
        return json.dumps(data, default=_parsed).encode()


def to_json(data: Any) -> str:
    return to_bytes(data).decode()


def _fragment(data: Any) -> orjson.Fragment:
    if not isinstance(data, JsonFragment):
        raise TypeError
    return orjson.Fragment(data.json)


def _parsed(data: JsonFragment) -> Any:
    return orjson.loads(data.json)
