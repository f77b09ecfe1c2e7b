"""The protocol graphql-transport-ws as this service speaks it: with tokens, with limits, and with whatever clients send."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from graphql import GraphQLError
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler
from strawberry.subscriptions.protocols.graphql_transport_ws.types import ConnectionInitMessage, SubscribeMessage

from domain.access import Grant
from domain.errors import TooMany
from graph.context import Context
from graph.errors import coded
from graph.live.sessions import OVER, Sessions

FORBIDDEN = 4403
"""Closes a websocket whose token is none, or none any more."""


class TransportWSHandler(BaseGraphQLTransportWSHandler[Context, None]):
    """Ends with the token that let it in. Takes a client that hangs up in a message for what it is: no error."""

    @property
    def grant(self) -> Grant:
        return self.context.grant

    async def end(self) -> None:
        with suppress(WebSocketDisconnected, RuntimeError):  # it may hang up in this very moment
            await self.websocket.close(code=FORBIDDEN, reason=OVER)

    async def handle_connection_init(self, message: ConnectionInitMessage) -> None:
        await super().handle_connection_init(message)
        if self.connection_acknowledged:
            self._sessions.add(self)

    async def handle_message(self, message: Any) -> None:
        if _is_message(message):
            await super().handle_message(message)
        else:
            await self.handle_invalid_message("Failed to parse message")

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        try:
            self._require_room()
        except TooMany as error:
            told = coded(GraphQLError(str(error), original_error=error)).formatted
            await self.send_message({"id": message["id"], "type": "error", "payload": [told]})
        else:
            await super().handle_subscribe(message)

    def _require_room(self) -> None:
        """Go on only if another operation may run; what may not even begin is refused elsewhere."""
        if not self.connection_acknowledged:
            return
        most = self.max_subscriptions_per_connection
        if most is not None and len(self.operations) >= most:
            raise TooMany(
                f"{most:,} operations run on this websocket, the most that may: complete one, open another websocket, or "
                "raise JOBTAIL_MAX_SUBSCRIPTIONS_PER_CONNECTION"
            )
        self._state.gate.charge(self.grant)

    async def shutdown(self) -> None:
        self._sessions.discard(self)
        await super().shutdown()

    @property
    def _sessions(self) -> Sessions:
        sessions: Sessions = self._state.sessions
        return sessions

    @property
    def _state(self) -> Any:
        assert self.context.connection is not None
        return self.context.connection.app.state

    async def handle_task_exception(self, error: Exception) -> None:
        if not isinstance(error, WebSocketDisconnected):
            await super().handle_task_exception(error)


def _is_message(message: Any) -> bool:
    """Tell whether it is made as the protocol has it, so far as it is looked at unseen."""
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        return False
    if message["type"] not in {"subscribe", "complete"}:
        return True
    if not isinstance(message.get("id"), str):
        return False
    return message["type"] == "complete" or _is_operation(message.get("payload"))


def _is_operation(payload: Any) -> bool:
    return (
        isinstance(payload, dict)
        and isinstance(payload.get("query"), str)
        and isinstance(payload.get("variables"), dict | None)
        and isinstance(payload.get("operationName"), str | None)
    )
