"""A request is answered alike whether it is taken for a plain one or Strawberry's view reads it."""

from __future__ import annotations

import json
import socket
import struct
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.client import PATIENCE_S, REQUEST_ID, Api
from tests.conftest import Service

PLAIN, OTHER = "application/json", "application/json; plain=no"
"""The second names the same type; only Strawberry's view knows that."""
LINES = (
    "query Lines($id: String!, $first: Int, $filter: LogFilter) "
    "{ job(jobId: $id) { status logs(first: $first, filter: $filter) { totalCount nodes { seq message metadata } } } }"
)
NAMED = "query A { __typename } query B { jobs(first: 1) { nodes { jobId } } }"
REQUESTS: dict[str, Any] = {
    "a page": {"query": LINES, "variables": {"id": "JB_plain", "first": 2}},
    "a page of metadata": {"query": LINES, "variables": {"id": "JB_plain", "filter": {"metadata": {"n": 0.5}}}},
    "a number of many digits": f'{{"query": {json.dumps(LINES)}, "variables": {{"id": "JB_plain", "first": {10**24 + 1}}}}}',
    "no such job": {"query": LINES, "variables": {"id": "none"}},
    "no variables": {"query": "{ jobs(first: 1) { nodes { jobId } } }", "variables": None, "extensions": None},
    "a variable of a wrong type": {"query": LINES, "variables": {"id": 7}},
    "a variable that is missing": {"query": LINES},
    "a page that is too large": {"query": LINES, "variables": {"id": "JB_plain", "first": 5000}},
    "a cursor that is none": {"query": '{ job(jobId: "JB_plain") { logs(after: "x") { nodes { seq } } } }'},
    "an unknown field": {"query": "{ nothing }"},
    "no GraphQL": {"query": "{"},
    "an empty query": {"query": ""},
    "no query": {"variables": {}},
    "a query that is none": {"query": 7},
    "variables that are none": {"query": "{ __typename }", "variables": [1]},
    "extensions": {"query": "{ __typename }", "extensions": {"persistedQuery": {}}},
    "extensions that are none": {"query": "{ __typename }", "extensions": 7},
    "an operation by name": {"query": NAMED, "operationName": "B"},
    "an operation without a name": {"query": NAMED},
    "an operation by an unknown name": {"query": NAMED, "operationName": "C"},
    "an operation by a name that is none": {"query": NAMED, "operationName": 7},
    "a mutation": {"query": 'mutation { captureLogs(jobId: "JB_other", lines: []) { firstSeq } }'},
    "a subscription": {"query": 'subscription { jobLogs(jobId: "JB_plain") { endCursor } }'},
    "a batch": [{"query": "{ __typename }"}],
    "null": None,
    "no JSON": "{",
    "no number": '{"query": "{ __typename }", "variables": {"a": NaN}}',
    "a lone surrogate": '{"query": "{ job(jobId: \\"\\ud800\\") { jobId } }"}',
    "a surrogate in a variable": f'{{"query": {json.dumps(LINES)}, "variables": {{"id": "\\ud800"}}}}',
    "a text that is quoted": {"query": "{ job(jobId: 7) { jobId } }"},
    "deep": '{"query": "{ __typename }", "variables": {"a": ' + "[" * 5000 + "]" * 5000 + "}}",
}
ACCEPTS = ["*/*", "application/json", "application/graphql-response+json", "text/event-stream"]


@pytest.fixture(scope="module")
def api(shared_service: Service) -> Iterator[Api]:
    with Api(shared_service) as api:
        api.capture("JB_plain", "one", "two", "three")
        yield api


@pytest.mark.parametrize("accept", ACCEPTS)
@pytest.mark.parametrize("name", REQUESTS)
def test_both_ways_answer_alike(api: Api, name: str, accept: str) -> None:
    body = REQUESTS[name]
    content = body if isinstance(body, str) else json.dumps(body)
    answers = []
    for content_type in (PLAIN, OTHER):
        headers = {"Content-Type": content_type, "Accept": accept, "X-Request-Id": REQUEST_ID}
        with api.http.stream("POST", api.service.graphql_url, content=content, headers=headers) as response:
            is_endless = name == "a subscription" and response.status_code == 200
            answers.append((response.status_code, response.headers["content-type"], is_endless or response.read()))
    assert answers[0] == answers[1]


DATA_SEGMENTS_IN = 152
"""Where Linux says in a socket's TCP_INFO how many segments with data came."""


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's TCP_INFO")
def test_an_answer_comes_in_one_segment(api: Api) -> None:
    """Its head and its body are one write: each may wake the reader, and travels by itself."""
    body = json.dumps({"query": "{ __typename }"}).encode()
    head = f"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {PLAIN}\r\nContent-Length: {len(body)}\r\n\r\n"
    url = urlsplit(api.service.graphql_url)
    with socket.create_connection((url.hostname or "", url.port or 0), timeout=PATIENCE_S) as client:
        for answers in range(1, 20):
            client.sendall(head.encode() + body)
            received = b""
            while not received.endswith(b'{"data":{"__typename":"Query"}}'):
                received += client.recv(65536)
            told = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192)
            assert struct.unpack_from("I", told, DATA_SEGMENTS_IN) == (answers,)
