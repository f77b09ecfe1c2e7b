"""Websockets, bounded in what they hold and in how long they take to begin and to end."""

from __future__ import annotations

import asyncio
from asyncio.transports import BaseTransport
from typing import Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from graph.server.bounded_transport import LINGER_S, StalledReader
from graph.server.connection import let_reach

HANDSHAKE_S = 15
"""How long it may take until the application has answered the handshake."""
SILENCE_S = 300
"""How long a reader may take nothing, or leave a ping unanswered: one that pauses is no dead one, and costs a cursor only."""
CLOSE_S = 3.0
"""How long a client may take to say good-bye, too."""
LARGEST_FIRST = 16 * 1024
"""Of the messages that come before it is known who sends them, in bytes."""


class BoundedWebSockets(WebSocketsSansIOProtocol):
    """Cuts a websocket that does not begin, does not read, or does not end."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._largest = self.conn.max_message_size
        if self._largest is not None:
            self.conn.max_message_size = min(self._largest, LARGEST_FIRST)
        self.close_timeout = CLOSE_S
        self._giving_up: asyncio.TimerHandle | None = None
        self._stalled: StalledReader | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self._giving_up = self.loop.call_later(HANDSHAKE_S, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._giving_up is not None:
            self._giving_up.cancel()
        if self._stalled is not None:
            self._stalled.end()
        super().connection_lost(exc)

    def _give_up(self) -> None:
        if not self.handshake_complete:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if (
            self.conn.handshake_exc is not None and not self.handshake_initiated
        ):  # the server waits for what never comes
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:  # noqa: PLR2004 - Switching Protocols: the application begins at the next turn
            let_reach(self.scope, self)  # type: ignore[arg-type]  # a dict

    def take_large_messages(self) -> None:
        """Take them, as `graph.server.connection.Connection` has it."""
        self.conn.max_message_size = self._largest

    def abort(self) -> None:
        """Cut the connection, as `graph.server.connection.Connection` has it."""
        self.transport.abort()

    def handle_ping(self) -> None:
        """Answer, unless the client reads nothing: it would be answered into memory."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.transport.abort()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled = StalledReader(self.transport, self.loop, SILENCE_S)
        self._stalled.begin()

    def resume_writing(self) -> None:
        if self._stalled is not None:
            self._stalled.end()
        super().resume_writing()

    async def send(self, message: Any) -> None:
        """Send. To say good-bye to one who does not read takes a bounded time, too."""
        if message["type"] != "websocket.close" or self.writable.is_set():
            await super().send(message)
            return
        try:
            async with asyncio.timeout(LINGER_S):
                await super().send(message)
        except TimeoutError:
            self.transport.abort()
            raise ClientDisconnected from None
