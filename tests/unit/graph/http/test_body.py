"""A body that does not arrive in time, or not whole, ends the waiting for it."""

from __future__ import annotations

import asyncio
import gzip
import random
from collections.abc import Iterable
from dataclasses import replace

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from graph.http.body import PIECE_BYTES, BodyLimits, encoding_of, expanded, received

LIMITS = BodyLimits(max_request_bytes=1 << 30, max_expanded_bytes=1 << 30)


def request(chunks: Iterable[bytes], *, pause_s: float = 0, end: Message | None = None, **headers: str) -> Request:
    """Make a request that sends chunks, and then `end` or, without one, nothing more for ever."""
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    waiting = iter([*messages, *([] if end is None else [end])])

    async def receive() -> Message:
        await asyncio.sleep(pause_s)
        for message in waiting:
            return message
        return await asyncio.Future[Message]()

    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "headers": named}, receive)


END: Message = {"type": "http.request", "body": b"", "more_body": False}


async def whole(request: Request, limits: BodyLimits = LIMITS) -> list[bytes]:
    body = await received(request, limits, lambda _: None)
    return [piece async for piece in expanded(body, encoding_of(request), limits)]


async def test_a_client_that_falls_silent_is_given_up() -> None:
    with pytest.raises(HTTPException) as caught:
        await whole(request([b"a", b"b"]), replace(LIMITS, silence_s=0.05))
    assert caught.value.status_code == 408
    assert caught.value.headers == {"Connection": "close"}


async def test_a_client_that_trickles_is_given_up_too() -> None:
    with pytest.raises(HTTPException) as caught:
        await whole(request([b"a"] * 1000, pause_s=0.01, end=END), replace(LIMITS, whole_s=0.2))
    assert caught.value.status_code == 408


async def test_a_client_that_goes_is_told_of() -> None:
    with pytest.raises(ClientDisconnect):
        await whole(request([b"a"], end={"type": "http.disconnect"}))


async def test_what_is_inflated_comes_in_pieces_of_bounded_size() -> None:
    body = random.Random(1).randbytes(100_000) + b"x" * 5_000_000
    packed = gzip.compress(body)
    for size in (1000, len(packed)):
        chunks = [packed[start : start + size] for start in range(0, len(packed), size)]
        pieces = await whole(request(chunks, end=END, content_encoding="GZip"))
        assert b"".join(pieces) == body
        assert max(map(len, pieces)) <= PIECE_BYTES


async def test_others_run_between_the_pieces() -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    packed = gzip.compress(b"x" * 100 * PIECE_BYTES)
    task = asyncio.create_task(other())
    await whole(request([packed], end=END, content_encoding="gzip"))
    task.cancel()
    assert turns >= 100
