"""The bulk loader: keys asked for one by one are loaded in bulk, and each caller gets its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from domain.bulk_loader import BulkLoader


class Squares:
    def __init__(self) -> None:
        self.asked: list[list[int]] = []

    async def load(self, keys: list[int]) -> Sequence[int]:
        self.asked.append(keys)
        if 0 in keys:
            raise ZeroDivisionError
        return [key * key for key in keys if key != 13]


async def test_what_is_asked_for_together_is_loaded_together() -> None:
    squares = Squares()
    loader: BulkLoader[int, int] = BulkLoader(squares.load)
    assert await asyncio.gather(*map(loader.load, (1, 2, 2))) == [1, 4, 4]
    assert await loader.load(3) == 9
    assert squares.asked == [[1, 2, 2], [3]]


@pytest.mark.parametrize(("key", "error"), [(0, ZeroDivisionError), (13, ValueError)])
async def test_everybody_hears_of_an_error(key: int, error: type[Exception]) -> None:
    loader: BulkLoader[int, int] = BulkLoader(Squares().load)
    results = await asyncio.gather(loader.load(1), loader.load(key), return_exceptions=True)
    assert [type(result) for result in results] == [error, error]


async def test_what_nobody_waits_for_any_more_is_not_loaded() -> None:
    squares = Squares()
    loader: BulkLoader[int, int] = BulkLoader(squares.load)
    kept, given_up = loader.load(1), loader.load(2)
    given_up.cancel()
    assert await kept == 1
    loader.load(3).cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert squares.asked == [[1]]
