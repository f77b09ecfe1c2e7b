"""Variables are read as graphql-core reads them, whatever a request gives for them."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import GraphQLError, OperationDefinitionNode, parse
from graphql.execution.values import VariableValues, get_variable_values

from graph.plans.variables import OperationVariables
from graph.schema import schema

KINDS = ["String", "String!", "ID", "ID!", "Int", "Int!", "Boolean", "Boolean!", "Float", "BigInt", "JSON", "LogLevel"]
KINDS += ["[String!]", "LogFilter", "Int = 3", 'String = "x"', "Boolean! = true", "Nothing"]
VALUES: list[Any] = [
    "",
    "x",
    "7",
    7,
    0,
    -(2**31),
    2**31 - 1,
    2**31,
    2**70,
    0.5,
    2.0,
    True,
    None,
    [],
    ["a"],
    {},
    "ERROR",
]
VALUES += [{"search": "x"}, {"nothing": 1}]


@pytest.mark.parametrize("kind", KINDS)
def test_a_variable_is_read_as_graphql_core_reads_it(kind: str) -> None:
    (operation,) = parse(f"query ($v: {kind}, $other: Int) {{ __typename }}").definitions
    assert isinstance(operation, OperationDefinitionNode)
    variables = OperationVariables(schema._schema, operation)
    for given in [{}, *({"v": value} for value in VALUES), {"v": "x", "other": 1}, {"other": None}, {"unasked": 1}]:
        expected = get_variable_values(schema._schema, operation.variable_definitions or (), given)
        assert told(variables.read(given)) == told(expected), given


def told(read: VariableValues | list[GraphQLError]) -> str:
    """Write down what was read, which tells 1 from 1.0 and True."""
    if isinstance(read, VariableValues):
        return repr((read.coerced, {name: source.value for name, source in read.sources.items()}))
    return repr(read)
