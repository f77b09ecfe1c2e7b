"""Websockets that cost a client little and would cost the service much: in memory, in time, in connections."""

from __future__ import annotations

import json
import socket

import pytest

from graph.live.websocket import MOST_VALUES
from graph.server.bounded_websockets import LARGEST_FIRST
from tests.attacks.conftest import Target
from tests.wire import HANDSHAKE, SLOW, closed_with, exchange, read_close, read_until, said, text, websocket

PAYLOAD = {"query": 'subscription { jobLogs(jobId: "JB_1") { caughtUp } }'}


def test_a_beginning_is_small_whoever_sends_it(target: Target) -> None:
    junk = json.dumps({"type": "connection_init", "payload": {"junk": "x" * LARGEST_FIRST}})
    with websocket(target, begin=False) as client:
        client.sendall(text(junk.encode()))
        assert closed_with(read_close(client)) == 1009


JUNK = "[" + "0," * MOST_VALUES + "0]"


def test_an_operation_of_too_many_values_is_refused_alone(target: Target) -> None:
    message = json.dumps({"id": "one", "type": "subscribe", "payload": {**PAYLOAD, "variables": {"junk": 5}}})
    with websocket(target) as client:
        client.sendall(text(message.replace("5", JUNK).encode()))
        answer = read_until(client, b"}]}")
        assert b'"id":"one","type":"error"' in answer
        assert b"BAD_INPUT" in answer
        client.sendall(said({"type": "ping"}))
        assert b"pong" in read_until(client, b"}")


@pytest.mark.parametrize("kind", ["ping", "complete", "nothing"])
def test_another_message_of_too_many_values_closes_its_websocket(target: Target, kind: str) -> None:
    with websocket(target) as client:
        client.sendall(text(json.dumps({"type": kind, "payload": 5}).replace("5", JUNK).encode()))
        assert closed_with(read_close(client)) == 4400


def test_operations_of_a_websocket_share_what_they_may_keep(target: Target) -> None:
    """Each of 100 operations could keep a quarter of a megabyte; those that find no room are told so."""
    with websocket(target) as client:
        junk = "x" * 200_000
        for number in range(60):
            payload = {**PAYLOAD, "variables": {"junk": junk}}
            client.sendall(said({**SLOW, "id": str(number), "payload": payload}))
        answer = read_until(client, b'"error"')
    assert b"UNAVAILABLE" in answer
    assert b"hold" in answer


def test_a_long_cookie_keeps_nobody_from_a_websocket(target: Target) -> None:
    with target.connect() as client:
        client.sendall(HANDSHAKE.format(f"Cookie: {'c' * 9000}\r\n").encode())
        assert read_until(client, b"\r\n\r\n").startswith(b"HTTP/1.1 101")


def test_a_handshake_with_a_header_that_is_too_long_is_answered(target: Target) -> None:
    assert exchange(target, HANDSHAKE.format(f"X-Long: {'c' * 9000}\r\n").encode()).startswith(b"HTTP/1.1 431")


def test_pings_of_a_client_that_reads_nothing_are_not_answered_into_memory(target: Target) -> None:
    ping = b"\x89\xfd" + bytes(4) + b"p" * 125
    with websocket(target) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(2)
        for _ in range(200):
            client.sendall(ping * 500)
        waiting = [
            connection for connection in target.server.server_state.connections if hasattr(connection, "writable")
        ]
        assert max(each.transport.get_write_buffer_size() for each in waiting) < 2 * 1024 * 1024
