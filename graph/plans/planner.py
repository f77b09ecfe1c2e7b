"""Plans: how to answer a query level by level, found out once a document and followed for every request.

graphql-core walks from value to value. A plan asks all objects of a level for a field, awaits together what has to be
awaited, and goes on with what they gave as the next level. Whatever it does not know, an error of any kind included, is
left to graphql-core for the whole operation: one place reports, and in one way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, cast

from graphql import (
    ArgumentNode,
    BooleanValueNode,
    GraphQLField,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    IntValueNode,
    OperationDefinitionNode,
    StringValueNode,
    get_named_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)
from graphql.execution.collect_fields import (
    FieldDetailsList,
    FragmentDetails,
    GroupedFieldSet,
    collect_fields,
    collect_subfields,
)
from graphql.execution.values import VariableValues
from graphql.type.introspection import TypeNameMetaFieldDef
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField

from graph.plans.column_executor import NotPlainError, Values, classes_of, leaf_completion, require
from graph.plans.column_rows import Rows
from graph.plans.connection_planner import ConnectionPlanner
from graph.plans.field_reader import Reader
from graph.plans.planned_info import NOTHING, Selected
from graph.plans.steps import PlannedRequest, Step, of_classes, of_lists, of_objects, together
from graph.plans.variables import FieldArguments
from graph.relay.connections import Connection


def _has_variables(arguments: Sequence[ArgumentNode] | None) -> bool:
    """Tell whether arguments may differ between requests."""
    return not all(
        isinstance(each.value, IntValueNode | StringValueNode | BooleanValueNode) for each in arguments or ()
    )


class Planner:
    """Makes the plan of one operation, for the variables that its @skip and @include name."""

    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: dict[str, FragmentDetails],
        operation: OperationDefinitionNode,
        variables: VariableValues,
    ) -> None:
        self._schema = schema
        self._strawberry: Any = schema._strawberry_schema  # type: ignore[attr-defined]  # noqa: SLF001 - Strawberry's own way to it
        self._fragments = fragments
        self._operation = operation
        self._variables = variables
        # What is looked at from several sides, as nodes are, is found out once: else the time would double with each level.
        self._known_subfields: dict[tuple[GraphQLObjectType, int], tuple[FieldDetailsList, GroupedFieldSet]] = {}
        self._known_values: dict[tuple[GraphQLOutputType, int], Step] = {}

    def plan(self) -> Step:
        """Make the plan for the root value.

        Raises:
            NotPlainError: if the operation is graphql-core's.
        """
        root = self._schema.query_type
        require(not self._operation.directives)
        assert root is not None, "the schema has queries"
        collected = collect_fields(self._schema, self._fragments, self._variables, root, self._operation)
        require(not collected.new_defer_usages)
        return self._selection(root, collected.grouped_field_set)

    def event(self) -> tuple[str, Mapping[str, tuple[str, Step]]]:
        """Plan the events of a subscription's only field: the key of its object, and each key in that with field and step.

        Raises:
            NotPlainError: if the operation is graphql-core's.
        """
        root = self._schema.subscription_type
        require(not self._operation.directives)
        assert root is not None, "the schema has subscriptions"
        collected = collect_fields(self._schema, self._fragments, self._variables, root, self._operation)
        require(not collected.new_defer_usages)
        ((key, fields),) = collected.grouped_field_set.items()
        kind = root.fields[fields[0].node.name.value].type.of_type
        selected = self.subfields(kind, fields)
        require(selected)
        return key, {name: (each[0].node.name.value, self.field(kind, each)) for name, each in selected.items()}

    def _selection(self, parent: GraphQLObjectType, selected: GroupedFieldSet) -> Step:
        return of_objects(tuple(selected), [self.field(parent, fields) for fields in selected.values()])

    def subfields(self, kind: GraphQLObjectType, fields: FieldDetailsList) -> GroupedFieldSet:
        known = self._known_subfields.get((kind, id(fields)))
        if known is None:
            collected = collect_subfields(self._schema, self._fragments, self._variables, self._operation, kind, fields)
            require(not collected.new_defer_usages)
            known = self._known_subfields[kind, id(fields)] = fields, collected.grouped_field_set
        return known[1]

    def field(self, parent: GraphQLObjectType, fields: FieldDetailsList) -> Step:
        found = self._schema.get_field(parent, fields[0].node.name.value)
        if found is TypeNameMetaFieldDef:
            return Step(lambda _, rows: [parent.name] * len(rows), is_async=False)
        require(found is not None)
        assert found is not None
        reader, value = self.reader(found, fields), self.value(found.type, fields)
        if not (reader.field.is_async or value.is_async):

            def make_now(run: PlannedRequest, rows: Values | Rows) -> Values:
                column = reader.column(run, rows)
                made: Values = value.make(run, reader.read(run, rows) if column is None else column)
                return made

            return Step(make_now, is_async=False)

        async def make(run: PlannedRequest, rows: Values | Rows) -> Values:
            values = reader.column(run, rows)
            if values is None:
                values = reader.read(run, rows)
                values = await together(values) if reader.field.is_async else values
            made: Any = value.make(run, values)
            completed: Values = await made if value.is_async else made
            return completed

        return Step(make, is_async=True)

    def value(self, kind: GraphQLOutputType, fields: FieldDetailsList) -> Step:
        """Plan how values of a type are answered."""
        known = self._known_values.get((kind, id(fields)))
        if known is None:
            known = self._known_values[kind, id(fields)] = self._value(kind, fields)
        return known

    def _value(self, kind: GraphQLOutputType, fields: FieldDetailsList) -> Step:
        is_nullable = not is_non_null_type(kind)
        kind = kind.of_type if is_non_null_type(kind) else kind
        if is_leaf_type(kind):
            completion = leaf_completion(kind, is_nullable=is_nullable)
            return Step(lambda _, values: completion(values), is_async=False)
        if is_list_type(kind):
            return of_lists(self.value(kind.of_type, fields), is_nullable=is_nullable)
        if not is_object_type(kind):
            raise NotPlainError
        definition: StrawberryObjectDefinition = kind.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
        require(not definition.is_type_of)
        selected = self.subfields(kind, fields)
        generic = definition.concrete_of.origin if definition.concrete_of else definition.origin
        inner = (
            ConnectionPlanner(self).plan(kind, selected) if generic is Connection else self._selection(kind, selected)
        )
        return of_classes(classes_of(definition), inner, is_nullable=is_nullable)

    def reader(self, found: GraphQLField, fields: FieldDetailsList) -> Reader:
        field: StrawberryField = found.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
        resolver = field.base_resolver
        require(not field.extensions)
        require(fields[0].fragment_variable_values is None)
        node = fields[0].node
        arguments = FieldArguments(self._strawberry, field, found, node)
        if resolver is None:
            require(field.default_resolver is getattr)
            return Reader(field, attrgetter(field.python_name), {}, arguments, None, None, NOTHING)
        parent = resolver.parent_parameter or resolver.root_parameter
        require(bool(resolver.self_parameter) != bool(parent))
        return Reader(
            field,
            cast("Callable[..., Any]", resolver.wrapped_func),
            None if _has_variables(node.arguments) else arguments.of(self._variables),
            arguments,
            parent.name if parent else None,
            resolver.info_parameter.name if resolver.info_parameter else None,
            self._selected(get_named_type(found.type), fields) if resolver.info_parameter else NOTHING,
        )

    def _selected(self, kind: Any, fields: FieldDetailsList) -> Selected:
        selected: dict[str, Selected] = {}
        if is_object_type(kind):
            for below in self.subfields(kind, fields).values():
                name = below[0].node.name.value
                found = self._schema.get_field(kind, name)
                assert found is not None, "the operation is valid"
                selected[name] = {**selected.get(name, NOTHING), **self._selected(get_named_type(found.type), below)}
        return selected
