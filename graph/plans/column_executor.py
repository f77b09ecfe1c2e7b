"""Completes lists of plain rows column by column.

graphql-core completes a list value by value: 100 rows of 7 fields are 700 walks through resolver, info, path and leaf.
Where every selected field is plain, the way through is the same for every row, so it is looked up once a list. Whatever
is not as expected, an error included, is left to graphql-core for the whole list: one place reports, and in one way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from operator import attrgetter
from types import NoneType
from typing import Any, TypeAlias

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLLeafType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    is_leaf_type,
    is_non_null_type,
    is_object_type,
)
from graphql.execution.collect_fields import FieldDetails, FieldDetailsList, GroupedFieldSet
from graphql.execution.values import get_argument_values
from graphql.type.introspection import TypeNameMetaFieldDef
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.arguments import convert_arguments
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField

from graph.formats.scalars import write_times

Values: TypeAlias = Sequence[Any]
Column: TypeAlias = Callable[[Values], Values]
"""Makes one field's completed values of all rows."""

SENT_AS_IT_IS: Mapping[str, frozenset[type]] = {
    "String": frozenset({str}),
    "ID": frozenset({str}),
    "Boolean": frozenset({bool}),
    "BigInt": frozenset({int}),
    "JSON": frozenset({dict, list, str, int, float, bool}),
}
"""Of each scalar, the exact classes whose values its `serialize` gives back unchanged."""
COERCED: Mapping[str, frozenset[type]] = {
    "Int": frozenset({int}),
    "Float": frozenset({int, float}),
    "DateTime": frozenset({datetime}),
}
"""Of each scalar, the exact classes whose values its `serialize` takes, or refuses by an exception."""


class NotPlainError(Exception):
    """This list is graphql-core's."""


def require(condition: object) -> None:
    if not condition:
        raise NotPlainError


@dataclass(frozen=True, slots=True)
class Completion:
    """Makes the completed values of one field of what the rows have there, in the order of the rows.

    The exact class of a value tells everything that graphql-core looks for in each: that it is no exception, nothing to
    be awaited, of the right type, and null only where the field may be.
    """

    classes: frozenset[type]
    complete: Column | None
    """None where values are sent as they are."""
    is_nullable: bool

    def __call__(self, values: Values) -> Values:
        classes = set(map(type, values))
        has_null = self.is_nullable and NoneType in classes
        require(classes - {NoneType} <= self.classes if has_null else classes <= self.classes)
        if self.complete is None:
            return values
        if not has_null:
            return self.complete(values)
        completed = iter(self.complete([value for value in values if value is not None]))
        return [None if value is None else next(completed) for value in values]


def _complete_rows(keys: tuple[str, ...], columns: tuple[Column, ...], rows: Values) -> Values:
    completed = [column(rows) for column in columns]
    return [dict(zip(keys, values, strict=False)) for values in zip(*completed, strict=False)]


def classes_of(definition: StrawberryObjectDefinition) -> frozenset[type]:
    """List the classes whose objects are answered as a type: its own, and the domain's where that has the same attributes."""
    origins = {definition.origin, definition.concrete_of.origin if definition.concrete_of else definition.origin}
    return frozenset(origins | {getattr(definition.origin, "stands_for", definition.origin)})


@cache
def leaf_completion(kind: GraphQLLeafType, *, is_nullable: bool) -> Completion:
    if isinstance(kind, GraphQLEnumType):
        enum = kind.wrapped_cls  # type: ignore[attr-defined]  # Strawberry's enum types have it
        names = {member: kind.coerce_output_value(member) for member in enum}
        return Completion(frozenset({enum}), lambda values: [names[value] for value in values], is_nullable)
    if kind.name in SENT_AS_IT_IS:
        return Completion(SENT_AS_IT_IS[kind.name], None, is_nullable)
    require(kind.name in COERCED)
    if kind.name == "DateTime":
        return Completion(COERCED[kind.name], write_times, is_nullable)
    coerce = kind.coerce_output_value
    return Completion(COERCED[kind.name], lambda values: [coerce(value) for value in values], is_nullable)


class ColumnExecutor(StrawberryGraphQLCoreExecutionContext):
    """Executes as Strawberry's own does, with the same answers.

    A resolver of a plain field, that is one which asks for nothing but its row and arguments, must be free of effects:
    it runs again if its list turns out not to be plain.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Both are shared by the executors that a subscription copies from this one, one an event.
        self._plans: dict[int, tuple[FieldDetailsList, Completion | None]] = {}
        self._root_fields: list[GroupedFieldSet] = []

    def execute_collected_root_fields(
        self, root_type: GraphQLObjectType, root_value: Any, grouped_field_set: GroupedFieldSet, *more: Any
    ) -> Any:
        """Go on with the fields that the first event collected: operation and variables do not change.

        graphql-core remembers what it found out of a selection by the selection's identity. With a new one every event
        it would find nothing again, and keep all of them (3 kB an event) for as long as the subscription lasts.
        """
        if not self._root_fields:
            self._root_fields.append(grouped_field_set)
        return super().execute_collected_root_fields(root_type, root_value, self._root_fields[0], *more)

    def complete_list_value(
        self,
        return_type: Any,
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        path: Any,
        result: Any,
        position_context: Any,
    ) -> Any:
        # A position context is a part of the answer that @defer put off.
        if type(result) is list and position_context is None:
            complete = self._plan(return_type.of_type, field_details_list)
            if complete is not None:
                # Whatever it is, graphql-core meets it again, and reports it in the right place.
                with suppress(Exception):
                    return complete(result)
        return super().complete_list_value(return_type, field_details_list, info, path, result, position_context)

    def _plan(self, item_type: GraphQLOutputType, fields: FieldDetailsList) -> Completion | None:
        """Look up how to complete a list of what a selection selects, None if it is not plain.

        The key is the selection's identity, as in graphql-core's `collect_subfields`; kept, it cannot be used again.
        It stands for one field of one type, and for the variables, which an executor has one set of.
        """
        known = self._plans.get(id(fields))
        if known is None:
            plan = None
            with suppress(Exception):  # such as a bad argument: graphql-core's to report
                require(not self.middleware_manager or not self.middleware_manager.middlewares)
                require(not self.schema.get_directive("stream"))
                plan = self._completion(item_type, fields)
            known = self._plans[id(fields)] = (fields, plan)
        return known[1]

    def _completion(self, kind: GraphQLOutputType, fields: FieldDetailsList) -> Completion:
        is_nullable = not is_non_null_type(kind)
        kind = kind.of_type if is_non_null_type(kind) else kind
        if is_leaf_type(kind):
            return leaf_completion(kind, is_nullable=is_nullable)
        if not is_object_type(kind):
            raise NotPlainError
        definition: StrawberryObjectDefinition = kind.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
        require(not definition.is_type_of)
        selected, deferred, _ = self.collect_subfields(kind, fields)
        require(selected and not deferred)
        columns = tuple(self._column(kind, details) for details in selected.values())
        complete = partial(_complete_rows, tuple(selected), columns)
        return Completion(classes_of(definition), complete, is_nullable)

    def _column(self, parent: GraphQLObjectType, fields: FieldDetailsList) -> Column:
        found = self.schema.get_field(parent, fields[0].node.name.value)
        if found is TypeNameMetaFieldDef:
            return lambda rows: [parent.name] * len(rows)
        assert found is not None, "the operation is valid"
        read, complete = self._reader(found, fields[0]), self._completion(found.type, fields)
        return lambda rows: complete(list(map(read, rows)))

    def _reader(self, found: GraphQLField, details: FieldDetails) -> Callable[[Any], Any]:
        """Find out how a row is asked for the field, as Strawberry's resolver of the field would."""
        field: StrawberryField = found.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
        resolver = field.base_resolver
        require(not field.extensions)
        if resolver is None:
            require(field.default_resolver is getattr)
            return attrgetter(field.python_name)
        others = (resolver.info_parameter, resolver.parent_parameter, resolver.root_parameter)
        require(resolver.self_parameter and not any(others) and not field.is_async)
        strawberry_schema = self.schema._strawberry_schema  # type: ignore[attr-defined]  # noqa: SLF001 - Strawberry's own way to it
        arguments = convert_arguments(
            get_argument_values(found, details.node, self.variable_values, details.fragment_variable_values),
            field.arguments,
            scalar_registry=strawberry_schema.schema_converter.scalar_registry,
            config=strawberry_schema.config,
        )
        function: Any = resolver.wrapped_func
        return partial(function, **arguments) if arguments else function
