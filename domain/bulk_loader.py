"""Loads in bulk what is asked for one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import cached_property, partial
from typing import Any, Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class BulkLoader(Generic[Key, Value]):
    """Gathers what is asked for in one tick of the loop.

    It keeps nothing: a subscription lives long, and what it loads must be fresh. Hence no DataLoader of Strawberry's, which
    takes longer than the statement of a small answer.
    """

    __slots__ = ("_load", "_running", "_waiting")

    def __init__(self, load: Callable[[list[Key]], Awaitable[Sequence[Value]]]) -> None:
        self._load = load
        self._waiting: list[tuple[Key, asyncio.Future[Value]]] = []
        self._running: dict[asyncio.Task[None], list[tuple[Key, asyncio.Future[Value]]]] = {}

    def load(self, key: Key) -> asyncio.Future[Value]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Value] = loop.create_future()
        self._waiting.append((key, future))
        if len(self._waiting) == 1:
            task = loop.create_task(self._fulfil())
            self._running[task] = self._waiting
            task.add_done_callback(self._running.pop)
        return future

    def cancel_unwanted(self) -> None:
        """End what is loaded for nobody any more, its statements included."""
        for task, waiting in self._running.items():
            if all(future.cancelled() for _, future in waiting):
                task.cancel()

    async def _fulfil(self) -> None:
        waiting, self._waiting = self._waiting, []
        waiting = [(key, future) for key, future in waiting if not future.done()]  # what was cancelled wants nothing
        if not waiting:
            return
        try:
            values = await self._load([key for key, _ in waiting])
            loaded = list(zip(waiting, values, strict=True))
        except Exception as error:  # noqa: BLE001 - it is raised where it was asked for
            for _, future in waiting:
                if not future.done():
                    future.set_exception(error)
        else:
            for (_, future), value in loaded:
                if not future.done():
                    future.set_result(value)


def bulk(load: Callable[[Any, list[Key]], Awaitable[Sequence[Value]]]) -> cached_property[BulkLoader[Key, Value]]:
    """Make of a method that loads many values their loader, which is there from when it is first asked for."""
    return cached_property(lambda owner: BulkLoader(partial(load, owner)))
