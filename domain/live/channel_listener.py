"""Listens to the channel for the whole process, and looks at the store where the channel may have missed something."""

from __future__ import annotations

import asyncio
import logging
from typing import Self

from domain.announcements import Announcement
from domain.errors import JobtailError
from domain.live.job_feed import JobFeed
from domain.live.tail_hub import TailHub
from domain.ports import JobStore, LogChannel

LOOK_EVERY_S = 3.0
"""How late a line is seen at most whose announcement was lost."""
RETRY_S = 1.0

log = logging.getLogger(__name__)


class ChannelListener:
    """Rings at the tails and at the feed. An async context manager that owns its two tasks."""

    def __init__(
        self,
        channel: LogChannel,
        jobs: JobStore,
        hub: TailHub,
        feed: JobFeed,
        *,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._channel = channel
        self._jobs = jobs
        self._hub = hub
        self._feed = feed
        self._look_every_s = look_every_s
        self._tasks: list[asyncio.Task[None]] = []
        self._look_now = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._look())]
        return self

    async def __aexit__(self, *exc: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _listen(self) -> None:
        """Pass on what the channel says. Whatever happens to it, listening goes on."""
        while True:
            try:
                async for signal in self._channel.signals():
                    if isinstance(signal, Announcement):
                        self._hub.hear(signal)
                        self._feed.hear(signal)
                    else:
                        self._look_now.set()
            except Exception:
                log.exception("listening to the channel failed, starting anew")
            self._look_now.set()
            await asyncio.sleep(RETRY_S)

    async def _look(self) -> None:
        """Compare what is known with what stands in the store, regularly and when the channel was away."""
        while True:
            try:
                async with asyncio.timeout(self._look_every_s):
                    await self._look_now.wait()
            except TimeoutError:
                pass
            self._look_now.clear()
            try:
                await self._look_at_tails()
                await self._feed.look()
            except JobtailError as error:
                log.warning("the look at the database failed, trying again in %g s: %s", self._look_every_s, error)
            except Exception:
                log.exception("the look at the database failed, trying again in %g s", self._look_every_s)

    async def _look_at_tails(self) -> None:
        tails = self._hub.tails
        if not tails:
            return
        positions = await self._jobs.positions([tail.job_id for tail in tails], active_since=None)
        for tail in tails:
            if tail.job_id in positions:
                tail.learn(positions[tail.job_id])
