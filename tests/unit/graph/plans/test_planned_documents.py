"""Documents of this project, those of its pages and those that it shows, are answered by plans."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from graphql import FragmentDefinitionNode, OperationType, parse, print_ast

from graph.operations.limits import USUAL_LIMITS
from graph.operations.prepared import PreparedOperation
from graph.plans.steps import Plan
from graph.schema import schema

ROOT = Path(__file__).parents[4]
CONDITIONS = [True, False]


def viewer() -> list[str]:
    """Give the documents of the viewer, each with all fragments that it names: they lie in several files."""
    documents = [parse(path.read_text()) for path in sorted((ROOT / "web" / "viewer").glob("**/*.graphql"))]
    fragments = {
        each.name.value: each
        for document in documents
        for each in document.definitions
        if isinstance(each, FragmentDefinitionNode)
    }
    operations = [
        print_ast(each)
        for document in documents
        for each in document.definitions
        if not isinstance(each, FragmentDefinitionNode)
    ]
    return [with_fragments(text, fragments) for text in operations]


def with_fragments(text: str, fragments: dict[str, FragmentDefinitionNode]) -> str:
    named: dict[str, str] = {}
    left = [text]
    while left:
        for name in re.findall(r"\.\.\.\s*(?!on\b)(\w+)", left.pop()):
            if name not in named:
                named[name] = print_ast(fragments[name])
                left.append(named[name])
    return "\n".join([text, *named.values()])


def graphiql() -> list[str]:
    text = (ROOT / "web" / "graphiql" / "examples.ts").read_text()
    return [each.replace("${PLACEHOLDER_JOB_ID}", "JB_1") for each in re.findall(r"= `([^`]*)`", text)]


def docs() -> list[str]:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
    blocks = [block for page in pages for block in re.findall(r"```graphql\n(.*?)```", page.read_text(), re.DOTALL)]
    return [block for block in blocks if not block.lstrip().startswith(("type ", "extend ", "enum ", "input "))]


def operations(texts: list[str]) -> list[PreparedOperation]:
    """Prepare what can be executed: a page may show a part of a document, too."""
    found = []
    for text in texts:
        prepared = schema.documents.prepare(text, USUAL_LIMITS)
        found += [] if prepared.errors else prepared.operations
    return found


def plans(operation: PreparedOperation) -> list[Any]:
    """Plan an operation, with every condition true and false."""
    found = []
    for condition in CONDITIONS:
        given = {
            each.name: condition if "Boolean" in str(each.type) else example(str(each.type))
            for each in operation.variables.signatures
        }
        values = operation.variables.read({name: value for name, value in given.items() if value is not None})
        assert not isinstance(values, list), values
        found.append(operation.plan(values))
    return found


def example(kind: str) -> Any:
    return {"String!": "JB_1", "ID!": "WyJKb2IiLCJhIl0", "Int!": 1, "BigInt!": 1}.get(kind)


@pytest.mark.parametrize(("texts", "least"), [(viewer, 8), (graphiql, 4), (docs, 15)])
def test_no_document_of_the_project_is_left_to_graphql_core(texts: Any, least: int) -> None:
    asked = [each for each in operations(texts()) if each.type is not OperationType.MUTATION]
    assert len(asked) >= least
    unplanned = {str(each.name): plan for each in asked for plan in plans(each) if not isinstance(plan, Plan)}
    assert unplanned == {}


def test_what_is_not_planned_is_told_with_its_reason() -> None:
    (operation,) = operations(["{ __schema { types { name } } }"])
    assert [str(plan) for plan in plans(operation)] == ["introspection"] * 2
