"""The protocol graphql-transport-ws as this service speaks it: with tokens, with limits, and with whatever clients send."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import suppress
from json import JSONDecodeError
from typing import Any

from graphql import GraphQLError
from starlette.websockets import WebSocketDisconnect, WebSocketState
from starlette.websockets import WebSocketDisconnected as ClosedWebSocket
from strawberry.asgi import ASGIWebSocketAdapter
from strawberry.http.exceptions import NonJsonMessageReceived, NonTextMessageReceived, WebSocketDisconnected
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler
from strawberry.subscriptions.protocols.graphql_transport_ws.types import ConnectionInitMessage, SubscribeMessage

from domain.access import Grant
from domain.errors import TooMany
from graph.access.callers import caller_of
from graph.access.shares import Shares
from graph.context import Context
from graph.errors import coded
from graph.formats.json_values import memory_of, values_in
from graph.live.sessions import OVER, Sessions
from graph.server.connection import HttpConnection, connection_of

BAD_REQUEST = 4400
FORBIDDEN = 4403
"""Closes a websocket whose token is none, or none any more."""
MOST_VALUES = 100_000
"""That the JSON of a message, or of a request, may hold."""
MOST_HELD_BYTES = 8 * 1024 * 1024
"""What the operations of a websocket keep together of what their client sent, as it lies in memory."""
_NAMED = re.compile(r"\$(?:[\s,\ufeff]|#[^\n\r]*)*(\w+)")
"""A variable that a document names."""
_FIELD = re.compile(r'"(\w+)"\s*:\s*"([^"\\]*)"')
_HEAD = re.compile(rf'\s*{{(?:\s*{_FIELD.pattern}\s*,)*\s*"payload"')
"""What a message says of itself before its payload."""


class WebSocketAdapter(ASGIWebSocketAdapter):
    """Reads messages that are within bounds."""

    memory_bytes = 0
    """What the last message takes."""

    async def iter_json(self, *, ignore_parsing_errors: bool = False) -> AsyncGenerator[object, None]:
        del ignore_parsing_errors
        try:
            while self.ws.application_state != WebSocketState.DISCONNECTED:
                text = await self.ws.receive_text()
                values = values_in(text, MOST_VALUES)
                if values > MOST_VALUES:
                    await self._refuse(text)
                    continue
                self.memory_bytes = memory_of(text, values)
                yield self.view.decode_json(text)
        except JSONDecodeError as error:
            raise NonJsonMessageReceived from error
        except KeyError as error:
            raise NonTextMessageReceived from error
        except WebSocketDisconnect:
            pass

    async def _refuse(self, text: str) -> None:
        """Refuse an operation unread: its id stands before its payload, where clients put it."""
        reason = f"the message holds more than {MOST_VALUES:,} values"
        head = _HEAD.match(text)
        fields = dict(_FIELD.findall(head[0])) if head else {}
        if fields.get("type") == "subscribe" and "id" in fields:
            told = coded(GraphQLError(reason)).formatted
            await self.send_json({"id": fields["id"], "type": "error", "payload": [told]})
        else:
            await self.close(BAD_REQUEST, reason)


class TransportWSHandler(BaseGraphQLTransportWSHandler[Context, None]):
    """Ends with the token that let it in. Takes a client that hangs up in a message for what it is: no error."""

    websocket: WebSocketAdapter
    _held_bytes = 0

    @property
    def grant(self) -> Grant:
        return self.context.grant

    async def end(self) -> None:
        with suppress(WebSocketDisconnected, WebSocketDisconnect, RuntimeError):  # it may hang up in this very moment
            await self.websocket.close(code=FORBIDDEN, reason=OVER)

    def cut(self) -> None:
        self._connection.abort()

    async def handle_connection_init(self, message: ConnectionInitMessage) -> None:
        """Begin. Of what the client sends with it nothing is kept but what proves who it is."""
        payload = message.get("payload")
        if isinstance(payload, dict):
            message["payload"] = {name: payload[name] for name in payload if name.lower() == "authorization"}
        await super().handle_connection_init(message)
        if self.connection_acknowledged:
            self._sessions.add(self)

    async def handle_message(self, message: Any) -> None:
        if not _is_message(message):
            await self.handle_invalid_message("Failed to parse message")
            return
        await super().handle_message(message)
        message.clear()  # it is referred to until the next one comes, and that may be never

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        """Run an operation, and account for what it keeps until it ends: of its variables those that its document names."""
        size = self.websocket.memory_bytes
        try:
            self._require_room(size)
        except TooMany as error:
            told = coded(GraphQLError(str(error), original_error=error)).formatted
            await self.send_message({"id": message["id"], "type": "error", "payload": [told]})
            return
        before, payload = self.operations.get(message["id"]), message["payload"]
        if sent := payload.get("variables"):
            payload["variables"] = {name: sent[name] for name in set(_NAMED.findall(payload["query"])) & sent.keys()}
        await super().handle_subscribe(message)
        operation = self.operations.get(message["id"])
        if operation is not None and operation is not before and operation.task is not None:
            caller = caller_of(self.grant, self._scope)
            self._shares.hold(caller, size)
            self._held_bytes += size
            operation.task.add_done_callback(lambda _: self._release(caller, size))

    def _require_room(self, size: int) -> None:
        """Go on only if another operation may run; what may not even begin is refused elsewhere."""
        if not self.connection_acknowledged:
            return
        most = self.max_subscriptions_per_connection
        if most is not None and len(self.operations) >= most:
            raise TooMany(
                f"{most:,} operations run on this websocket, the most that may: complete one, open another websocket, or "
                "raise JOBTAIL_MAX_SUBSCRIPTIONS_PER_CONNECTION"
            )
        if self._held_bytes + size > MOST_HELD_BYTES:
            raise TooMany(
                f"the operations of this websocket hold {self._held_bytes:,} bytes of what was sent, and {size:,} more are too "
                f"many: the most is {MOST_HELD_BYTES:,}; complete one, or open another websocket"
            )
        self._shares.require(caller_of(self.grant, self._scope), size)
        self._state.gate.charge(self.grant)

    def _release(self, caller: Any, size: int) -> None:
        self._held_bytes -= size
        self._shares.release(caller, size)

    async def shutdown(self) -> None:
        self._sessions.discard(self)
        await super().shutdown()

    @property
    def _shares(self) -> Shares:
        shares: Shares = self.view.operations_held  # type: ignore[attr-defined]  # it is this service's view
        return shares

    @property
    def _scope(self) -> Any:
        assert self.context.connection is not None
        return self.context.connection.scope

    @property
    def _connection(self) -> HttpConnection:
        return connection_of(self._scope)

    @property
    def _sessions(self) -> Sessions:
        sessions: Sessions = self._state.sessions
        return sessions

    @property
    def _state(self) -> Any:
        return self._scope["app"].state

    async def handle_task_exception(self, error: Exception) -> None:
        if not isinstance(error, WebSocketDisconnected | ClosedWebSocket):
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
