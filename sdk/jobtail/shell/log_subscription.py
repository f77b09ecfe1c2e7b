"""The service's GraphQL API: queries, and subscriptions by server-sent events, each on a connection of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import urllib3
from urllib3.exceptions import HTTPError
from urllib3.util import parse_url

from jobtail.outbox.address import NO_RETRIES, Proxy, connections, is_loopback, proxy_of

CONNECT_S = 5.0
ANSWER_S = 30.0
SILENCE_S = 60.0
"""A stream is taken for dead after this much silence: the service pings every 15 s."""
CHUNK_BYTES = 1 << 16
AWAY_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
TOKEN_STATUSES = frozenset({401, 403})
TOKEN_CODES = frozenset({"UNAUTHENTICATED", "FORBIDDEN"})


class ServiceAway(Exception):
    """The service cannot be reached, or cannot answer now: worth another try."""


class ServiceRefused(Exception):
    """The service says no, and will say so again."""


class GraphQL:
    """A client of the API at a URL, with a token or without."""

    def __init__(self, url: str, token: str | None) -> None:
        self.url = url
        self._endpoint = f"{url.rstrip('/')}/graphql"
        self._headers = {"Content-Type": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        proxy = _proxy(url)
        self._way = f" through the proxy {proxy.url}" if proxy else ""
        self._pool = connections(proxy, retries=NO_RETRIES)

    def ask(self, query: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Post an operation and give its data.

        Raises:
            ServiceAway: if there is no answer, or none yet.
            ServiceRefused: if the answer is an error.
        """
        with self._response(query, variables, accept="application/json", silence_s=ANSWER_S) as response:
            return self._data(response.read())

    def subscribe(self, query: str, variables: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the data of each event until the service completes the stream.

        Raises:
            ServiceAway: if the stream ends otherwise.
            ServiceRefused: if an event is an error.
        """
        with self._response(query, variables, accept="text/event-stream", silence_s=SILENCE_S) as response:
            if not response.headers.get("Content-Type", "").startswith("text/event-stream"):
                yield self._data(response.read())
                return
            for kind, data in _events(response.stream(CHUNK_BYTES)):
                if kind == b"complete":
                    return
                if kind == b"next":
                    yield self._data(data)
        raise ServiceAway(f"{self.url} ended the stream")

    @contextmanager
    def _response(
        self, query: str, variables: Mapping[str, Any], *, accept: str, silence_s: float
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        """Post, and translate what goes wrong until the response has been read."""
        response: urllib3.BaseHTTPResponse | None = None
        try:
            response = self._pool.request(
                "POST",
                self._endpoint,
                body=json.dumps({"query": query, "variables": variables}).encode(),
                headers={**self._headers, "Accept": accept},
                timeout=urllib3.Timeout(connect=CONNECT_S, read=silence_s),
                preload_content=False,
            )
            self._check(response)
            yield response
        except (HTTPError, OSError) as error:
            raise ServiceAway(f"{self.url}{self._way}: {_reason(error)}") from error
        finally:
            if response is not None:
                response.close()

    def _check(self, response: urllib3.BaseHTTPResponse) -> None:
        status = response.status
        if status in TOKEN_STATUSES:
            raise ServiceRefused(f"{self.url} refuses the token: give a valid one by --token or JOBTAIL_TOKEN")
        if status in AWAY_STATUSES:
            raise ServiceAway(f"{self.url} answers {status}")
        if not _is_graphql(response):
            raise ServiceRefused(
                f"{self.url} answers {status} and is no Jobtail service: is --url or JOBTAIL_URL right?"
            )

    def _data(self, body: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(body)
        except ValueError as error:
            raise ServiceAway(f"{self.url} sends half an answer") from error
        if answer.get("errors"):
            raise self._error(answer["errors"][0])
        data: dict[str, Any] = answer["data"]
        return data

    def _error(self, error: Mapping[str, Any]) -> Exception:
        code, message = (error.get("extensions") or {}).get("code"), error.get("message", "")
        if code in TOKEN_CODES:
            return ServiceRefused(
                f"{self.url} refuses the token ({message}): give a valid one by --token or JOBTAIL_TOKEN"
            )
        return ServiceAway(message) if code == "UNAVAILABLE" else ServiceRefused(message)


def _proxy(url: str) -> Proxy | None:
    """Find the proxy of the environment, which captured lines go through, too; to this machine there is none."""
    parsed = parse_url(url)
    return None if is_loopback(parsed.host) else proxy_of(parsed)


def _is_graphql(response: urllib3.BaseHTTPResponse) -> bool:
    kind = response.headers.get("Content-Type", "")
    return response.status in {200, 400} and ("json" in kind or kind.startswith("text/event-stream"))


def _reason(error: BaseException) -> str:
    """Say what happened without the object names of urllib3: `... Connection refused`."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = (
            getattr(cause, "reason", None)
            or getattr(cause, "original_error", None)
            or cause.__cause__
            or cause.__context__
        )
        cause = cause if isinstance(cause, BaseException) else None
    return str(error).rpartition(": ")[2] or type(error).__name__


def _events(chunks: Iterator[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Read the kind and the data of each event; the service writes the data as one line, however long."""
    kind = data = b""
    for line in _lines(chunks):
        name, _, value = line.partition(b":")
        if not line:
            if kind or data:
                yield kind, data
            kind = data = b""
        elif name == b"event":
            kind = value.strip()
        elif name == b"data":
            data = value.strip()


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    rest = bytearray()
    for chunk in chunks:
        searched = len(rest)
        rest += chunk
        start = 0
        while (end := rest.find(b"\n", max(searched, start))) >= 0:
            yield bytes(rest[start:end]).removesuffix(b"\r")
            start = end + 1
        del rest[:start]
