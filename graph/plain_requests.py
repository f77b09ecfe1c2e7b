"""Requests of the plainest kind: one operation, POSTed as JSON by a client that wants one answer.

Most are of it, and there is nothing to find out about them. Whatever is not surely of this kind is left to Strawberry, which
knows all kinds, and says what is wrong with a request.
"""

from __future__ import annotations

import re

import orjson
from cross_web import AsyncHTTPRequestAdapter
from strawberry.http import GraphQLRequestData

CONTENT_TYPES = frozenset({"application/json", "application/json; charset=utf-8", "application/json;charset=utf-8"})
_LONG_NUMBER = re.compile(rb"[0-9]{16}")
"""orjson makes a float of a whole number over 64 bits, where Strawberry's reader keeps its digits."""


async def plain_request(request: AsyncHTTPRequestAdapter) -> GraphQLRequestData | None:
    """Read a request, None where it is not a plain one."""
    headers = request.headers
    accept = headers.get("accept", "").lower()
    is_stream = "event-stream" in accept or "multipart" in accept
    if request.method != "POST" or is_stream or headers.get("content-type", "").lower() not in CONTENT_TYPES:
        return None
    return _read(await request.get_body())


def _read(body: bytes) -> GraphQLRequestData | None:
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
