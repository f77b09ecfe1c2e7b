"""The beginnings of HTTP requests, bounded in size and in time: the server's own protocol waits and collects for ever."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from graph.server.joined_writes import JoinedWrites

LARGEST_HEAD = 64 * 1024
"""Of the request line and the headers, in bytes; what arrives with them in one piece is looked through all the same."""
HEAD_S = 15
"""How long they may take to arrive, from the opening of the connection or their first byte on."""


class BoundedHeads(HttpToolsProtocol):
    """Cuts a connection whose request does not begin as it should."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._head_bytes = 0
        self._is_in_head = True
        self._giving_up: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the server has it
        super().connection_made(JoinedWrites(transport, self.loop))
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

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
        assert isinstance(self.transport, JoinedWrites)
        self.transport = self.transport.transport
        super().handle_websocket_upgrade()

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        self._stop_waiting()
        super().on_headers_complete()

    def _wait_for_head(self) -> None:
        self._giving_up = self.loop.call_later(HEAD_S, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._giving_up is not None:
            self._giving_up.cancel()
            self._giving_up = None
