"""Server-sent events: which requests get them, and how they are written."""

from __future__ import annotations

from graphql import OperationType
from strawberry.http.streaming import SSETransport

from graph.formats.media_types import EVENT_STREAM, accepted, takes


class EventStream(SSETransport):
    """Ends lines by a line feed alone: the specification allows three ends, and clients of GraphQL read this one."""

    def encode_event(self, event: str, data: str | None = None) -> str:
        return super().encode_event(event, data).replace("\r\n", "\n")

    def encode_comment(self, comment: str) -> str:
        return super().encode_comment(comment).replace("\r\n", "\n")


def wants_events(accept: str, json_types: tuple[str, ...], operation: OperationType | None) -> bool:
    """Tell whether an answer is a stream: a subscription's where it may be one, another's where nothing is liked better.

    Clients name every type that they know, whatever they ask for.
    """
    if operation is OperationType.SUBSCRIPTION:
        return takes(accept, EVENT_STREAM)
    return accepted(accept, (*json_types, EVENT_STREAM)) == EVENT_STREAM
