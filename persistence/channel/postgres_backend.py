"""Announcements by LISTEN and NOTIFY: broadcaster's port on two connections of our own, one to hear and one to speak."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement
from broadcaster import BroadcastBackend, Event

from domain.errors import InvalidInput, JobtailError, Unavailable
from persistence.database import Database
from persistence.database_url import connect_arguments

MESSAGE_LIMIT = 7_999
"""Bytes. NOTIFY takes fewer than 8,000."""
NAME_LIMIT = 63
"""Bytes. Postgres cuts longer identifiers, and then hears nothing."""
HANG_UP_S = 0.3
NOTIFY = "SELECT pg_notify($1, $2)"
SESSION_SETTINGS = {
    "application_name": "jobtail-channel",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
"""Set by a statement: PgBouncer refuses a connection that asks for them as it starts."""


class PostgresBackend(BroadcastBackend):
    """Hears from `connect` to `disconnect`, and raises from `next_published` when it no longer does.

    It speaks whenever it is asked to, connecting first where it must.
    """

    message_limit = MESSAGE_LIMIT

    def __init__(
        self, url: str, *, name: str, timeout_s: float, check_every_s: float, database: Database | None = None
    ) -> None:
        if len(name.encode()) > NAME_LIMIT:
            raise InvalidInput(f"the name of a channel in Postgres has at most {NAME_LIMIT} bytes")
        self._arguments = listener_arguments(url)
        self._name = name
        self._timeout_s = timeout_s
        self._check_every_s = check_every_s
        self._database = database
        self._listening: asyncpg.Connection | None = None
        self._speaking: asyncpg.Connection | None = None
        self._statement: PreparedStatement
        self._heard: asyncio.Queue[str | None] = asyncio.Queue()

    async def connect(self) -> None:
        # The queue has no bound of its own: broadcaster empties it into its subscriber, and the channel that at once.
        heard = self._heard = asyncio.Queue[str | None]()
        connection = self._listening = await self._open()
        connection.add_termination_listener(lambda _connection: heard.put_nowait(None))
        await connection.add_listener(self._name, lambda _c, _pid, _name, text: heard.put_nowait(str(text)))

    async def disconnect(self) -> None:
        connection, self._listening = self._listening, None
        await _hang_up(connection)

    async def subscribe(self, group: str) -> None:
        """Do nothing: `connect` listens already, since broadcaster answers a failure here with a KeyError."""

    async def unsubscribe(self, group: str) -> None:
        """Do nothing: `disconnect` ends the listening."""

    async def next_published(self) -> Event:
        """Wait for a message.

        Raises:
            Unavailable: if the connection is gone.
            Exception: whatever the driver raises when the server gives no sign of life.
        """
        while True:
            try:
                async with asyncio.timeout(self._check_every_s):
                    text = await self._heard.get()
            except TimeoutError:
                await self._check_listening()
                continue
            if text is None:
                raise Unavailable("the connection that listens was closed")
            return Event(self._name, text)

    async def publish(self, channel: str, message: str) -> None:
        """Notify. What fails is tried once more, on a new connection."""
        try:
            if self._database is not None and self._database.has_ready:
                await self._notify_by(self._database, channel, message)
            else:
                await self._notify(channel, message)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, JobtailError):
            await self._notify(channel, message)

    async def check_publishing(self) -> None:
        """Notify a channel that nobody hears: a standby takes a SELECT, and no NOTIFY."""
        await self._notify("jobtail_nobody", "")

    async def aclose(self) -> None:
        connection, self._speaking = self._speaking, None
        await _hang_up(connection)

    async def _notify_by(self, database: Database, channel: str, message: str) -> None:
        """Notify on the connection that was used last, mostly to store what is announced.

        Its server process is awake, and has at hand what one that slept must fetch first.
        """
        await database.driven(lambda driver: driver.fetchval(NOTIFY, channel, message, timeout=self._timeout_s))

    async def _notify(self, channel: str, message: str) -> None:
        try:
            if self._speaking is None:
                self._speaking = await self._open()
                # One statement by hand instead of the cache: without either, each message takes a round trip more.
                self._statement = await self._speaking.prepare(NOTIFY, timeout=self._timeout_s)
            await self._statement.fetchval(channel, message, timeout=self._timeout_s)
        except BaseException:
            connection, self._speaking = self._speaking, None
            if connection is not None:
                connection.terminate()
            raise

    async def _check_listening(self) -> None:
        assert self._listening is not None
        await self._listening.fetchval("SELECT 1", timeout=self._timeout_s)

    async def _open(self) -> asyncpg.Connection:
        connection: asyncpg.Connection = await asyncpg.connect(
            **self._arguments, timeout=self._timeout_s, statement_cache_size=0
        )
        try:
            await connection.execute(
                "SELECT set_config(name, value, FALSE) FROM unnest($1::text[], $2::text[]) AS setting (name, value)",
                list(SESSION_SETTINGS),
                list(SESSION_SETTINGS.values()),
                timeout=self._timeout_s,
            )
        except BaseException:
            connection.terminate()
            raise
        return connection


async def _hang_up(connection: asyncpg.Connection | None) -> None:
    """Close politely, and at once where the server does not answer."""
    if connection is None or connection.is_closed():
        return
    with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        await connection.close(timeout=HANG_UP_S)


def listener_arguments(url: str) -> dict[str, Any]:
    """Read a URL as the database's is read. How long each thing may take, and what is prepared, is said here."""
    ours = {"timeout", "command_timeout", "statement_cache_size", "prepared_statement_cache_size"}
    return {name: value for name, value in connect_arguments(url).items() if name not in ours}
