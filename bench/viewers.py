"""Viewers at the other end of a websocket, as light as can be: they share the cores with what they measure."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Self

HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{protocol}\r\n"
)
PATIENCE_S = 60
SEQ = re.compile(rb'"seq":(\d+)')


class Viewer(asyncio.Protocol):
    """Hands each frame to `on_frame` as it is."""

    def __init__(self, path: str, protocol: str | None) -> None:
        line = f"Sec-WebSocket-Protocol: {protocol}\r\n" if protocol else ""
        self._hello = HANDSHAKE.format(path=path, protocol=line).encode()
        self._received = bytearray()
        self._is_open = False
        self._transport: asyncio.Transport
        self.opened, self.frames = asyncio.Event(), 0
        self.on_frame: Callable[[bytes], None] = lambda _: None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._hello)

    def data_received(self, data: bytes) -> None:
        received = self._received
        received += data
        if not self._is_open:
            end = received.find(b"\r\n\r\n")
            if end < 0:
                return
            self._is_open = True
            del received[: end + 4]
            self.opened.set()
        start = 0
        while (found := _frame(received, start)) is not None:
            begin, start = found
            self.frames += 1
            self.on_frame(bytes(received[begin:start]))
        del received[:start]

    def send(self, text: str) -> None:
        """Send a text, masked with zeros, which leave it as it is."""
        payload = text.encode()
        length = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2, "big")
        self._transport.write(b"\x81" + length + bytes(4) + payload)

    def close(self) -> None:
        self._transport.abort()


def _frame(received: bytearray, start: int) -> tuple[int, int] | None:
    """Find where a whole frame's payload begins and ends."""
    if len(received) < start + 2:
        return None
    length, begin = received[start + 1], start + 2
    if length >= 126:
        begin += 2 if length == 126 else 8
        length = int.from_bytes(received[start + 2 : begin], "big")
    return (begin, begin + length) if len(received) >= begin + length else None


@asynccontextmanager
async def viewers(count: int, port: int, path: str, *, protocol: str | None = None) -> AsyncIterator[Sequence[Viewer]]:
    """Open websockets."""
    loop = asyncio.get_running_loop()
    opened: list[Viewer] = []
    try:
        for _ in range(count):
            _, viewer = await loop.create_connection(lambda: Viewer(path, protocol), "127.0.0.1", port)
            opened.append(viewer)
            await asyncio.wait_for(viewer.opened.wait(), PATIENCE_S)
        yield opened
    finally:
        for viewer in opened:
            viewer.close()


class Counted:
    """Counts a viewer's rows by their seqs: whole when they end where they ought to, and are as many."""

    def __init__(self, viewer: Viewer, last: int) -> None:
        self.rows, self.frames, self.is_complete = 0, 0, asyncio.Event()
        self._last = last
        viewer.on_frame = self._count

    @classmethod
    def all_of(cls, viewers: Sequence[Viewer], last: int) -> list[Self]:
        return [cls(viewer, last) for viewer in viewers]

    def _count(self, frame: bytes) -> None:
        rows = frame.count(b'"seq":')
        if not rows:
            return
        first = SEQ.search(frame)
        assert first is not None
        assert int(first[1]) == self.rows + 1, f"line {int(first[1])} came behind line {self.rows}"
        self.rows += rows
        self.frames += 1
        if self.rows >= self._last:
            end = SEQ.match(frame, frame.rindex(b'"seq":'))
            assert end is not None
            assert int(end[1]) == self._last == self.rows, f"{self.rows} rows came for {self._last}"
            self.is_complete.set()
