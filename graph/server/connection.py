"""The connection that a request came by, as far as an application may ask something of it."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Protocol

EXTENSION = "jobtail.connection"
"""Its name among the extensions of an ASGI scope."""


class HttpConnection(Protocol):
    def abort(self) -> None:
        """Cut it at once, whatever waits to be sent: a reader who has stalled would be waited for for ever."""

    def take_large_messages(self) -> None:
        """Take messages of the size that the settings allow, now that it is known who sends them."""


class _Unknown:
    """Stands for the connection of another server, which looks after it itself."""

    def abort(self) -> None:
        """Nothing is known to cut."""

    def take_large_messages(self) -> None:
        """Nothing is known to widen."""


_UNKNOWN = _Unknown()


def connection_of(scope: MutableMapping[str, Any]) -> HttpConnection:
    connection: HttpConnection = scope.get("extensions", {}).get(EXTENSION, _UNKNOWN)
    return connection


def let_reach(scope: MutableMapping[str, Any], connection: HttpConnection) -> None:
    """Let the application find the connection by the scope of its request."""
    scope.setdefault("extensions", {})[EXTENSION] = connection
