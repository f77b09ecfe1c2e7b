"""The body of a request, piece by piece: inflated, bounded in size and in time."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive

PIECE_BYTES = 256 * 1024
"""What is inflated and parsed before other requests get their turn."""
SILENCE_S = 30
FREE_BYTES = 64 * 1024
"""What a request may take without being accounted for."""
GZIP = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyLimits:
    max_request_bytes: int
    max_expanded_bytes: int
    silence_s: float = SILENCE_S
    """How long a client may send nothing."""
    whole_s: float = 600
    """How long a body may take in all."""


async def whole(
    receive: Receive,
    most: int,
    setting: str,
    *,
    announced: int = 0,
    within_s: float = SILENCE_S,
    hold: Callable[[int], None] | None = None,
) -> bytes:
    """Read a small body, of which the headers may have `announced` the size. Beyond `FREE_BYTES` it is to be held.

    Raises:
        HTTPException: 408 or 413, with a message that says what to do.
        ClientDisconnect: if the client cut the connection.
    """
    _require_size(announced, most, "as sent", setting)
    pieces, size, has_more = [], 0, True
    try:
        async with nullcontext() if _is_here(receive) else asyncio.timeout(within_s):
            while has_more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                piece = message.get("body", b"")
                size += len(piece)
                _require_size(max(size, announced), most, "as sent", setting)
                if size > FREE_BYTES and hold is not None:
                    hold(len(piece))
                pieces.append(piece)
                has_more = message.get("more_body", False)
    except TimeoutError:
        raise _too_slow() from None
    return b"".join(pieces)


def _is_here(receive: Receive) -> bool:
    """Tell whether the server has the body already, as of most small requests: a timer takes longer than to hand it over."""
    return getattr(getattr(receive, "__self__", None), "more_body", True) is False


def encoding_of(request: Request) -> str:
    """Tell how a body is encoded: `gzip`, or `identity`.

    Raises:
        HTTPException: 415 if it is otherwise.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower() or "identity"
    if encoding not in {"identity", "gzip", "x-gzip"}:
        message = f"Content-Encoding {encoding!r} is not understood: send gzip, or none"
        raise HTTPException(415, message, {"Accept-Encoding": "gzip"})
    return encoding.removeprefix("x-")


async def received(request: Request, limits: BodyLimits, hold: Callable[[int], None]) -> bytes:
    """Read a body as it was sent, for as long as something arrives, and `hold` room for what has.

    Nothing is unpacked before its end: a client that never comes to it costs what it has sent.

    Raises:
        HTTPException: 408 or 413, with a message that says what to do.
        ClientDisconnect: if the client cut the connection.
    """
    most, setting = limits.max_request_bytes, "JOBTAIL_MAX_REQUEST_BYTES"
    _require_size(announced_size(request.headers.get("content-length", "")), most, "as sent", setting)
    is_here, loop = _is_here(request.receive), asyncio.get_running_loop()
    pieces, size, has_more, end = [], 0, True, loop.time() + limits.whole_s
    try:
        while has_more:
            async with nullcontext() if is_here else asyncio.timeout_at(min(loop.time() + limits.silence_s, end)):
                message = await request.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            piece = message.get("body", b"")
            size += len(piece)
            _require_size(size, most, "as sent", setting)
            hold(len(piece))
            pieces.append(piece)
            has_more = message.get("more_body", False)
    except TimeoutError:
        raise _too_slow() from None
    return b"".join(pieces) if len(pieces) > 1 else pieces[0]


async def expanded(body: bytes, encoding: str, limits: BodyLimits) -> AsyncGenerator[bytes, None]:
    """Yield a body as it was before its encoding, in pieces that are not empty. Other tasks run between them.

    Raises:
        HTTPException: 400 or 413, with a message that says what to do.
    """
    size = 0
    for piece in _unpacked(body, encoding):
        if size:
            await asyncio.sleep(0)
        size += len(piece)
        _require_size(size, limits.max_expanded_bytes, "unpacked", "JOBTAIL_MAX_EXPANDED_BYTES")
        yield piece


def _unpacked(body: bytes, encoding: str) -> Iterator[bytes]:
    if encoding == "gzip":
        inflation = _Inflation()
        yield from inflation.pieces(body)
        inflation.finish()
    elif len(body) <= PIECE_BYTES:
        if body:
            yield body
    else:
        for start in range(0, len(body), PIECE_BYTES):
            yield body[start : start + PIECE_BYTES]


def announced_size(content_length: str) -> int:
    """Read the header; 0 where it says nothing."""
    return int(content_length) if content_length.isdecimal() else 0


class _Inflation:
    """One gzip member."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(GZIP)

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        while True:
            if chunk and self._inflate.eof:
                raise HTTPException(400, "something follows the end of the gzip data: send one gzip member")
            try:
                piece = self._inflate.decompress(chunk, PIECE_BYTES)
            except zlib.error as error:
                raise HTTPException(400, f"the gzip data is corrupt: {error}") from None
            chunk = self._inflate.unconsumed_tail or self._inflate.unused_data
            if piece:
                yield piece
            if not chunk:
                return

    def finish(self) -> None:
        if not self._inflate.eof:
            raise HTTPException(400, "the gzip data ends too early")


def _too_slow() -> HTTPException:
    return HTTPException(408, "the body did not arrive in time", {"Connection": "close"})


def _require_size(size: int, most: int, how: str, setting: str) -> None:
    if size > most:
        message = f"the body is over the {most:,} bytes that it may have {how}, by {size - most:,} or more"
        raise HTTPException(413, f"{message}: send less at a time, or raise {setting}")
