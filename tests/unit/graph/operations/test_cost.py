"""The depth and the cost of operations, as they are measured."""

from __future__ import annotations

import time
from typing import Any

import pytest
from graphql import get_introspection_query

from domain.errors import JobtailError, TooComplex
from graph.operations.cost import Measure
from graph.operations.limits import USUAL_LIMITS
from graph.operations.prepared import Documents, PreparedOperation
from graph.schema import schema

LINES = "job(jobId: $j) { logs%s { nodes { seq message } pageInfo { hasNextPage } totalCount } }"
"""1 job, its 1 connection, 1 list of 2 values each, 1 pageInfo of 1 and 1 total."""
LINES_COST = 5
FOUR_LISTS = "{ jobs { nodes { children { nodes { children { nodes { logs { nodes { seq } } } } } } } } }"


def prepared(query: str) -> PreparedOperation:
    found = Documents(schema._schema).prepare(query, USUAL_LIMITS)
    operation = found.operation(None)
    assert operation is not None, found.errors
    return operation


def measured(query: str) -> Measure:
    found = prepared(query)
    found.require(USUAL_LIMITS, {})
    return found.measure


def cost(arguments: str, variables: dict[str, Any] | None = None, head: str = "$j: String!") -> int:
    found = prepared(f"query ({head}) {{ {LINES % arguments} }}")
    found.require(USUAL_LIMITS, variables)
    return found.measure.cost(variables or {})


@pytest.mark.parametrize(
    ("arguments", "head", "variables", "lines"),
    [
        ("", "", {}, 100),
        ("(first: 7)", "", {}, 7),
        ("(last: 7)", "", {}, 7),
        ("(first: 0)", "", {}, 0),
        ("(first: null)", "", {}, 100),
        ("(first: -1)", "", {}, 0),
        ("(first: 5000)", "", {}, 1000),
        ("(first: $n)", ", $n: Int", {"n": 40}, 40),
        ("(first: $n)", ", $n: Int", {"n": None}, 100),
        ("(first: $n)", ", $n: Int", {}, 100),
        ("(first: $n)", ", $n: Int = 30", {}, 30),
        ("(first: $n)", ", $n: Int = 30", {"n": None}, 100),
        ("(first: $n)", ", $n: Int = 30", {"n": 12}, 12),
        ("(first: $n, last: $m)", ", $n: Int, $m: Int", {"n": None, "m": 9}, 9),
        ("(first: $n)", ", $n: Int", {"n": 10**30}, 1000),
        ("(first: $n)", ", $n: Int", {"n": "many"}, 100),
    ],
)
def test_a_page_counts_by_its_size(arguments: str, head: str, variables: dict[str, Any], lines: int) -> None:
    assert cost(arguments, variables, f"$j: String!{head}") - LINES_COST - 1 == 2 * lines


def test_page_sizes_multiply_and_fragments_count_where_they_are_spread() -> None:
    nested = measured("{ jobs(first: 10) { nodes { jobId children(first: 20) { edges { node { jobId } } } } } }")
    assert nested.cost({}) == 2 + 10 * (3 + 20 * 2)
    spread = measured(
        """{ jobs(first: 10) { ...Page } }
        fragment Page on JobConnection { nodes { ...Fields ... on Node { id } } }
        fragment Fields on Job { jobId stages { ...Named } }
        fragment Named on Stage { name }"""
    )
    assert spread.cost({}) == 2 + 10 * (3 + 10 * 1)
    assert spread.depth == 4


def test_depth_is_that_of_the_innermost_field() -> None:
    assert measured("{ __typename }").depth == 1
    assert measured("{ jobs { nodes { jobId } totalCount } }").depth == 3


@pytest.mark.parametrize(
    "query",
    [
        get_introspection_query(
            specified_by_url=True, directive_is_repeatable=True, schema_description=True, input_value_deprecation=True
        ),
        'subscription { jobLogs(jobId: "a", last: 1000) { logs { seq message } } }',
        "{ jobs(first: 100) { nodes { jobId stages { name tasks { nodes { taskId logCounts { total } } } } } } }",
        '{ job(jobId: "a") { logs(first: 1000) { nodes { seq stage taskId timestamp level message metadata } } } }',
    ],
)
def test_what_clients_really_ask_is_within_the_defaults(query: str) -> None:
    prepared(query).require(USUAL_LIMITS, {})


def test_what_multiplies_too_much_is_told_by_how_much() -> None:
    with pytest.raises(TooComplex) as refused:
        measured(FOUR_LISTS)
    assert str(refused.value) == (
        "the query may be answered with 25,510,202 values, where page sizes multiply, 24,510,202 more than the 1,000,000 "
        "that it may: ask for smaller pages or for fewer fields, or raise JOBTAIL_MAX_QUERY_COST"
    )


def doubled(levels: int) -> str:
    """Spread each fragment twice, in places of their own: written out it would have 2^levels leaves."""
    fragments = [
        f"fragment F{n} on Job {{ a: parent {{ ...F{n + 1} }} parent {{ ...F{n + 1} }} }}" for n in range(levels)
    ]
    return '{ job(jobId: "a") { ...F0 } }' + "".join(fragments) + f"fragment F{levels} on Job {{ jobId }}"


@pytest.mark.parametrize(
    "query",
    [
        doubled(25),
        "{ " + " ".join(f"a{n}: __typename" for n in range(600)) + " }",
        "{ " + "__typename " * 1990 + "}",
        '{ job(jobId: "a") { ' + "parent { " * 60 + "jobId" + " }" * 62,
        '{ job(jobId: "a") { ' + "parent { " * 600 + "jobId" + " }" * 602,
        '{ job(jobId: "a") { ...F0 } }'
        + "".join(f"fragment F{n} on Job {{ parent {{ ...F{n + 1} }} }}" for n in range(190))
        + "fragment F190 on Job { jobId }",
        "{ " + "[" * 3000,
        "query ($a: " + "[" * 900 + "Int" + "]" * 900 + ") { __typename }",
        "{ jobs(first: " + "9" * 20_000 + ") { totalCount } }",
        "{ job(jobId: " + "[" * 800 + "]" * 800 + ") { jobId } }",
        'fragment A on Job { ...B } fragment B on Job { ...A } { job(jobId: "a") { ...A } }',
        'fragment A on Job { parent { ...A } } { job(jobId: "a") { ...A } }',
        '{ __type(name: "Job") { ' + "fields { type { " * 9 + "name" + " } }" * 9 + " } }",
        "# " + "x" * 1_000_000 + "\n{ __typename ",
    ],
    ids=str.split("doubled aliases repeated deep deeper chain brackets list int nested cycle self schema comment"),
)
def test_a_bomb_is_refused_soon(query: str) -> None:
    begun = time.perf_counter()
    found = Documents(schema._schema).prepare(query, USUAL_LIMITS)
    refused = [error.message for error in found.errors]
    if not refused:
        with pytest.raises(JobtailError) as error:
            found.operations[0].require(USUAL_LIMITS, {})
        refused = [str(error.value)]
    assert refused
    assert all("recursion" not in message for message in refused)
    assert time.perf_counter() - begun < 2
