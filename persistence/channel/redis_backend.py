"""Announcements by Redis PUBLISH and SUBSCRIBE: broadcaster's port on clients that do not reconnect behind our back.

The only module that needs redis, which is optional.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from broadcaster import BroadcastBackend, Event
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from domain.errors import InvalidInput, Unavailable

MESSAGE_LIMIT = 256 * 1024
"""Bytes. Redis takes more; a reader that needs more rows at once reads them from Postgres."""
HANG_UP_S = 0.3


class RedisBackend(BroadcastBackend):
    """Hears from `connect` to `disconnect`, and raises from `next_published` when it no longer does.

    It speaks whenever it is asked to, connecting first where it must.
    """

    message_limit = MESSAGE_LIMIT

    def __init__(self, url: str, *, name: str, timeout_s: float, check_every_s: float) -> None:
        self._name = name
        self._timeout_s = timeout_s
        self._check_every_s = check_every_s
        # A subscription that the client renews by itself hides what was missed in between: no retry there.
        self._hearing = self._client(url, retries=0)
        self._speaking = self._client(url, retries=1)
        self._pubsub: PubSub | None = None

    def _client(self, url: str, *, retries: int) -> Redis:
        try:
            client: Redis = Redis.from_url(
                url,
                socket_timeout=self._timeout_s,
                socket_connect_timeout=self._timeout_s,
                socket_keepalive=True,
                health_check_interval=0,  # pings are sent below, where their answers are waited for
                client_name="jobtail-channel",
                retry=Retry(NoBackoff(), retries),
            )
        except ValueError as error:
            raise InvalidInput(f"the channel's URL cannot be read: {error}") from None
        return client

    async def connect(self) -> None:
        pubsub = self._pubsub = self._hearing.pubsub()
        await pubsub.subscribe(self._name)
        confirmed = await self._response(pubsub, self._timeout_s)
        if confirmed is None or confirmed["type"] != "subscribe":
            raise Unavailable("Redis did not confirm the subscription")

    async def disconnect(self) -> None:
        pubsub, self._pubsub = self._pubsub, None
        if pubsub is not None:
            await _hang_up(pubsub)
        with suppress(RedisError, OSError, TimeoutError):
            await self._hearing.connection_pool.disconnect()

    async def subscribe(self, group: str) -> None:
        """Do nothing: `connect` subscribes already, since broadcaster answers a failure here with a KeyError."""

    async def unsubscribe(self, group: str) -> None:
        """Do nothing: `disconnect` ends the subscription."""

    async def next_published(self) -> Event:
        """Wait for a message.

        Raises:
            Unavailable: if the server gives no sign of life, or the subscription is not the one of `connect`.
            RedisError: if the connection is gone.
        """
        pubsub = self._pubsub
        assert pubsub is not None
        while True:
            response = await self._response(pubsub, self._check_every_s)
            if response is None:
                await pubsub.ping()
                response = await self._response(pubsub, self._timeout_s)
            match response:
                case None:
                    raise Unavailable("Redis does not answer")
                case {"type": "subscribe"}:
                    raise Unavailable("the connection that listens was replaced")
                case {"type": "message", "data": data}:
                    return Event(self._name, data)

    async def publish(self, channel: str, message: str) -> None:
        """Publish. What fails is tried once more, on a new connection."""
        await self._speaking.publish(channel, message)

    async def check_publishing(self) -> None:
        answer = self._speaking.ping()
        assert not isinstance(answer, bool)  # as its sync twin's would be
        await answer

    async def aclose(self) -> None:
        await _hang_up(self._speaking)
        await _hang_up(self._hearing)

    @staticmethod
    async def _response(pubsub: PubSub, timeout_s: float) -> dict[str, Any] | None:
        response: dict[str, Any] | None = await pubsub.get_message(timeout=timeout_s)
        return response


async def _hang_up(resource: PubSub | Redis) -> None:
    with suppress(RedisError, OSError, TimeoutError):
        async with asyncio.timeout(HANG_UP_S):
            await resource.aclose()
