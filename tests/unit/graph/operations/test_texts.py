"""Documents that are short to send and would take long to parse, to validate, to plan or to keep."""

from __future__ import annotations

import pytest
from graphql import GraphQLError

from domain.errors import TooComplex
from graph.operations import prepared as module
from graph.operations.limits import USUAL_LIMITS
from graph.operations.prepared import Documents
from graph.operations.texts import MOST_CHARACTERS, MOST_ERRORS
from graph.plans.planner import Planner
from graph.plans.steps import Plan
from graph.schema import schema

SCHEMA = schema._schema
LEVELS = 18
"""Two fewer than a query may have."""


def doubled(levels: int) -> str:
    """Ask on each level twice for the next one: by fragments, that is a line for each level."""
    fragments = (
        f"fragment f{n} on Job {{ parent {{ ...f{n + 1} }} a{n}: parent {{ ...f{n + 1} }} }}" for n in range(levels)
    )
    return '{ job(jobId: "x") { ...f0 } } ' + " ".join(fragments) + f" fragment f{levels} on Job {{ jobId }}"


def test_a_plan_grows_by_its_levels_and_does_not_double(monkeypatch: pytest.MonkeyPatch) -> None:
    planned, field = list[str](), Planner.field

    def counted(planner: Planner, *arguments: object) -> object:
        planned.append("field")
        return field(planner, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Planner, "field", counted)
    operation = Documents(SCHEMA).prepare(doubled(LEVELS), USUAL_LIMITS).operation(None)
    assert operation is not None
    values = operation.variables.read({})
    assert not isinstance(values, list)
    assert isinstance(operation.plan(values), Plan)
    assert len(planned) <= 4 * LEVELS + 4


def beyond(text: str) -> str:
    (error,) = Documents(SCHEMA).prepare(text, USUAL_LIMITS).errors
    assert isinstance(error.original_error, TooComplex)
    return error.message


@pytest.mark.parametrize("filler", ["\n", " ", ",", "# \n", "\ufeff"])
def test_a_long_text_is_not_even_parsed(filler: str) -> None:
    text = "{ __typename" + filler * MOST_CHARACTERS + "}"
    assert f"{len(text):,} characters, {len(text) - MOST_CHARACTERS:,} more" in beyond(text)


@pytest.mark.parametrize(
    "text",
    [
        "{ " + "jobs { nodes { jobId } } " * 200 + "}",
        "{ " + "...{ jobs { nodes { jobId } } } " * 150 + "}",
        "{ "
        + " ".join(f"...f{n}" for n in range(150))
        + " } "
        + " ".join(f"fragment f{n} on Query {{ jobs {{ totalCount }} }}" for n in range(150)),
    ],
)
def test_fields_that_would_all_be_compared_are_too_many(text: str) -> None:
    limits = USUAL_LIMITS.__class__(
        **{**{n: getattr(USUAL_LIMITS, n) for n in USUAL_LIMITS.__slots__}, "max_query_tokens": 5000}
    )
    (error,) = Documents(SCHEMA).prepare(text, limits).errors
    assert isinstance(error.original_error, TooComplex)
    assert "times" in error.message


def test_so_many_errors_are_told_as_somebody_reads() -> None:
    errors = Documents(SCHEMA).prepare("{" + " ".join(f"z{n}" for n in range(500)) + "}", USUAL_LIMITS).errors
    assert len(errors) == MOST_ERRORS + 1
    assert "Too many validation errors" in errors[-1].message
    assert all(isinstance(error, GraphQLError) for error in errors)


def test_documents_are_kept_by_what_they_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_TOKENS", 100)
    documents = Documents(SCHEMA)
    first = documents.prepare("{ a: __typename }", USUAL_LIMITS)
    assert documents.prepare("{ a: __typename }", USUAL_LIMITS) is first
    documents.prepare("{ " + " ".join(f"a{n}: __typename" for n in range(40)) + " }", USUAL_LIMITS)
    assert documents.prepare("{ a: __typename }", USUAL_LIMITS) is not first
