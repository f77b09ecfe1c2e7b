"""A connection whose reader may stop reading: its end is bounded in time, and so is a silence amid an answer."""

from __future__ import annotations

import asyncio
from typing import Any

LINGER_S = 5
"""How long a closing connection waits for what was written to be read."""


class BoundedTransport(asyncio.Transport):
    """A transport that closes in bounded time: asyncio's own waits until its reader has taken everything."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self.transport = transport
        self._loop = loop

    def write(self, data: Any) -> None:
        self.transport.write(data)

    def close(self) -> None:
        self.transport.close()
        if self.transport.get_write_buffer_size():
            self._loop.call_later(LINGER_S, self.transport.abort)

    def abort(self) -> None:
        self.transport.abort()

    def is_closing(self) -> bool:
        return self.transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self.transport.get_extra_info(name, default)

    def get_write_buffer_size(self) -> int:
        return self.transport.get_write_buffer_size()

    def pause_reading(self) -> None:
        self.transport.pause_reading()

    def resume_reading(self) -> None:
        self.transport.resume_reading()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.transport.set_protocol(protocol)


class StalledReader:
    """Cuts a connection whose reader takes nothing for a while, though something waits for it."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, patience_s: float) -> None:
        self._transport = transport
        self._loop = loop
        self._patience_s = patience_s
        self._waiting = 0
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Look from now on: more waits than the connection should hold."""
        self._waiting = self._transport.get_write_buffer_size()
        self._timer = self._loop.call_later(self._patience_s, self._look)

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        if self._transport.get_write_buffer_size() < self._waiting:
            self.begin()
        else:
            self._transport.abort()
