"""Requests that would cost far more to answer than to send."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import pytest

from tests.attacks.conftest import refused

JSON = {"Content-Type": "application/json"}
WRITER = {"Jobtail-Writer": "7f3d5c1e-8a43-4e5b-9d6e-0a1b2c3d4e5f"}
SOON_S = 5


def nested(levels: int, opening: str = "[", closing: str = "]") -> str:
    return opening * levels + closing * levels


def operation(query: str, variables: str = "{}") -> str:
    return f'{{"query": {json.dumps(query)}, "variables": {variables}}}'


ECHO = 'query ($v: JSON) { job(jobId: "JB_1") { logs(filter: {metadata: $v}) { totalCount } } }'
SAY = 'mutation ($v: JSON) { captureLogs(jobId: "JB_DEEP", lines: [{stage: "a", message: "m", metadata: $v}]) { lastSeq } }'
PAGE = "query ($n: Int) { jobs(first: $n) { totalCount } }"
DEEP_OBJECT = nested(1500, '{"a":', "}").replace('{"a":}', '{"a":1}')
BODIES: dict[str, str] = {
    "many aliases": operation("{ " + " ".join(f"a{n}: jobs {{ totalCount }}" for n in range(200)) + " }"),
    "many fields": operation("{ " + "jobs { totalCount } " * 400 + "}"),
    "a circle of fragments": operation("{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }"),
    "a fragment of itself": operation('{ job(jobId: "JB_1") { ...A } } fragment A on Job { parent { ...A } }'),
    "deep fields": operation('{ job(jobId: "JB_1") { ' + "parent { " * 300 + "jobId" + " }" * 302),
    "a batch": "[" + ",".join([operation("{ __typename }")] * 1000) + "]",
    "an empty batch": "[]",
    "pages of pages": operation(
        "{ jobs { nodes { children { nodes { children { nodes { logs { nodes { seq } } } } } } } } }"
    ),
    "many directives": operation("{ __typename " + "@skip(if: false) " * 900 + "}"),
    "many variables": operation("query (" + " ".join(f"$v{n}: Int" for n in range(600)) + ") { __typename }"),
    "a deep literal": operation(
        f'{{ job(jobId: "JB_1") {{ logs(filter: {{metadata: {nested(400)}}}) {{ totalCount }} }} }}'
    ),
    "deep variables": operation(ECHO, f'{{"v": {nested(100_000)}}}'),
    "deep metadata to find": operation(ECHO, f'{{"v": {DEEP_OBJECT}}}'),
    "deep metadata to store": operation(SAY, f'{{"v": {DEEP_OBJECT}}}'),
    "a number of many digits": operation(PAGE, '{"n": %s}' % ("9" * 10_000)),
    "a literal of many digits": operation("{ jobs(first: %s) { totalCount } }" % ("9" * 10_000)),
    "an infinite number": operation(PAGE, '{"n": 1e999}'),
    "no number": operation(PAGE, '{"n": NaN}'),
    "a big seq": operation(
        'query ($n: BigInt) { job(jobId: "JB_1") { logs(around: $n) { totalCount } } }', json.dumps({"n": 2**64})
    ),
    "a big bucket": operation('{ job(jobId: "JB_1") { logHistogram(buckets: 2147483647) { since } } }'),
    "a slow pattern": operation(
        ECHO.replace("metadata: $v", 'search: "(((a+)+)+)+$", regex: true').replace("($v: JSON)", "")
    ),
    "a large pattern": operation(
        ECHO.replace("metadata: $v", 'search: "((a{1,1000}){1,1000}){1,1000}", regex: true').replace("($v: JSON)", "")
    ),
    "many levels": operation(
        'query ($l: [LogLevel!]) { job(jobId: "JB_1") { logs(filter: {levels: $l}) { totalCount } } }',
        '{{"l": {}}}'.format(json.dumps(["INFO"] * 20_000)),
    ),
    "many stages": operation(
        'query ($l: [String!]) { job(jobId: "JB_1") { logs(filter: {stages: $l}) { totalCount } } }',
        '{{"l": {}}}'.format(json.dumps([f"s{n}" for n in range(20_000)])),
    ),
    "many keys": operation("{ __typename }", json.dumps({f"k{n}": n for n in range(10_000)})),
    "a long name": operation("query " + "a" * 100_000 + " { __typename }"),
    "a deep body": nested(100_000),
    "a deep object": nested(30_000, '{"a":', "}"),
    "half a body": '{"query": "{ __typename ',
    "introspection in itself": operation(
        "{ __schema { types { " + "fields { type { " * 6 + "name" + " } }" * 6 + " } } }"
    ),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_bomb_by_graphql_is_answered_soon(http: httpx.Client, name: str) -> None:
    begun = time.perf_counter()
    response = http.post("/graphql", content=BODIES[name].encode(), headers=JSON)
    refused(response)
    assert time.perf_counter() - begun < SOON_S


@pytest.mark.parametrize("name", BODIES)
def test_a_bomb_by_an_event_stream_is_answered_soon(http: httpx.Client, name: str) -> None:
    response = http.post("/graphql", content=BODIES[name].encode(), headers={**JSON, "Accept": "text/event-stream"})
    assert response.status_code < 500
    assert "INTERNAL" not in response.text


def event(**more: Any) -> str:
    return json.dumps({"type": "line", "job_id": "JB_BOMB", "n": 1, "message": "m", **more})


@pytest.mark.parametrize(
    "body",
    [
        event(metadata=None).replace("null", DEEP_OBJECT),
        event(metadata=None).replace("null", nested(100_000)),
        event(n=0).replace('"n": 0', '"n": ' + "9" * 10_000),
        event(level=None).replace("null", "9" * 5000),
        event(at="9" * 10_000),
        nested(100_000),
        "\n" * 100_000,
        "\x00" * 1000,
        "{" * 100_000,
    ],
    ids=str.split("object list n level at lists blank nul open"),
)
def test_a_bomb_by_capture_is_answered_soon(http: httpx.Client, body: str) -> None:
    begun = time.perf_counter()
    refused(http.post("/api/capture", content=body.encode(), headers=WRITER))
    assert time.perf_counter() - begun < SOON_S


@pytest.mark.parametrize(
    "body", [nested(100_000), f'{{"resourceLogs": {nested(5000)}}}', "{" * 9000, "5", "[]", "\x00"]
)
@pytest.mark.parametrize("kind", ["application/json", "application/x-protobuf"])
def test_a_bomb_by_otlp_is_answered_soon(http: httpx.Client, body: str, kind: str) -> None:
    response = http.post("/v1/logs", content=body.encode(), headers={"Content-Type": kind})
    assert response.status_code in {200, 400}
    assert b"recursion" not in response.content


def test_a_deep_attribute_of_otlp_is_stored_or_refused(http: httpx.Client) -> None:
    value = '{"kvlistValue":{"values":[{"key":"a","value":' * 200 + '{"stringValue":"x"}' + "}]}}" * 200
    record = f'{{"body":{value},"attributes":[{{"key":"jobtail.job_id","value":{{"stringValue":"JB_OTLP"}}}}]}}'
    body = f'{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{record}]}}]}}]}}'
    response = http.post("/v1/logs", content=body, headers=JSON)
    assert response.status_code in {200, 400}
