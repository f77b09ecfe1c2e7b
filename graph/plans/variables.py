"""The variables of an operation, and the arguments that are made of them.

graphql-core and Strawberry find out anew at every request what they do to a value. Nearly always it is nothing: an id, a
cursor or a page size goes as it is from the request to the resolver. What else may happen is left to them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLField,
    GraphQLInputType,
    GraphQLSchema,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    ValueNode,
    VariableNode,
    get_nullable_type,
    is_non_null_type,
    is_scalar_type,
)
from graphql.execution.get_variable_signature import get_variable_signature
from graphql.execution.values import (
    VariableValues,
    VariableValueSource,
    get_argument_values,
    get_variable_values,
)
from strawberry.types.arguments import convert_arguments
from strawberry.types.field import StrawberryField

TAKEN_AS_THEY_ARE: Mapping[str, type] = {"String": str, "ID": str, "Boolean": bool, "Int": int}
"""Of each scalar, the exact class whose values it takes unchanged."""
INTS = range(-(2**31), 2**31)


class OperationVariables:
    """Reads the variables of an operation."""

    def __init__(self, schema: GraphQLSchema, operation: OperationDefinitionNode) -> None:
        self._schema = schema
        self._definitions = operation.variable_definitions or ()
        found = [get_variable_signature(schema, definition) for definition in self._definitions]
        self.signatures = [each for each in found if not isinstance(each, GraphQLError)]
        self._plain = [(each, _class_of(each.type)) for each in self.signatures]
        self._is_plain = len(self.signatures) == len(found) and all(each.default is None for each in self.signatures)

    def read(self, given: Mapping[str, Any]) -> VariableValues | list[GraphQLError]:
        """Read what a request gives for them; errors where it is not what they may be."""
        plain = self._read_plain(given) if self._is_plain else None
        if plain is not None:
            return plain
        return get_variable_values(self._schema, self._definitions, dict(given))

    def _read_plain(self, given: Mapping[str, Any]) -> VariableValues | None:
        sources: dict[str, VariableValueSource] = {}
        coerced: dict[str, Any] = {}
        for signature, kind in self._plain:
            name = signature.name
            if name in given:
                value = given[name]
                if type(value) is not kind or (kind is int and value not in INTS):
                    return None
                sources[name], coerced[name] = VariableValueSource(signature, value), value
            elif is_non_null_type(signature.type):
                return None
            else:
                sources[name] = VariableValueSource(signature)
        return VariableValues(sources, coerced)


class FieldArguments:
    """Makes the arguments of a field for its resolver."""

    def __init__(self, strawberry: Any, field: StrawberryField, found: GraphQLField, node: FieldNode) -> None:
        self._field, self._found, self._node = field, found, node
        self._config, self._scalars = strawberry.config, strawberry.schema_converter.scalar_registry
        variables = {
            each.name.value: each.value.name.value
            for each in node.arguments or ()
            if isinstance(each.value, VariableNode)
        }
        names = {self._config.name_converter.from_argument(each): each.python_name for each in field.arguments}
        plain = {name for name in variables if _class_of(found.args[name].type) is not None}
        self._plain = [(names[name], variable) for name, variable in variables.items() if name in plain]
        others = [each.value for each in node.arguments or () if each.name.value not in plain]
        self._others = {name for value in others for name in _variables_in(value)}
        self._constants: dict[tuple[str, ...], dict[str, Any]] = {}
        """By which of the plain ones are given, the arguments that are none of them."""

    def of(self, variables: VariableValues) -> Mapping[str, Any]:
        """Make them of the variables of a request; raises what graphql-core and Strawberry raise."""
        values = variables.coerced
        given = {name: values[variable] for name, variable in self._plain if variable in values}
        if None in given.values() or not self._others.isdisjoint(values):
            return self._converted(variables)
        constants = self._constants.get(tuple(given))
        if constants is None:
            converted = self._converted(variables)
            constants = {name: value for name, value in converted.items() if name not in given}
            self._constants[tuple(given)] = constants
        return {**constants, **given}

    def _converted(self, variables: VariableValues) -> dict[str, Any]:
        return convert_arguments(
            get_argument_values(self._found, self._node, variables),
            self._field.arguments,
            scalar_registry=self._scalars,
            config=self._config,
        )


def _variables_in(value: ValueNode) -> Iterator[str]:
    """Name the variables of an argument, those within its lists and objects too."""
    if isinstance(value, VariableNode):
        yield value.name.value
    elif isinstance(value, ListValueNode):
        yield from (name for each in value.values for name in _variables_in(each))
    elif isinstance(value, ObjectValueNode):
        yield from (name for each in value.fields for name in _variables_in(each.value))


def _class_of(kind: GraphQLInputType) -> type | None:
    inner = get_nullable_type(kind)
    return TAKEN_AS_THEY_ARE.get(inner.name) if is_scalar_type(inner) else None
