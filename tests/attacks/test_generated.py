"""Requests that schemathesis makes of the schemas that the service publishes: such as they allow, and such as they do not."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from graphql import parse_value
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode, SerializationContext
from schemathesis.checks import not_a_server_error
from schemathesis.graphql import nodes
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from graph.capture.otlp_encoding import PROTOBUF
from graph.rest.line_formats import MEDIA_TYPES, LineFormat
from graph.rest.openapi import PATH, description
from tests.attacks.conftest import REFUSALS, Target
from tests.client import PATIENCE_S

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 30
"""How many requests are made of each operation and each way."""
THERE = {"job_id": "JB_MADE", "task_id": "made", "execution_id": "EX_MADE"}
START = """mutation {
  startJob(input: {jobId: "JB_MADE", handlerName: "h", executionId: "EX_MADE"}) { id }
  captureLogs(jobId: "JB_MADE", lines: [{stage: "s", taskId: "made", message: "m"}]) { lastSeq }
}"""
NAMES = """{
  job(jobId: "JB_MADE") { id jobId stages { id name tasks { nodes { id taskId } } } logs { edges { cursor node { id } } } }
  jobs(filter: {executionId: "EX_MADE"}) { edges { cursor } }
  execution(executionId: "EX_MADE") { id executionId }
  logs(first: 1) { edges { cursor } }
}"""

LITERALS = ["{}", "{a: null}", '{a: [1, 2.5, {b: "c", d: true}]}', "[]", '"a"', "1e400", "9999999999999999999", "A"]


@schemathesis.serializer(MEDIA_TYPES[LineFormat.NDJSON], PROTOBUF)
def _body(_: SerializationContext, value: object) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


@pytest.fixture
def names(target: Target) -> list[str]:
    """Have a job, and tell what it and its parts are called."""
    for query in START, NAMES:
        answer = httpx.post(target.graphql_url, json={"query": query}, timeout=PATIENCE_S).json()
        assert "errors" not in answer
    return list(dict.fromkeys(texts(answer)))


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from texts(each)


def send(strategy: st.SearchStrategy[Case[Any]], call: Callable[[Case[Any]], None]) -> None:
    """Send requests by a seed that stays."""
    within = settings(
        max_examples=EXAMPLES, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
    )
    within(given(strategy)(call))()


@pytest.mark.parametrize("path", description()["paths"])
@pytest.mark.usefixtures("names")
def test_plain_http_answers_as_it_is_described(target: Target, session: requests.Session, path: str) -> None:
    schema = schemathesis.openapi.from_url(f"{target.url}{PATH}", timeout=PATIENCE_S)
    (operation,) = schema[path].values()
    known = {each.name: THERE[each.name] for each in operation.path_parameters}
    statuses: Counter[int] = Counter()

    def call(case: Case[Any]) -> None:
        response = case.call_and_validate(session=session, timeout=PATIENCE_S, checks=CHECKS)
        statuses[response.status_code] += 1

    send(operation.as_strategy(path_parameters=known), call)
    assert statuses[200], statuses
    if operation.query or operation.body:
        send(operation.as_strategy(GenerationMode.NEGATIVE, path_parameters=known), call)
    for case in schema.iter_coverage_cases(
        operation, generation_modes=list(GenerationMode), generation_config=schema.config.generation
    ):
        call(case)


def test_graphql_answers_what_its_schema_allows(target: Target, session: requests.Session, names: list[str]) -> None:
    known = st.sampled_from(names)
    strings = st.one_of(known, known, st.text(st.characters(codec="utf-8")))
    for scalar in ("ID", "String"):
        schemathesis.graphql.scalar(scalar, strings.map(nodes.String))
    schemathesis.graphql.scalar("JSON", st.sampled_from(LITERALS).map(parse_value))
    schema = schemathesis.graphql.from_url(target.graphql_url, timeout=PATIENCE_S)
    answered = 0

    def call(case: Case[Any]) -> None:
        nonlocal answered
        response = case.call(session=session, timeout=PATIENCE_S)
        assert response.status_code < 500, response.text
        errors = response.json().get("errors", [])
        assert {error["extensions"]["code"] for error in errors} <= REFUSALS, errors
        answered += not errors

    operations = [operation for fields in schema.values() for operation in fields.values()]
    for operation in operations:
        send(operation.as_strategy(), call)
    assert answered > EXAMPLES * len(operations) // 3
