"""A token whose time is over: whatever it let in ends within 10 s, and no client of another token can hold that up."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from uuid import uuid4

import httpx
import pytest

from domain.access import Scope
from graph.access.gate import make_token
from persistence.database import Database
from persistence.stores.token_store import PostgresTokenStore
from tests.client import PATIENCE_S
from tests.conftest import Service, serving
from tests.wire import HANDSHAKE, read_until, said

PROMISED_S = 10
JOB = "JB_REVOKED"
FOLLOW = f'subscription {{ jobLogs(jobId: "{JOB}", afterSeq: 0) {{ logs {{ message }} }} }}'


@pytest.fixture
def guarded(database_url: str) -> Iterator[Service]:
    with serving(database_url, JOBTAIL_ACCESS="tokens") as service:
        yield service


@pytest.fixture
def token(database_url: str) -> Callable[..., str]:
    def make(*scopes: Scope) -> str:
        text, made = make_token(scopes)

        async def add() -> None:
            async with Database(database_url) as database:
                await PostgresTokenStore(database).add(made)

        asyncio.run(add())
        return text

    return make


def revoke(url: str, *tokens: str) -> None:
    async def end() -> None:
        async with Database(url) as database:
            for token in tokens:
                await PostgresTokenStore(database).revoke(token.split("_")[1], datetime.now(UTC))

    asyncio.run(end())


def capture(service: Service, token: str, lines: int) -> None:
    events = [{"type": "line", "job_id": JOB, "n": n, "message": "x" * 1000} for n in range(1, lines + 1)]
    headers = {"Jobtail-Writer": str(uuid4()), "Authorization": f"Bearer {token}"}
    body = "\n".join(map(json.dumps, events))
    assert httpx.post(f"{service.url}/api/capture", content=body, headers=headers, timeout=PATIENCE_S).is_success


def connect(service: Service) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(PATIENCE_S)
    host, _, port = service.url.removeprefix("http://").partition(":")
    client.connect((host, int(port)))
    return client


def websocket(service: Service, token: str) -> socket.socket:
    """Follow the job from its beginning; nothing more is read here."""
    client = connect(service)
    client.sendall(HANDSHAKE.format("").encode())
    read_until(client, b"\r\n\r\n")
    client.sendall(said({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}}))
    read_until(client, b"connection_ack")
    client.sendall(said({"type": "subscribe", "id": "1", "payload": {"query": FOLLOW}}))
    return client


def request(service: Service, token: str, line: str, *headers: str, body: str = "") -> socket.socket:
    client = connect(service)
    head = [f"{line} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {token}", *headers, "", body]
    client.sendall("\r\n".join(head).encode())
    return client


def seconds_to_end(client: socket.socket, begun: float) -> float:
    """Read until the service hangs up."""
    try:
        while client.recv(1024 * 1024):
            pass
    except ConnectionResetError:
        pass
    return time.monotonic() - begun


def test_all_that_a_revoked_token_let_in_ends_in_time(
    guarded: Service, token: Callable[..., str], database_url: str
) -> None:
    """Some of the clients read nothing, and one hangs up in the moment in which it is ended."""
    stalled, live = token(Scope.READ), token(Scope.READ, Scope.CAPTURE)
    capture(guarded, token(Scope.ADMIN), 10_000)
    body = json.dumps({"query": FOLLOW})
    events = ["Content-Type: application/json", "Accept: text/event-stream", f"Content-Length: {len(body)}"]
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(websocket(guarded, stalled))
        hanging_up = websocket(guarded, stalled)
        clients = {
            "websocket": websocket(guarded, live),
            "events": request(guarded, live, "POST /graphql", *events, body=body),
            "download": request(guarded, live, f"GET /jobs/{JOB}/logs?format=ndjson"),
            "capture": request(
                guarded, live, "POST /api/capture", f"Jobtail-Writer: {uuid4()}", "Content-Length: 100", body="{"
            ),
        }
        for client in clients.values():
            stack.enter_context(client)
        read_until(clients["websocket"], b'"next"')
        read_until(clients["events"], b"event: next")
        read_until(clients["download"], b"200 OK")
        revoke(database_url, stalled, live)
        begun = time.monotonic()
        hanging_up.close()
        ended = {name: seconds_to_end(client, begun) for name, client in clients.items()}
        assert max(ended.values()) < PROMISED_S, ended
        late = token(Scope.READ)
        client = stack.enter_context(websocket(guarded, late))
        read_until(client, b'"next"')
        revoke(database_url, late)
        assert seconds_to_end(client, time.monotonic()) < PROMISED_S, "the watch goes on"
