"""The body of a request, piece by piece: inflated, bounded in size and in time."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import nullcontext
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive

PIECE_BYTES = 256 * 1024
"""What is inflated and parsed before other requests get their turn."""
SILENCE_S = 30
GZIP = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyLimits:
    max_request_bytes: int
    max_expanded_bytes: int
    silence_s: float = SILENCE_S
    """How long a client may send nothing."""
    whole_s: float = 600
    """How long a body may take in all."""


async def whole(receive: Receive, most: int, setting: str, *, announced: int = 0, within_s: float = SILENCE_S) -> bytes:
    """Read a small body, of which the headers may have `announced` the size.

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
                pieces.append(piece)
                has_more = message.get("more_body", False)
    except TimeoutError:
        raise _too_slow() from None
    return b"".join(pieces)


def _is_here(receive: Receive) -> bool:
    """Tell whether the server has the body already, as of most small requests: a timer takes longer than to hand it over."""
    return getattr(getattr(receive, "__self__", None), "more_body", True) is False


async def expanded(request: Request, limits: BodyLimits) -> AsyncGenerator[bytes, None]:
    """Yield the body as it was before its encoding, in pieces that are not empty. Other tasks run between large ones.

    Raises:
        HTTPException: 400, 408, 413 or 415, with a message that says what to do.
        ClientDisconnect: if the client cut the connection.
    """
    size = turn = 0
    async for piece in _decoded(request, limits):
        size += len(piece)
        _require_size(size, limits.max_expanded_bytes, "unpacked", "JOBTAIL_MAX_EXPANDED_BYTES")
        yield piece
        turn += len(piece)
        if turn >= PIECE_BYTES:
            turn = 0
            await asyncio.sleep(0)


async def _decoded(request: Request, limits: BodyLimits) -> AsyncIterator[bytes]:
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding in {"identity", ""}:
        async for chunk in _received(request, limits):
            yield chunk
    elif encoding in {"gzip", "x-gzip"}:
        inflation = _Inflation()
        async for chunk in _received(request, limits):
            for piece in inflation.pieces(chunk):
                yield piece
        inflation.finish()
    else:
        message = f"Content-Encoding {encoding!r} is not understood: send gzip, or none"
        raise HTTPException(415, message, {"Accept-Encoding": "gzip"})


async def _received(request: Request, limits: BodyLimits) -> AsyncIterator[bytes]:
    """Yield what arrives, for as long as something does."""
    size, most, setting = 0, limits.max_request_bytes, "JOBTAIL_MAX_REQUEST_BYTES"
    _require_size(announced_size(request.headers.get("content-length", "")), most, "as sent", setting)
    end = asyncio.get_running_loop().time() + limits.whole_s
    stream = request.stream()
    while chunk := await _next(stream, limits.silence_s, end):
        size += len(chunk)
        _require_size(size, most, "as sent", setting)
        yield chunk


def announced_size(content_length: str) -> int:
    """Read the header; 0 where it says nothing."""
    return int(content_length) if content_length.isdecimal() else 0


async def _next(stream: AsyncGenerator[bytes, None], silence_s: float, end: float) -> bytes:
    """Wait for the next bytes; none are the end."""
    try:
        async with asyncio.timeout_at(min(asyncio.get_running_loop().time() + silence_s, end)):
            return await anext(stream, b"")
    except TimeoutError:
        raise _too_slow() from None


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
