"""Without access control only pages and programs of this machine are answered: a browser here also runs pages of others.

A page whose name was made to lead to this machine sends that name as `Host`, and any other page its own as `Origin`. What a
proxy passes on is of others, too, unless a setting says that the proxy looks after who they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

import orjson
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from graph.errors import error_body, extensions

FORWARDED = frozenset({b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip"})
MISDIRECTED = 421
FORBIDDEN = 403
MOST_KNOWN = 100
"""Values of `Host` whose answer is remembered."""
UNKNOWN_HOST = "this service does not answer to the name {}: use localhost, or name it in JOBTAIL_ALLOWED_HOSTS"
PROXIED = (
    "a proxy passes this on ({}), and whomever it lets in could read every log: set JOBTAIL_ACCESS=tokens or, if the proxy "
    "asks who they are, name it in JOBTAIL_TRUSTED_PROXIES"
)
FOREIGN_PAGE = "a page of another site asks for this: name that site in JOBTAIL_ALLOWED_ORIGINS"


class OwnMachine:
    """Refuses, by HTTP and by websocket, what does not come from this machine."""

    def __init__(
        self, app: ASGIApp, *, hosts: Iterable[str] = (), origins: Iterable[str] = (), is_behind_proxy: bool = False
    ) -> None:
        """`hosts` and `origins` are let in beside this machine's own."""
        self._app = app
        self._hosts = {_without_dot(host) for host in hosts}
        self._origins = {origin.lower().rstrip("/") for origin in origins}
        self._is_behind_proxy = is_behind_proxy
        self._known: dict[bytes, bool] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = None if scope["type"] == "lifespan" else next(self._reasons(scope), None)
        if refused is None:
            await self._app(scope, receive, send)
        else:
            await _answer(scope, *refused)(scope, receive, send)

    def _reasons(self, scope: Scope) -> Iterator[tuple[int, str]]:
        """Yield why a request is refused: with which status, and what to do about it."""
        fetched: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            if name == b"host":
                if not self._is_known(value):
                    yield MISDIRECTED, UNKNOWN_HOST.format(_shown(value))
            elif name in FORWARDED:
                if not self._is_behind_proxy:
                    yield FORBIDDEN, PROXIED.format(name.decode())
            elif name == b"origin" or name.startswith(b"sec-fetch-"):
                fetched[name] = value
        if fetched and scope.get("method") != "OPTIONS" and not self._is_own_page(fetched):
            yield FORBIDDEN, FOREIGN_PAGE

    def _is_known(self, host: bytes) -> bool:
        known = self._known.get(host)
        if known is None:
            known = self._is_own_host(_name_of(f"//{host.decode('latin-1')}"))
            if len(self._known) < MOST_KNOWN:
                self._known[host] = known
        return known

    def _is_own_host(self, name: str | None) -> bool:
        """Tell whether a name is of this machine. Public names, which others can lead anywhere, have a dot."""
        if name is None:
            return False
        try:
            return ip_address(name).is_loopback or name in self._hosts
        except ValueError:
            return "." not in name or name.endswith(".localhost") or name in self._hosts

    def _is_own_page(self, fetched: dict[bytes, bytes]) -> bool:
        """Tell whether a browser asks for a page of ours, or for one that is allowed. Links lead here from anywhere."""
        origin = fetched.get(b"origin")
        if origin is not None:
            text = origin.decode("latin-1").lower()
            return text in self._origins or (
                text.startswith(("http://", "https://")) and self._is_own_host(_name_of(text))
            )
        is_of_others = fetched.get(b"sec-fetch-site") == b"cross-site"
        is_link = fetched.get(b"sec-fetch-mode") == b"navigate" and fetched.get(b"sec-fetch-dest") == b"document"
        return is_link or not is_of_others


def _name_of(url: str) -> str | None:
    try:
        name = urlsplit(url).hostname
    except ValueError:
        return None
    return _without_dot(name or "") or None


def _without_dot(name: str) -> str:
    return name.lower().removesuffix(".")


def _shown(value: bytes) -> str:
    return repr(value[:80].decode("latin-1"))


def _answer(scope: Scope, status: int, message: str) -> Response:
    if scope["path"] != "/graphql":
        return error_body(status, "FORBIDDEN", message)
    body = {"errors": [{"message": message, "extensions": extensions("FORBIDDEN")}]}
    return Response(orjson.dumps(body), status, media_type="application/json")
