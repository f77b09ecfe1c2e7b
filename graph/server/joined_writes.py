"""One write for an answer: the server writes its head and its body apart, and each write may wake the reader."""

from __future__ import annotations

import asyncio
from typing import Any

from graph.server.bounded_transport import BoundedTransport

STATUS_LINE = b"HTTP/1.1 "


class JoinedWrites(BoundedTransport):
    """A transport that holds the head of an answer until the body begins, or until the loop's next turn."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(transport, loop)
        self._head = b""

    def write(self, data: Any) -> None:
        if self._head:
            data, self._head = self._head + data, b""
        elif data.startswith(STATUS_LINE):
            self._head = data
            self._loop.call_soon(self.flush)
            return
        self.transport.write(data)

    def flush(self) -> None:
        """Send the head that is held, if there is one."""
        if self._head:
            self.transport.write(self._head)
            self._head = b""

    def close(self) -> None:
        self.flush()
        super().close()
