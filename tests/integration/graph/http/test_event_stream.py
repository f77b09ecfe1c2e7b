"""Event streams: who gets them, and how they are written."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.client import Api
from tests.conftest import Service

URQL = (
    "application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed"
)
LIVE = 'subscription { jobLogs(jobId: "JB_stream") { logs { message } jobStatus } }'
NAMED = "query A { __typename } query B { __typename }"


@pytest.fixture(scope="module")
def api(shared_service: Service) -> Iterator[Api]:
    with Api(shared_service) as api:
        api.capture("JB_stream", "one")
        api.finish("JB_stream")
        yield api


def _type(api: Api, query: str, accept: str) -> str:
    with api.http.stream("POST", api.service.graphql_url, json={"query": query}, headers={"Accept": accept}) as answer:
        return answer.headers["content-type"].partition(";")[0]


@pytest.mark.parametrize(
    ("accept", "of_query", "of_subscription"),
    [
        (URQL, "application/graphql-response+json", "text/event-stream"),
        ("text/event-stream", "text/event-stream", "text/event-stream"),
        ("text/event-stream, application/json", "text/event-stream", "text/event-stream"),
        ("application/json, text/event-stream;q=0.2", "application/json", "text/event-stream"),
        ("application/json;q=0.5, text/event-stream;q=0", "application/json", "application/json"),
        ("*/*", "application/json", "application/json"),
    ],
)
def test_a_stream_is_sent_where_it_is_asked_for_as_such(
    api: Api, accept: str, of_query: str, of_subscription: str
) -> None:
    assert _type(api, "{ __typename }", accept) == of_query
    assert _type(api, LIVE, accept) == of_subscription


def test_lines_of_a_stream_end_in_a_line_feed_alone(api: Api) -> None:
    answer = api.http.post(api.service.graphql_url, json={"query": LIVE}, headers={"Accept": "text/event-stream"})
    assert b"\r" not in answer.content
    assert answer.content.startswith(b"event: next\ndata: {")
    assert answer.content.endswith(b"event: complete\ndata: \n\n")


@pytest.mark.parametrize(
    "accept", ["application/json", "*/*", 'multipart/mixed;boundary="graphql";subscriptionSpec=1.0']
)
def test_a_subscription_by_a_plain_request_is_told_how_to_subscribe(api: Api, accept: str) -> None:
    for method, body in (("POST", {"json": {"query": LIVE}}), ("GET", {"params": {"query": LIVE}})):
        answer = api.http.request(method, api.service.graphql_url, headers={"Accept": accept}, **body)  # type: ignore[arg-type]
        (error,) = answer.json()["errors"]
        assert error["extensions"]["code"] == "BAD_INPUT"
        assert "text/event-stream" in error["message"]


def test_a_document_of_several_operations_needs_the_name_of_one(api: Api) -> None:
    refusal = api.refusal(NAMED)
    assert refusal.code == "BAD_INPUT"
    assert "operationName" in refusal.message
    body = {"query": NAMED, "operationName": "B"}
    assert api.http.post(api.service.graphql_url, json=body).json() == {"data": {"__typename": "Query"}}
