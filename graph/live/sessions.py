"""Live connections that a token let in, and their end when the token's time is over."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any, Protocol

from domain.access import Grant
from domain.errors import Unavailable
from graph.access.gate import Gate
from graph.errors import extensions

LOOK_EVERY_S = 5.0
OVER = "the token was revoked or has expired"

log = logging.getLogger(__name__)


class Session(Protocol):
    @property
    def grant(self) -> Grant:
        """What its token grants."""

    async def end(self) -> None:
        """Tell the client, and stop."""


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

    async def watch(self) -> None:
        """Look every few seconds, with one statement for all sessions. While the database is away nobody is ended."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                over = await self._gate.ended(session.grant for session in self._sessions)
            except Unavailable as error:
                log.warning("revoked tokens cannot be looked for: %s", error)
                continue
            for session in [each for each in self._sessions if each.grant in over]:
                self._sessions.discard(session)
                await session.end()


def can_end(grant: Grant) -> bool:
    return grant.token_id is not None or grant.expires_at is not None


class StreamSession:
    """A stream of server-sent events."""

    def __init__(self, grant: Grant, events: AsyncGenerator[str, None], sessions: Sessions) -> None:
        self.grant = grant
        self._events = events
        self._sessions = sessions
        self._over = asyncio.Event()

    async def end(self) -> None:
        self._over.set()

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
