"""HTTP and websockets byte by byte, for what no client would send."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from tests.attacks.conftest import Target


def frame(message: dict[str, Any]) -> bytes:
    """Put a message into a frame, masked with zeros, which leave it as it is."""
    payload = json.dumps(message).encode()
    is_long = len(payload) > 125
    length = bytes([0x80 | 126]) + struct.pack(">H", len(payload)) if is_long else bytes([0x80 | len(payload)])
    return b"\x81" + length + bytes(4) + payload


def read_until(client: socket.socket, wanted: bytes) -> bytes:
    received = b""
    while wanted not in received:
        part = client.recv(65_536)
        assert part, f"the service hung up after {received!r}"
        received += part
    return received


HANDSHAKE = (
    "GET /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Protocol: graphql-transport-ws\r\n{}\r\n"
)


SLOW = {"type": "subscribe", "id": "1", "payload": {"query": 'subscription { jobLogs(jobId: "JB_1") { caughtUp } }'}}


def exchange(target: Target, sent: bytes) -> bytes:
    """Send bytes, and read until the service hangs up or has answered whole."""
    with target.connect() as client:
        with suppress(ConnectionError):  # it may hang up before it has read all
            client.sendall(sent)
        return rest(client)


def rest(client: socket.socket) -> bytes:
    """Read until the service hangs up."""
    received = b""
    try:
        while part := client.recv(65_536):
            received += part
    except ConnectionResetError:
        pass
    return received


@contextmanager
def websocket(target: Target, *, begin: bool = True) -> Iterator[socket.socket]:
    with target.connect() as client:
        client.sendall(HANDSHAKE.format("").encode())
        read_until(client, b"\r\n\r\n")
        if begin:
            client.sendall(frame({"type": "connection_init"}))
            read_until(client, b"connection_ack")
        yield client


def closed_with(received: bytes) -> int:
    """Read the code of the close frame that is the last thing received."""
    at = max(received.rfind(b"\x88" + bytes([length])) for length in range(2, 126))
    code: int = struct.unpack(">H", received[at + 2 : at + 4])[0]
    return code


def read_close(client: socket.socket) -> bytes:
    """Read up to a close frame, and answer it, as a client has to."""
    received = b""
    while b"\x88" not in received:
        part = client.recv(65_536)
        if not part:
            break
        received += part
    with suppress(ConnectionError):
        client.sendall(b"\x88\x82" + bytes(4) + struct.pack(">H", 1000))
    return received


def text(payload: bytes, opcode: int = 1) -> bytes:
    """Put bytes into one frame, whatever they are."""
    length = (
        bytes([0x80 | len(payload)])
        if len(payload) < 126
        else bytes([0x80 | 126]) + struct.pack(">H", len(payload))
        if len(payload) < 65_536
        else bytes([0x80 | 127]) + struct.pack(">Q", len(payload))
    )
    return bytes([0x80 | opcode]) + length + bytes(4) + payload


def said(message: object) -> bytes:
    return text(json.dumps(message).encode())
