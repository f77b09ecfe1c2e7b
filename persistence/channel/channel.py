"""The doorbell between processes: announcements over broadcaster, whose faults end here.

One subscription a process, made before anybody is served. Every loss of it is noticed and followed by a Resync.
Nothing outside this module and its backends knows broadcaster.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING, Self, TypeAlias
from urllib.parse import urlsplit

from broadcaster import Broadcast
from broadcaster._base import Subscriber

from domain.announcements import Announcement, Resync
from domain.errors import InvalidInput, Unavailable
from persistence.channel.announcement_queue import AnnouncementQueue
from persistence.channel.announcement_wire import UnreadableMessage, decode
from persistence.channel.memory_backend import MemoryBackend
from persistence.channel.postgres_backend import PostgresBackend
from persistence.channel.signal_queue import SignalQueue
from persistence.database import Database

if TYPE_CHECKING:
    from persistence.channel.redis_backend import RedisBackend

    Backend: TypeAlias = MemoryBackend | PostgresBackend | RedisBackend

TIMEOUT_S = 5.0
CHECK_EVERY_S = 10.0
START_S = 2.0
"""How long the start waits for the first connection before it goes on without."""
FAREWELL_S = 1.0
"""How long the end waits for what is still to be sent."""
FIRST_DELAY_S, LONGEST_DELAY_S = 0.1, 5.0

log = logging.getLogger(__name__)


class BroadcastChannel:
    """Satisfies `domain.ports.LogChannel`. An async context manager with one owner, used in one event loop."""

    def __init__(
        self,
        url: str,
        *,
        database: Database | None = None,
        name: str = "jobtail",
        timeout_s: float = TIMEOUT_S,
        check_every_s: float = CHECK_EVERY_S,
    ) -> None:
        """Make a channel by URL: memory:// (this one process), postgresql://, redis:// or rediss://.

        Where the URL is that of `database`, its connections may be spoken on when they lie ready.

        Raises:
            InvalidInput: if there is no channel for the URL.
        """
        self._name = name
        self._check_every_s = check_every_s
        self._backend = _backend(url, database, name=name, timeout_s=timeout_s, check_every_s=check_every_s)
        self._broadcast = Broadcast(backend=self._backend)
        self._outbox = AnnouncementQueue(self._backend.message_limit)
        self._inbox = SignalQueue()
        self._has_waiting = asyncio.Event()
        self._all_sent = asyncio.Event()
        self._all_sent.set()
        self._is_settled = asyncio.Event()
        self._is_started = False
        self._has_listened = False
        self._is_listening = False
        self._is_publishing = False
        self._away: set[str] = set()
        self._has_met_unreadable = False
        self._tasks: list[asyncio.Task[None]] = []
        self.reconnects = 0
        """How often listening began again after it was lost."""

    @property
    def forgotten(self) -> int:
        """How many announcements were given up unsent, because too many waited."""
        return self._outbox.forgotten

    @property
    def is_healthy(self) -> bool:
        return self._is_listening and self._is_publishing

    def publish(self, announcement: Announcement) -> None:
        self._outbox.add(announcement)
        self._all_sent.clear()
        self._has_waiting.set()

    def signals(self) -> AsyncIterator[Announcement | Resync]:
        return self._inbox.signals()

    async def __aenter__(self) -> Self:
        self._tasks = [
            asyncio.create_task(self._keep_listening(), name="channel listens"),
            asyncio.create_task(self._keep_sending(), name="channel sends"),
        ]
        with suppress(TimeoutError):
            try:
                async with asyncio.timeout(START_S):
                    await self._is_settled.wait()
            except asyncio.CancelledError:
                await self._stop()
                raise
        self._is_started = True
        return self

    async def __aexit__(self, *exc: object) -> None:
        try:
            async with asyncio.timeout(FAREWELL_S):
                await self._all_sent.wait()
        except TimeoutError:
            log.warning("the channel is away: what waits to be announced is given up")
        finally:
            await self._stop()

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._backend.aclose()
        self._is_listening = self._is_publishing = False
        self._inbox.close()

    async def _keep_listening(self) -> None:
        delays = _Delays()
        while True:
            began = time.monotonic()
            try:
                await self._listen()
            except Exception as fault:  # noqa: BLE001 - whatever ends it, listening must begin again
                self._say_away("listening", fault)
            if time.monotonic() - began > LONGEST_DELAY_S:
                delays.reset()
            await asyncio.sleep(delays.next())

    async def _listen(self) -> None:
        """Hear until the connection is lost, and raise what ended it."""
        listener: asyncio.Task[None] | None = None
        try:
            await self._broadcast.connect()
            listener = self._broadcast._listener_task  # noqa: SLF001 - broadcaster tells nobody when it dies
            async with self._broadcast.subscribe(self._name) as subscriber, asyncio.TaskGroup() as group:
                self._begin()
                reading = group.create_task(self._read(subscriber))
                await asyncio.wait((listener,))
                reading.cancel()
            raise Unavailable("listening ended") from (None if listener.cancelled() else listener.exception())
        finally:
            self._is_listening = False
            # Not by Broadcast.disconnect: where its listener has died it raises, and leaves the backend connected.
            if listener is not None:
                listener.cancel()
                await asyncio.wait((listener,))
            await self._backend.disconnect()

    async def _read(self, subscriber: Subscriber) -> None:
        while True:
            event = await subscriber.get()
            try:
                for announcement in decode(event.message):
                    self._inbox.put(announcement)
            except UnreadableMessage as error:
                if not self._has_met_unreadable:
                    self._has_met_unreadable = True
                    log.warning("a message on the channel cannot be read, further ones are passed over: %s", error)
                self._inbox.put(Resync())
            await asyncio.sleep(0)  # a flood of messages never suspends the get above

    def _begin(self) -> None:
        """Take note that listening has begun. Whoever asked the database before may have missed something."""
        self.reconnects += self._has_listened
        self._has_listened = self._is_listening = True
        self._say_back("listening")
        if self._is_started:
            self._inbox.put(Resync())

    async def _keep_sending(self) -> None:
        delays = _Delays()
        while True:
            try:
                await self._send_next()
            except Exception as fault:  # noqa: BLE001 - whatever failed, the next announcement is tried
                self._is_publishing = False
                self._say_away("publishing", fault)
                await asyncio.sleep(delays.next())
            else:
                self._is_publishing = True
                self._say_back("publishing")
                delays.reset()

    async def _send_next(self) -> None:
        """Send a message, or look whether one could be sent. A message that fails is lost: a safety look will do."""
        message = await self._next_message()
        if message is None:
            await self._backend.check_publishing()
        else:
            await self._broadcast.publish(self._name, message)

    async def _next_message(self) -> str | None:
        """Wait for something to send; None when it is time to look whether sending would work."""
        while self._is_publishing:
            if message := self._outbox.take():
                return message
            self._all_sent.set()
            self._has_waiting.clear()
            try:
                async with asyncio.timeout(self._check_every_s):
                    await self._has_waiting.wait()
            except TimeoutError:
                break
        return None

    def _say_away(self, half: str, fault: Exception) -> None:
        self._is_settled.set()
        if half not in self._away:
            self._away.add(half)
            log.warning("the channel is away for %s, trying again: %s", half, fault.__cause__ or fault)

    def _say_back(self, half: str) -> None:
        if self.is_healthy:
            self._is_settled.set()
        if half in self._away:
            self._away.remove(half)
            log.info("the channel is back for %s", half)


class _Delays:
    """The waits between attempts: doubling, and scattered, so that processes do not come back in step."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._longest_s = FIRST_DELAY_S

    def next(self) -> float:
        longest_s, self._longest_s = self._longest_s, min(2 * self._longest_s, LONGEST_DELAY_S)
        return random.uniform(longest_s / 2, longest_s)  # noqa: S311 - no secret depends on it


def _backend(url: str, database: Database | None, *, name: str, timeout_s: float, check_every_s: float) -> Backend:
    match urlsplit(url).scheme.partition("+")[0]:
        case "memory":
            return MemoryBackend(url)
        case "postgresql" | "postgres":
            return PostgresBackend(url, name=name, timeout_s=timeout_s, check_every_s=check_every_s, database=database)
        case "redis" | "rediss":
            try:
                from persistence.channel.redis_backend import RedisBackend  # noqa: PLC0415 - redis is optional
            except ImportError as error:
                raise InvalidInput("a channel over Redis needs an extra: install jobtail-server[redis]") from error
            return RedisBackend(url, name=name, timeout_s=timeout_s, check_every_s=check_every_s)
        case other:
            raise InvalidInput(f"there is no channel for {other!r}: use memory://, postgresql:// or redis://")
