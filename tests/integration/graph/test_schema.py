"""The schema: described in full, exported as committed, and what the contract says."""

from __future__ import annotations

from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
)
from graphql.utilities import find_breaking_changes

from tests.conftest import ROOT

CONTRACT = ROOT.parent / "shared" / "contract" / "schema.graphql"


@pytest.fixture(scope="module")
def exported() -> GraphQLSchema:
    return build_schema((ROOT / "schema.graphql").read_text())


def _undescribed(schema: GraphQLSchema) -> list[str]:
    missing = []
    for name, kind in schema.type_map.items():
        if name.startswith("__") or kind.ast_node is None:
            continue
        if not kind.description:
            missing.append(name)
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            for field_name, field in kind.fields.items():
                missing += [] if field.description else [f"{name}.{field_name}"]
                arguments = field.args.items()
                missing += [f"{name}.{field_name}({each})" for each, argument in arguments if not argument.description]
        elif isinstance(kind, GraphQLInputObjectType):
            missing += [f"{name}.{each}" for each, field in kind.fields.items() if not field.description]
    return missing


def test_everything_is_described(exported: GraphQLSchema) -> None:
    assert _undescribed(exported) == []


def test_what_is_not_described_would_be_found() -> None:
    schema = build_schema('"d" type Query { a(b: Int): E } enum E { X } input I { c: Int } "d" interface N { n: Int }')
    assert set(_undescribed(schema)) == {"Query.a", "Query.a(b)", "E", "I", "I.c", "N.n"}


def test_the_contract_is_kept_whole(exported: GraphQLSchema) -> None:
    if not CONTRACT.exists():
        pytest.skip("the contract does not lie beside this checkout")
    breaks = find_breaking_changes(build_schema(CONTRACT.read_text()), exported)
    assert [change.description for change in breaks] == []


def test_enums_have_their_values(exported: GraphQLSchema) -> None:
    values = {
        name: list(kind.values)
        for name, kind in exported.type_map.items()
        if isinstance(kind, GraphQLEnumType) and not name.startswith("__")
    }
    assert values == {
        "LogLevel": ["TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
        "JobStatus": ["QUEUED", "RUNNING", "PAUSED", "COMPLETED", "FAILED", "CANCELLED"],
        "StageStatus": ["RUNNING", "COMPLETED", "FAILED", "CANCELLED"],
        "TaskStatus": ["RUNNING", "COMPLETED", "FAILED", "CANCELLED"],
        "ExecutionStatus": ["RUNNING", "COMPLETED", "FAILED"],
    }


def test_the_export_lies_where_clients_look_for_it() -> None:
    assert isinstance(ROOT, Path)
    assert (ROOT / "schema.graphql").read_text().startswith('"""')
