"""A proxy between worker and service that speaks just enough HTTP to spoil single requests and answers."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from itertools import repeat
from urllib.parse import urlsplit

DELAY_S = 0.3
LONG_DELAY_S = 0.8
"""Longer than a batch that is in memory only waits for its answer."""
PORTS = range(20_000, 32_000)
"""Below those that outgoing connections take, so that nobody takes one from a service that is down."""


def free_port() -> int:
    """Find a port that can be listened on again and again."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port


class Exchange:
    """One request that came in whole, and the way to both sides."""

    def __init__(self, proxy: Proxy, request: bytes, client: asyncio.StreamWriter) -> None:
        self.proxy = proxy
        self._request = request
        self._client = client

    async def forward(self) -> bytes:
        """Send the request over a connection of its own, and read the answer. None that comes is empty."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection(self.proxy.host, self.proxy.port)
            with closing(writer):
                writer.write(self._request)
                await writer.drain()
                return await read_message(reader)
        return b""

    async def send(self, *, first: float = 1.0) -> None:
        """Send the request, or only its first part, and do not wait for an answer."""
        with suppress(ConnectionError):
            _, writer = await asyncio.open_connection(self.proxy.host, self.proxy.port)
            with closing(writer):
                writer.write(self._request[: int(len(self._request) * first)])
                await writer.drain()

    async def answer(self, answer: bytes, *, first: float = 1.0) -> None:
        """Hand on the answer. A part of it, or none, ends with the connection."""
        self._client.write(answer[: int(len(answer) * first)])
        await self._client.drain()
        if first < 1 or not answer:
            self._client.close()


Treatment = Callable[[Exchange], Awaitable[None]]
"""What becomes of a request."""


async def hand_on(exchange: Exchange) -> None:
    await exchange.answer(await exchange.forward())


async def delay_request(exchange: Exchange) -> None:
    await asyncio.sleep(DELAY_S)
    await hand_on(exchange)


async def delay_answer(exchange: Exchange) -> None:
    answer = await exchange.forward()
    await asyncio.sleep(DELAY_S)
    await exchange.answer(answer)


async def delay_beyond_patience(exchange: Exchange) -> None:
    """Come with the request when the worker has sent it again."""
    await asyncio.sleep(LONG_DELAY_S)
    await hand_on(exchange)


async def cut_request(exchange: Exchange) -> None:
    await exchange.send(first=0.6)
    await exchange.answer(b"")


async def cut_answer(exchange: Exchange) -> None:
    await exchange.answer(await exchange.forward(), first=0.5)


async def cut_last_byte_of_answer(exchange: Exchange) -> None:
    await exchange.answer((await exchange.forward())[:-1])
    await exchange.answer(b"")


async def lose_answer(exchange: Exchange) -> None:
    await exchange.forward()
    await exchange.answer(b"")


async def double(exchange: Exchange) -> None:
    """Send it twice at once; the second answer, which says that all was known, is handed on."""
    answers = await asyncio.gather(exchange.forward(), exchange.forward())
    await exchange.answer(answers[1])


async def double_after_answer(exchange: Exchange) -> None:
    await hand_on(exchange)
    await exchange.forward()


async def repeat_late(exchange: Exchange) -> None:
    """Send it once more when three others have passed."""
    await hand_on(exchange)
    exchange.proxy.send_late(exchange, after=3)


async def repeat_late_after_loss(exchange: Exchange) -> None:
    """Lose the answer, so that the worker sends it again, and come with the first one when three others have passed."""
    await lose_answer(exchange)
    exchange.proxy.send_late(exchange, after=3)


FAULTS: tuple[Treatment, ...] = (
    delay_request,
    delay_answer,
    delay_beyond_patience,
    cut_request,
    cut_answer,
    cut_last_byte_of_answer,
    lose_answer,
    double,
    double_after_answer,
    repeat_late,
    repeat_late_after_loss,
)


@dataclass(eq=False)
class Proxy:
    """Treats each request by the next treatment; when they have run out, hands it on."""

    target: str
    treatments: Iterator[Treatment] = field(default_factory=lambda: iter(repeat(hand_on)))
    treated: list[str] = field(default_factory=list)
    """The names of the treatments so far, one a request."""

    def __post_init__(self) -> None:
        self.own_port = free_port()
        parts = urlsplit(self.target)
        self.host, self.port = str(parts.hostname), int(parts.port or 80)
        self._late: list[tuple[int, Exchange]] = []
        self._connections: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.own_port}"

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.own_port)

    async def shut(self) -> None:
        """Cut every connection and refuse new ones, until it is opened again."""
        if self._server is not None:
            self._server.close()
            for connection in list(self._connections):
                connection.transport.abort()
            await self._server.wait_closed()
            self._server = None

    def send_late(self, exchange: Exchange, *, after: int) -> None:
        self._late.append((len(self.treated) + after, exchange))

    async def send_all_late(self) -> None:
        """Send what waits to be sent once more."""
        late, self._late = self._late, []
        for _, exchange in late:
            await exchange.forward()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while request := await read_message(reader):
                await self._treat(Exchange(self, request, writer))
        self._connections.discard(writer)
        writer.close()

    async def _treat(self, exchange: Exchange) -> None:
        treatment = next(self.treatments, hand_on)
        self.treated.append(treatment.__name__)
        due = [late for late in self._late if late[0] <= len(self.treated)]
        self._late = [late for late in self._late if late not in due]
        for _, late in due:
            await late.forward()
        await treatment(exchange)


async def read_message(reader: asyncio.StreamReader) -> bytes:
    """Read a request or an answer whole, by its Content-Length or its chunks. Nothing is the end of the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as cut:
        if cut.partial:
            raise
        return b""
    headers = head.lower()
    if b"\r\ntransfer-encoding: chunked" in headers:
        return head + await _chunks(reader)
    length = headers.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
    return head + await reader.readexactly(int(length or 0))


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    chunks = b""
    while True:
        size = await reader.readuntil(b"\r\n")
        chunk = await reader.readexactly(int(size, 16) + 2)
        chunks += size + chunk
        if chunk == b"\r\n":
            return chunks


@asynccontextmanager
async def proxying(target: str, treatments: Iterable[Treatment] = ()) -> AsyncIterator[Proxy]:
    proxy = Proxy(target, iter(treatments))
    await proxy.open()
    try:
        yield proxy
    finally:
        await proxy.shut()
