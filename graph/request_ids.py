"""Names every request: in its answer, in its errors, and in whatever the service's own log says of it."""

from __future__ import annotations

import re
from random import getrandbits

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUEST_ID_HEADER = "X-Request-Id"
_HEADER = REQUEST_ID_HEADER.lower().encode()
_SANE = re.compile(rb"[A-Za-z0-9._~:/+=-]{1,128}")
"""What is taken from a caller: nothing that could end a line of the log or of the headers."""
_ANSWERS = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})


class RequestIds:
    """Takes the id that the caller or a proxy gave a request, if it is sane, or makes one. All of a websocket has one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        request_id = _given(scope) or f"{getrandbits(64):016x}"
        header = (_HEADER, request_id.encode())

        async def send_named(message: Message) -> None:
            if message["type"] in _ANSWERS:
                message = {**message, "headers": [*message.get("headers", ()), header]}
            await send(message)

        # It is never unbound: the server gives each request a task, hence a context, and logs there what it ends with.
        structlog.contextvars.bind_contextvars(request_id=request_id)
        await self._app(scope, receive, send_named)


def current_request_id() -> str | None:
    """Tell which request this is done for, if it is for one."""
    request_id: str | None = structlog.contextvars.get_contextvars().get("request_id")
    return request_id


def _given(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == _HEADER:
            return value.decode() if _SANE.fullmatch(value) else None
    return None
