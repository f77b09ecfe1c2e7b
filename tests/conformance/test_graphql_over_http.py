"""GraphQL over HTTP, as the audits of npm's graphql-http read its specification."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.client import Api
from tests.conformance.running import node
from tests.conftest import Service

AUDITS = 61
RESPONSE_JSON = "application/graphql-response+json"


@pytest.fixture(scope="module")
def api(shared_service: Service) -> Iterator[Api]:
    with Api(shared_service) as api:
        yield api


def test_all_audits_pass(api: Api) -> None:
    results: list[dict[str, Any]] = [
        json.loads(line) for line in node("audits.mjs", api.service.graphql_url).splitlines()
    ]
    assert [result for result in results if result["status"] != "ok"] == []
    assert len(results) == AUDITS


def post(api: Api, body: str, accept: str = "*/*", content_type: str = "application/json") -> httpx.Response:
    headers = {"Accept": accept, "Content-Type": content_type}
    return api.http.post(api.service.graphql_url, content=body, headers=headers)


@pytest.mark.parametrize(
    ("accept", "media_type", "status"),
    [
        ("*/*", "application/json", 200),
        ("application/json", "application/json", 200),
        (RESPONSE_JSON, RESPONSE_JSON, 400),
        (f"{RESPONSE_JSON}, application/json;q=0.9", RESPONSE_JSON, 400),
        (f"application/json, {RESPONSE_JSON};q=0.9", "application/json", 200),
    ],
)
@pytest.mark.parametrize("query", ["{", "{ nothing }", "query ($id: ID!) { node(id: $id) { id } }"])
def test_what_is_not_executed_has_no_data(api: Api, query: str, accept: str, media_type: str, status: int) -> None:
    response = post(api, json.dumps({"query": query}), accept)
    answer = response.json()
    assert (response.status_code, response.headers["content-type"].split(";")[0]) == (status, media_type)
    assert set(answer) == {"errors"}
    assert answer["errors"][0]["extensions"]["code"] == "BAD_INPUT"


def test_what_fails_while_it_is_executed_is_200_and_says_so_in_its_place(api: Api) -> None:
    response = post(api, json.dumps({"query": '{ node(id: "x") { id } }'}), RESPONSE_JSON)
    assert (response.status_code, response.json()["data"]) == (200, {"node": None})
    assert response.json()["errors"][0]["path"] == ["node"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "Unable to parse request body as JSON"),
        ("[" * 100_000, "Unable to parse request body as JSON"),
        ("5", "the request must be a JSON object with a `query`"),
        ("null", "the request must be a JSON object with a `query`"),
        ("[]", "Batching is not enabled"),
        ("[5]", "Batching is not enabled"),
        ("{}", "No GraphQL query found in the request"),
        ('{"query": 5}', "The GraphQL operation's `query` must be a string or null, if provided."),
        ('{"query": "{__typename}", "variables": 5}', "The GraphQL operation's `variables` must be an object or null"),
    ],
)
@pytest.mark.parametrize("accept", ["application/json", RESPONSE_JSON])
def test_a_request_that_cannot_be_read_is_400(api: Api, body: str, message: str, accept: str) -> None:
    response = post(api, body, accept)
    (error,) = response.json()["errors"]
    assert (response.status_code, error["extensions"]["code"]) == (400, "BAD_INPUT")
    assert error["message"].startswith(message)


def test_bytes_that_are_no_utf_8_are_400(api: Api) -> None:
    response = api.http.post(
        api.service.graphql_url, content=b'{"query": "\xff"}', headers={"Content-Type": "application/json"}
    )
    assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (400, "BAD_INPUT")


def test_a_form_is_no_request(api: Api) -> None:
    response = post(api, "query={__typename}", content_type="application/x-www-form-urlencoded")
    assert (response.status_code, response.json()["errors"][0]["message"]) == (400, "Unsupported content type")
