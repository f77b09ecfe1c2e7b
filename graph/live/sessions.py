"""Whatever a token let in and still lives, and its end when the token's time is over."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Iterator, MutableMapping
from contextlib import contextmanager, suppress
from typing import Any, Protocol

from domain.access import Grant
from domain.errors import Unauthenticated, Unavailable
from graph.access.gate import Gate
from graph.errors import extensions
from graph.server.connection import connection_of

LOOK_EVERY_S = 4.0
END_S = 2.0
"""How long a client may take to be told. Then its connection is cut: one that does not read would never be told."""
OVER = "the token was revoked or has expired"

log = logging.getLogger(__name__)


class Session(Protocol):
    @property
    def grant(self) -> Grant:
        """What its token grants."""

    async def end(self) -> None:
        """Tell the client, and stop."""

    def cut(self) -> None:
        """Stop at once."""


class Sessions:
    """All sessions of the process whose token's time can end."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._sessions: set[Session] = set()

    def __len__(self) -> int:
        return len(self._sessions)

    def add(self, session: Session) -> None:
        """Watch over a session, if its token's time can end."""
        if can_end(session.grant):
            self._sessions.add(session)

    def discard(self, session: Session) -> None:
        self._sessions.discard(session)

    @contextmanager
    def body(self, grant: Grant) -> Iterator[None]:
        """Let a body that the current task waits for arrive no longer than its token is valid.

        Raises:
            Unauthenticated: where it ends for that.
        """
        session = _Body(grant)
        self.add(session)
        try:
            yield
        except asyncio.CancelledError:
            if not session.is_over or session.task.uncancel():
                raise
            raise Unauthenticated(OVER) from None
        finally:
            self.discard(session)

    @contextmanager
    def download(self, grant: Grant, scope: MutableMapping[str, Any]) -> Iterator[None]:
        """Let an answer whose length nobody knows last no longer than its token: it is cut, so no part passes for the whole."""
        session = _Download(grant, scope)
        self.add(session)
        try:
            yield
        finally:
            self.discard(session)

    async def watch(self) -> None:
        """Look every few seconds, with one statement for all sessions. While the database is away nobody is ended.

        No client holds up the end of others, and whatever goes wrong with one, the watch goes on.
        """
        async with asyncio.TaskGroup() as ending:
            while True:
                await asyncio.sleep(LOOK_EVERY_S)
                try:
                    over = await self._gate.ended(session.grant for session in self._sessions)
                except Unavailable as error:
                    log.warning("revoked tokens cannot be looked for: %s", error)
                    continue
                except Exception:
                    log.exception("revoked tokens cannot be looked for")
                    continue
                for session in [each for each in self._sessions if each.grant in over]:
                    self._sessions.discard(session)
                    ending.create_task(_end(session))


async def _end(session: Session) -> None:
    try:
        async with asyncio.timeout(END_S):
            await session.end()
    except TimeoutError:
        session.cut()
    except Exception:
        log.exception("a session could not be ended as it should, and is cut")
        session.cut()


def can_end(grant: Grant) -> bool:
    return grant.token_id is not None or grant.expires_at is not None


class _Body:
    """A body that is arriving. It is awaited by the current task."""

    def __init__(self, grant: Grant) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.grant = grant
        self.task = task
        self.is_over = False

    async def end(self) -> None:
        self.cut()

    def cut(self) -> None:
        self.is_over = True
        self.task.cancel()


class _Download:
    """An answer that is being sent."""

    def __init__(self, grant: Grant, scope: MutableMapping[str, Any]) -> None:
        self.grant = grant
        self._scope = scope

    async def end(self) -> None:
        self.cut()

    def cut(self) -> None:
        connection_of(self._scope).abort()


class StreamSession:
    """A stream of server-sent events."""

    def __init__(
        self, grant: Grant, events: AsyncGenerator[str, None], sessions: Sessions, scope: MutableMapping[str, Any]
    ) -> None:
        self.grant = grant
        self._events = events
        self._sessions = sessions
        self._scope = scope
        self._over = asyncio.Event()
        self._ended = asyncio.Event()

    async def end(self) -> None:
        self._over.set()
        await self._ended.wait()

    def cut(self) -> None:
        connection_of(self._scope).abort()

    async def events(self) -> AsyncGenerator[str, None]:
        """Pass events on until they end, or the token's time does: then with an event that says so."""
        over = asyncio.ensure_future(self._over.wait())
        following: asyncio.Future[str | None] | None = None
        self._sessions.add(self)
        try:
            while not over.done():
                following = asyncio.ensure_future(anext(self._events, None))
                await asyncio.wait([following, over], return_when=asyncio.FIRST_COMPLETED)
                if following.done():
                    if (event := following.result()) is None:
                        return
                    yield event
            yield _last_events()
        finally:
            self._ended.set()
            self._sessions.discard(self)
            for waiting in (over, following):
                await _cancelled(waiting)
            await self._events.aclose()


def _last_events() -> str:
    error = {"message": OVER, "extensions": extensions("UNAUTHENTICATED")}
    return f"event: next\ndata: {json.dumps({'errors': [error]})}\n\nevent: complete\ndata:\n\n"


async def _cancelled(waiting: asyncio.Future[Any] | None) -> None:
    if waiting is not None:
        waiting.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await waiting
