"""Hostile bytes on the wire: headers, paths, halves of requests, frames and messages as no client would send them."""

from __future__ import annotations

import struct

import httpx
import pytest

from graph.server.bounded_heads import LARGEST_HEAD
from tests.attacks.conftest import Target, refused
from tests.wire import (
    HANDSHAKE,
    SLOW,
    closed_with,
    exchange,
    frame,
    read_close,
    rest,
    said,
    text,
    websocket,
)


def request(line: str = "GET /healthz HTTP/1.1", *headers: str, body: str = "") -> bytes:
    return "\r\n".join([line, "Host: a", "Connection: close", *headers, "", body]).encode("latin-1")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (request("GET /healthz HTTP/1.1", *(f"X-{n}: {n}" for n in range(400))), 200),
        (request("GET /healthz HTTP/1.1", "X: " + "a" * 2_000_000), 400),
        (request("GET /healthz HTTP/1.1", *(f"X-{n}: {'a' * 100}" for n in range(20_000))), 400),
        (request("GET /" + "a" * 2_000_000 + " HTTP/1.1"), 400),
        (request("POST /graphql HTTP/1.1", "Content-Length: -1"), 400),
        (request("POST /graphql HTTP/1.1", "Content-Length: many"), 400),
        (request("POST /graphql HTTP/1.1", "Content-Length: 99999999999999999999999"), 400),
        (request("POST /graphql HTTP/1.1", "Content-Type: application/json", "Content-Length: 999999999999"), 413),
        (request("POST /api/capture HTTP/1.1", "Content-Length: 999999999999"), 400),
        (request("POST /graphql HTTP/1.1", "Content-Length: 5", "Content-Length: 6", body="12345"), 400),
        (request("POST /graphql HTTP/1.1", "Content-Length: 5", "Transfer-Encoding: chunked", body="0\r\n\r\n"), 400),
        (request("POST /graphql HTTP/1.1", "Transfer-Encoding: chunked", body="zz\r\n"), 400),
        (request("GET /healthz HTTP/1.1", "X-Request-Id: a\r\n b"), 400),
        (request("GET /healthz HTTP/1.1", "X-Request-Id: a\nX-Evil: b"), 400),
        (request("GET /healthz HTTP/1.1", "X-Request-Id: a\x00b"), 400),
        (request("GET /healthz HTTP/1.1", "Bad Header"), 400),
        (request("GET /jobs/%ff%fe/logs HTTP/1.1"), 404),
        (request("GET /jobs/\xff\xfe/logs HTTP/1.1"), 400),
        (request("GET /healthz HTTP/9.9"), 400),
        (request("BREW /healthz HTTP/1.1"), 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"\x00" * 10_000, 400),
        (request("GET /graphql HTTP/1.1", "Accept: " + "text/html;q=" * 5000), 400),
        (request("GET /metrics HTTP/1.1", "Accept: */*;q=nan, ;;;,,,=;q="), 200),
    ],
)
def test_a_request_that_is_none_is_refused(target: Target, sent: bytes, status: int) -> None:
    answer = exchange(target, sent)
    if not answer:
        assert len(sent) > LARGEST_HEAD  # what was not read when it hung up takes the answer with it
        return
    found = int(answer.split(b" ", 2)[1])
    # some of what is wrong here may be let pass by another version of the parser: it is then an ordinary request
    assert found == status or (status == 400 and found in {200, 404, 408, 413}), answer[:300]
    assert b"Traceback" not in answer
    assert b"\nX-Evil" not in answer


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic YTpi",
        "bearer " + "a" * 60_000,
        "Bearer \x00",
        "Bearer \xff",
        "Bearer jt_",
        "jt_a_b",
    ],
)
def test_an_authorization_that_is_none_does_no_harm(target: Target, value: str) -> None:
    answer = exchange(target, request("GET /jobs/JB_1/logs HTTP/1.1", f"Authorization: {value}"))
    assert int(answer.split(b" ", 2)[1]) in {200, 400, 401}


@pytest.mark.parametrize(
    "path",
    [
        "/static/../settings.py",
        "/static/..%2fsettings.py",
        "/static/%2e%2e/settings.py",
        "/static/%2e%2e%2f%2e%2e%2fpyproject.toml",
        "/static/....//....//settings.py",
        "/static/..\\settings.py",
        "/static/..%5csettings.py",
        "/static//etc/passwd",
        "/static/%2fetc%2fpasswd",
        "/static/%00",
        "/static/graphiql/index.html%00.js",
        "/static/" + "a/" * 3000,
        "/static/" + "a" * 5000,
        "//etc/passwd",
        "/jobs/..%2f..%2fetc%2fpasswd/logs",
    ],
)
def test_no_path_leads_out_of_the_static_files(target: Target, path: str) -> None:
    answer = exchange(target, request(f"GET {path} HTTP/1.1"))
    assert answer.split(b" ", 2)[1] in {b"400", b"404", b"405"}, answer[:200]
    assert b"root:" not in answer
    assert b"BaseSettings" not in answer


@pytest.mark.parametrize(
    "part",
    [b"", b"GET /healthz HT", b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-A", HANDSHAKE.format("")[:-20].encode()],
    ids=["nothing", "a line", "headers", "a handshake"],
)
def test_half_a_request_is_cut(target: Target, part: bytes) -> None:
    with target.connect() as client:
        client.sendall(part)
        rest(client)  # which ends, for the service hangs up


def test_a_body_that_stays_away_ends_with_its_client(target: Target) -> None:
    head = request("POST /graphql HTTP/1.1", "Content-Type: application/json", "Content-Length: 1000", body='{"query"')
    for _ in range(20):
        with target.connect() as client:
            client.sendall(head)


def test_a_websocket_that_never_begins_is_closed(target: Target) -> None:
    with websocket(target, begin=False) as client:
        assert closed_with(read_close(client)) == 4408


SUBSCRIBE = {"type": "subscribe", "id": "1"}


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (text(b"no json"), 4400),
        (text(b"\xff\xfe"), 1007),
        (text(b"{}", opcode=2), 4400),
        (text(b"[" * 60_000), 4400),
        (text(b"9" * 5000), 4400),
        (said([]), 4400),
        (said(5), 4400),
        (said(None), 4400),
        (said({}), 4400),
        (said({"type": ["subscribe"]}), 4400),
        (said({"type": "nothing"}), 4400),
        (said(SUBSCRIBE), 4400),
        (said({**SUBSCRIBE, "payload": "x"}), 4400),
        (said({**SUBSCRIBE, "id": {}, "payload": {"query": "{ __typename }"}}), 4400),
        (said({**SUBSCRIBE, "payload": {"query": 5}}), 4400),
        (said({**SUBSCRIBE, "payload": {"query": "{ __typename }", "variables": "x"}}), 4400),
        (said({**SUBSCRIBE, "payload": {"query": "{ __typename }", "operationName": []}}), 4400),
        (said({"type": "complete"}), 4400),
        (said({"type": "connection_init"}), 4429),
        (said({**SLOW}) + said({**SLOW}), 4409),
        (text(b" " * 300_000), 1009),
        (b"\x81\xff" + struct.pack(">Q", 2**62), 1009),
        (b"\x81\x02{}", 1002),
        (b"\xf1\x80" + bytes(4), 1002),
    ],
)
def test_a_message_that_is_none_closes_its_websocket(target: Target, sent: bytes, code: int) -> None:
    with websocket(target) as client:
        client.sendall(sent)
        assert closed_with(read_close(client)) == code


@pytest.mark.parametrize("payload", [5, "x", [], {"authorization": {"a": 1}}, {"Authorization": 5}])
def test_a_beginning_with_a_strange_payload_is_taken_or_refused(target: Target, payload: object) -> None:
    with websocket(target, begin=False) as client:
        client.sendall(said({"type": "connection_init", "payload": payload}))
        assert client.recv(65_536)


def test_what_comes_before_the_beginning_is_refused(target: Target) -> None:
    with websocket(target, begin=False) as client:
        client.sendall(said({**SUBSCRIBE, "payload": {"query": "{ __typename }"}}))
        assert closed_with(read_close(client)) == 4401


@pytest.mark.parametrize("header", ["Sec-WebSocket-Version: 99", "Origin: https://evil.example", "X: " + "a" * 300_000])
def test_a_handshake_that_is_none_is_refused(target: Target, header: str) -> None:
    answer = exchange(target, HANDSHAKE.format(header + "\r\n").encode())
    assert not answer or answer.split(b" ", 2)[1] in {b"400", b"403", b"426"}, answer[:200]


def test_websockets_that_are_left_halfway_hold_nothing(target: Target) -> None:
    for _ in range(30):
        with websocket(target) as client:
            client.sendall(frame(SLOW))
            client.sendall(b"\x81\xfe\xff\xff")  # the head of a frame whose rest never comes


def test_a_hundred_pings_are_answered(target: Target) -> None:
    with websocket(target) as client:
        client.sendall(said({"type": "ping"}) * 100)
        received = b""
        while received.count(b'"pong"') < 100:
            received += client.recv(65_536)


def test_a_method_that_is_not_allowed_is_told_as_json(http: httpx.Client) -> None:
    for method, path in (
        ("DELETE", "/jobs/JB_1/logs"),
        ("PUT", "/api/capture"),
        ("PATCH", "/graphql"),
        ("POST", "/healthz"),
    ):
        response = http.request(method, path)
        assert response.status_code == 405
        assert refused(response) == "BAD_INPUT"
