"""Requests of the plainest kind: one operation, POSTed as JSON by a client that wants one answer.

Most are of it, and there is nothing to find out about them. Whatever is not surely of this kind is left to Strawberry, which
knows all kinds, and says what is wrong with a request.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Self

import orjson
from starlette.types import Scope
from strawberry.http import GraphQLRequestData

CONTENT_TYPES = frozenset({b"application/json", b"application/json; charset=utf-8", b"application/json;charset=utf-8"})
_LONG_NUMBER = re.compile(rb"[0-9]{16}")
"""orjson makes a float of a whole number over 64 bits, where Strawberry's reader keeps its digits."""


class PlainHead(NamedTuple):
    """What the headers of a plain request say."""

    authorization: str | None
    accept: str
    content_length: str

    @classmethod
    def of(cls, scope: Scope) -> Self | None:
        """Read the headers of a request, None where it is not a plain one."""
        sent = scope["headers"]
        headers = dict(sent)
        if scope["method"] != "POST" or headers.get(b"content-type", b"").lower() not in CONTENT_TYPES:
            return None
        accept = headers.get(b"accept", b"").lower()
        if len(headers) < len(sent) or b"event-stream" in accept or b"multipart" in accept:
            return None
        authorization = headers.get(b"authorization")
        return cls(
            authorization=None if authorization is None else authorization.decode("latin-1"),
            accept=accept.decode("latin-1"),
            content_length=headers.get(b"content-length", b"").decode("latin-1"),
        )


def plain_request(body: bytes) -> GraphQLRequestData | None:
    """Read the body that follows a plain head, None where it asks for more than one answer, or is not as it should be."""
    if _LONG_NUMBER.search(body):
        return None
    try:
        asked = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if type(asked) is not dict or asked.get("extensions") is not None:
        return None
    query, variables, name = asked.get("query"), asked.get("variables"), asked.get("operationName")
    if type(query) is not str or not isinstance(variables, dict | None) or not isinstance(name, str | None):
        return None
    return GraphQLRequestData(query=query, variables=variables, operation_name=name, extensions=None)
