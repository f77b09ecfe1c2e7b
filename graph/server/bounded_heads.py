"""The beginnings of HTTP requests, bounded in size and in time: the server's own protocol waits and collects for ever."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from graph.server.bounded_transport import BoundedTransport, StalledReader
from graph.server.connection import let_reach
from graph.server.joined_writes import JoinedWrites

LARGEST_HEAD = 64 * 1024
"""Of the request line and the headers, in bytes; what arrives with them in one piece is looked through all the same."""
HEAD_S = 15
"""How long they may take to arrive, from the opening of the connection or their first byte on."""
STALL_S = 60
"""How long a reader may take nothing of an answer."""


class BoundedHeads(HttpToolsProtocol):
    """Cuts a connection whose request does not begin as it should, or whose answer nobody takes."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._head_bytes = 0
        self._is_in_head = True
        self._giving_up: asyncio.TimerHandle | None = None
        self._stalled: StalledReader | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the server has it
        super().connection_made(JoinedWrites(transport, self.loop))
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        if self._stalled is not None:
            self._stalled.end()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled = StalledReader(self.transport, self.loop, STALL_S)
        self._stalled.begin()

    def resume_writing(self) -> None:
        if self._stalled is not None:
            self._stalled.end()
        super().resume_writing()

    def abort(self) -> None:
        """Cut the connection, as `graph.server.connection.Connection` has it."""
        self.transport.abort()

    def take_large_messages(self) -> None:
        """A body is bounded where it is read."""

    def data_received(self, data: bytes) -> None:
        if self._is_in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._is_in_head and self._head_bytes > LARGEST_HEAD and not self.transport.is_closing():
            self.send_400_response(f"The headers have more than {LARGEST_HEAD} bytes.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_head, self._head_bytes = True, 0
        self._stop_waiting()
        self._wait_for_head()

    def handle_websocket_upgrade(self) -> None:
        """Hand over to the websocket's own protocol, without cookies: nobody reads them, and long ones fit no handshake."""
        assert isinstance(self.transport, JoinedWrites)
        self._stop_waiting()
        self.transport = BoundedTransport(self.transport.transport, self.loop)
        self.scope["headers"] = [header for header in self.headers if header[0] != b"cookie"]
        super().handle_websocket_upgrade()

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        self._stop_waiting()
        let_reach(self.scope, self)  # type: ignore[arg-type]  # a dict
        super().on_headers_complete()

    def _wait_for_head(self) -> None:
        self._giving_up = self.loop.call_later(HEAD_S, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._giving_up is not None:
            self._giving_up.cancel()
            self._giving_up = None
