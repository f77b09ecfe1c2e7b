"""Requests of some kilobytes that could become gigabytes, and readers who could make the service hold as much."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any
from uuid import uuid4

import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.attacks.watching import MIB, watched
from tests.client import PATIENCE_S, Api, new_job_id
from tests.conftest import CloneDatabase, Service, serving

SOON_S = 2
BOMB_BYTES = 8 * MIB
FOLDED = 8
"""How many times its size a body may take. What was refused here took 50 to 120 times as much."""
PROTOBUF = "application/x-protobuf"


@pytest.fixture(scope="module")
def service(new_database: CloneDatabase, migrated_template: str) -> Iterator[Service]:
    with serving(new_database(migrated_template)) as service:
        with Api(service) as api:
            api.capture("JB_WARM", {"stage": "s", "message": "m"})
            api.ask('{ job(jobId: "JB_WARM") { logs { nodes { message } } } }')
        httpx.post(f"{service.url}/v1/logs", json={}, timeout=PATIENCE_S)
        yield service


def line(job_id: str, n: int, metadata: str) -> bytes:
    return f'{{"type":"line","job_id":"{job_id}","n":{n},"message":"m","metadata":{{"a":{metadata}}}}}\n'.encode()


def fields(number: int, data: bytes) -> bytes:
    """Put data into a field of protobuf, of whatever length."""
    length, out = len(data), bytearray([number << 3 | 2])
    while length > 127:
        out.append(length & 127 | 128)
        length >>= 7
    return bytes([*out, length]) + data


def of_a_job() -> bytes:
    sent = ExportLogsServiceRequest()
    sent.resource_logs.add().resource.attributes.add(key="jobtail.job_id").value.string_value = new_job_id()
    return sent.resource_logs[0].SerializeToString()


BOMBS = {
    "a line of lists": lambda: line("B", 1, "[" + "[]," * (BOMB_BYTES // 3) + "[]]"),
    "a line of objects": lambda: line("B", 1, "[" + '{"a":{}},' * (BOMB_BYTES // 9) + "{}]"),
    "lines of lists": lambda: b"".join(line("B", n, "[" + "[]," * 90_000 + "[]]") for n in range(1, 30)),
    "empty lines": lambda: b"\n" * BOMB_BYTES,
}
RECORDS = {
    "records in JSON": lambda: (
        b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[' + b"{}," * (BOMB_BYTES // 3) + b"{}]}]}]}"
    ),
    "resources in JSON": lambda: b'{"resourceLogs":[' + b"{}," * (BOMB_BYTES // 3) + b"{}]}",
    "a record in JSON": lambda: (
        b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"arrayValue":{"values":['
        + b"{}," * (BOMB_BYTES // 3)
        + b"{}]}}}]}]}]}"
    ),
    "records": lambda: fields(1, fields(2, b"\x12\x00" * (BOMB_BYTES // 2))),
    "records of a job": lambda: fields(1, of_a_job() + fields(2, b"\x12\x00" * (BOMB_BYTES // 2))),
    "scopes": lambda: fields(1, b"\x12\x00" * (BOMB_BYTES // 2)),
    "resources": lambda: b"\x0a\x00" * (BOMB_BYTES // 2),
    "a record": lambda: fields(
        1, of_a_job() + fields(2, fields(2, fields(5, fields(5, b"\x0a\x00" * (BOMB_BYTES // 2)))))
    ),
    "attributes of a resource": lambda: fields(1, fields(1, b"\x0a\x00" * (BOMB_BYTES // 2)) + fields(2, b"\x12\x00")),
}


def bombard(service: Service, path: str, body: bytes, **headers: str) -> None:
    sent = {"Content-Encoding": "gzip", **{name.replace("_", "-"): value for name, value in headers.items()}}
    packed = gzip.compress(body, 1)
    with watched(service) as seen:
        answer = httpx.post(f"{service.url}{path}", content=packed, headers=sent, timeout=PATIENCE_S)
    assert answer.status_code in {200, 400, 413}, answer.text
    assert seen.grown_bytes < FOLDED * BOMB_BYTES, (seen, answer.text)
    assert seen.silent_s < SOON_S, seen


@pytest.mark.parametrize("name", BOMBS)
def test_captured_lines_take_memory_within_bounds(service: Service, name: str) -> None:
    bombard(service, "/api/capture", BOMBS[name](), Jobtail_Writer=str(uuid4()))


@pytest.mark.parametrize("name", RECORDS)
def test_records_take_memory_within_bounds(service: Service, name: str) -> None:
    bombard(service, "/v1/logs", RECORDS[name](), Content_Type="application/json" if "JSON" in name else PROTOBUF)


def test_a_giant_batch_is_stored_while_others_are_answered(service: Service) -> None:
    job_id = new_job_id()
    body = b"".join(
        json.dumps({"type": "line", "job_id": job_id, "n": n, "message": f"line {n}"}).encode() + b"\n"
        for n in range(1, 100_001)
    )
    with watched(service) as seen:
        headers = {"Jobtail-Writer": str(uuid4())}
        answer = httpx.post(f"{service.url}/api/capture", content=body, headers=headers, timeout=PATIENCE_S)
    assert answer.json() == {"stored": 100_000, "skipped": 0}
    assert seen.silent_s < SOON_S


def capture_metadata(service: Service, job_id: str, count: int, value: Any) -> None:
    headers, text = {"Jobtail-Writer": str(uuid4())}, json.dumps(value)
    for n in range(1, count + 1):
        body = line(job_id, n, text)
        httpx.post(f"{service.url}/api/capture", content=body, headers=headers, timeout=PATIENCE_S).raise_for_status()


def test_metadata_counts_in_pages_and_for_who_follows(service: Service) -> None:
    """30 lines have a megabyte each, which PostgreSQL packs into some kilobytes."""
    job_id = new_job_id()
    follow = {"query": f'subscription {{ jobLogs(jobId: "{job_id}") {{ endCursor logs {{ seq }} }} }}'}
    protocol = Subprotocol("graphql-transport-ws")
    with connect(service.websocket_url, subprotocols=[protocol], max_size=None) as websocket:
        websocket.send('{"type": "connection_init"}')
        websocket.recv()
        websocket.send(json.dumps({"type": "subscribe", "id": "1", "payload": follow}))
        websocket.recv()
        with watched(service) as seen:
            capture_metadata(service, job_id, 30, "x" * 1_000_000)
            while json.loads(websocket.recv(PATIENCE_S))["payload"]["data"]["jobLogs"]["logs"][-1]["seq"] < 30:
                pass
        assert seen.grown_bytes < 32 * MIB, seen
    query = f'{{ job(jobId: "{job_id}") {{ logs(first: 1000) {{ nodes {{ seq metadata }} pageInfo {{ hasNextPage }} }} }} }}'
    with watched(service) as seen:
        page = httpx.post(service.graphql_url, json={"query": query}, timeout=PATIENCE_S)
    assert len(page.content) < 16 * MIB
    assert page.json()["data"]["job"]["logs"]["pageInfo"]["hasNextPage"]
    assert seen.grown_bytes < 32 * MIB, seen


def test_a_stalled_download_holds_little(service: Service) -> None:
    job_id, count = new_job_id(), 30
    with Api(service) as api:
        for _ in range(10):
            api.capture(job_id, *({"stage": "s", "message": "x" * 4000} for _ in range(1000)))
    host, _, port = service.url.removeprefix("http://").partition(":")
    with watched(service) as seen, ExitStack() as stack:
        for _ in range(count):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            client.settimeout(PATIENCE_S)
            client.connect((host, int(port)))
            client.sendall(f"GET /jobs/{job_id}/logs?format=ndjson HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            assert client.recv(12) == b"HTTP/1.1 200"
    assert seen.grown_bytes / count < 2 * MIB, seen


@pytest.mark.parametrize("items", [3_000, 30_000])
def test_a_live_filter_by_metadata_holds_up_nobody(service: Service, items: int) -> None:
    """What is looked for is small; what a line holds may be large."""
    job_id, query = new_job_id(), "subscription ($f: LogFilter) { jobLogs(jobId: %s, filter: $f) { logs { seq } } }"
    protocol = Subprotocol("graphql-transport-ws")
    with connect(service.websocket_url, subprotocols=[protocol], max_size=None) as websocket:
        websocket.send('{"type": "connection_init"}')
        websocket.recv()
        for number, wanted in enumerate(([1] * 90, [1] * items, [{"b": n} for n in range(40)], [[[[[[[]]]]]]])):
            variables = {"f": {"metadata": {"a": wanted}}}
            payload = {"query": query % json.dumps(job_id), "variables": variables}
            websocket.send(json.dumps({"type": "subscribe", "id": str(number), "payload": payload}))
            while (said := json.loads(websocket.recv(PATIENCE_S)))["type"] == "complete":
                pass
            assert ("BAD_INPUT" in json.dumps(said)) is (number in {1, 3}), said
        with watched(service) as seen:
            capture_metadata(service, job_id, 1, [0] * items + [{"c": 1}] * 1000 + [1])
            while (said := json.loads(websocket.recv(PATIENCE_S)))["type"] == "complete":
                pass
            assert said["payload"]["data"]["jobLogs"]["logs"] == [{"seq": 1}]
    assert seen.silent_s < SOON_S, seen


@pytest.mark.parametrize("filter_", [{"stages": ["s"] * 1001}, {"taskIds": [f"t{n}" for n in range(5000)]}])
def test_a_list_of_a_filter_is_short(service: Service, filter_: dict[str, Any]) -> None:
    query = 'query ($f: LogFilter) { job(jobId: "JB_WARM") { logs(filter: $f) { totalCount } } }'
    answer = httpx.post(
        service.graphql_url, json={"query": query, "variables": {"f": filter_}}, timeout=PATIENCE_S
    ).json()
    assert answer["errors"][0]["extensions"]["code"] == "BAD_INPUT"
    assert "1,000 items at most" in answer["errors"][0]["message"]


def test_requests_that_never_end_hold_no_more_than_their_share(service: Service) -> None:
    """Each of 60 has sent 3 MB of 4, and 64 MiB are for one caller."""
    host, _, port = service.url.removeprefix("http://").partition(":")
    head = (
        "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 4000000\r\n\r\n"
    )
    refused = 0
    with watched(service) as seen, ExitStack() as stack:
        for _ in range(60):
            client = stack.enter_context(socket.create_connection((host, int(port)), timeout=PATIENCE_S))
            with suppress(ConnectionError):  # those that are refused are hung up on
                client.sendall(head.encode() + b" " * 3_000_000)
            client.setblocking(False)
            with suppress(BlockingIOError, ConnectionError):
                refused += b" 429 " in client.recv(100)
        assert httpx.post(service.graphql_url, json={"query": "{ __typename }"}, timeout=PATIENCE_S).is_success
    assert seen.grown_bytes < 100 * MIB, (seen, refused)
