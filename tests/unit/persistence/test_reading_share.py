"""The connections that readers leave to others, and those that one caller leaves to the next."""

from __future__ import annotations

import asyncio

import pytest

from domain.access import Grant, Scope, act_for
from persistence.reading_share import ReadingShare


class Readers:
    """Readers who take a connection and keep it until they are told to go."""

    def __init__(self, share: ReadingShare) -> None:
        self.reading = 0
        self._share = share
        self._go = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def come(self, count: int, token_id: str | None = None) -> None:
        self._tasks += [asyncio.create_task(self._read(token_id)) for _ in range(count)]

    async def go(self) -> None:
        self._go.set()
        await asyncio.gather(*self._tasks)

    async def _read(self, token_id: str | None) -> None:
        act_for(Grant(scopes=frozenset([Scope.READ]), token_id=token_id))
        async with self._share.taken():
            self.reading += 1
            await self._go.wait()
            self.reading -= 1


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.mark.parametrize(("pool", "most"), [(1, 1), (2, 2), (3, 2), (5, 4), (10, 7), (100, 97)])
async def test_readers_leave_connections_to_writers(pool: int, most: int) -> None:
    readers = Readers(ReadingShare(pool))
    readers.come(200)
    await turns()
    assert readers.reading == most
    await readers.go()
    assert readers.reading == 0


async def test_a_caller_leaves_connections_to_the_next() -> None:
    share = ReadingShare(10)
    greedy, modest = Readers(share), Readers(share)
    greedy.come(50, "greedy")
    await turns()
    modest.come(1, "modest")
    await turns()
    assert (greedy.reading, modest.reading) == (3, 1)
    assert share.callers == 2
    await modest.go()
    await greedy.go()
    assert share.callers == 0
