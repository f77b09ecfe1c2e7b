"""`Planner`: how to answer an operation level by level, found out once a document and followed for every request.

graphql-core walks from value to value. A plan asks all objects of a level for a field, awaits together what has to be
awaited, and goes on with what they gave as the next level. What it does not know is graphql-core's, for the whole operation
and before anything was loaded. What fails is told as graphql-core tells it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, TypeAlias, cast

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
    is_abstract_type,
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

from graph.plans.completion import leaf_completion
from graph.plans.field_reader import NOTHING, Reader, Selected
from graph.plans.steps import Plan, Step, of_classes, of_kinds, of_lists, of_objects
from graph.plans.variables import FieldArguments


class Unplanned(Exception):
    """An operation is graphql-core's, for one of few reasons."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def require(condition: object, reason: str) -> None:
    if not condition:
        raise Unplanned(reason)


def _has_variables(arguments: Sequence[ArgumentNode] | None) -> bool:
    """Tell whether arguments may differ between requests."""
    return not all(
        isinstance(each.value, IntValueNode | StringValueNode | BooleanValueNode) for each in arguments or ()
    )


Key: TypeAlias = tuple[GraphQLOutputType, tuple[int, ...]]
"""A type, and the nodes of the fields that are asked of it."""


class Planner:
    """Makes the plan of one operation, for the variables that its @skip and @include name."""

    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: dict[str, FragmentDetails],
        operation: OperationDefinitionNode,
        variables: VariableValues,
    ) -> None:
        self.schema = schema
        self._strawberry: Any = schema._strawberry_schema  # type: ignore[attr-defined]  # noqa: SLF001 - Strawberry's own way to it
        self._fragments = fragments
        self._operation = operation
        self._variables = variables
        # What is looked at from several sides, as nodes and fragments are, is found out once: else time and memory would
        # double with each level.
        self._known_subfields: dict[Key, GroupedFieldSet] = {}
        self._known_values: dict[Key, Step] = {}
        self._known_selected: dict[Key, Selected] = {}

    def plan(self) -> Plan:
        """Make the plan for the root value or, of a subscription, for the value of an event.

        Raises:
            Unplanned: if the operation is graphql-core's.
        """
        root = self.schema.get_root_type(self._operation.operation)
        require(not self._operation.directives, "directive")
        assert root is not None, "the operation is valid"
        collected = collect_fields(self.schema, self._fragments, self._variables, root, self._operation)
        require(not collected.new_defer_usages, "defer")
        selected = collected.grouped_field_set
        if root is not self.schema.subscription_type:
            return Plan(self, root, selected, {}, self._selection(root, selected))
        ((key, fields),) = selected.items()
        found = root.fields[fields[0].node.name.value]
        kind = get_named_type(found.type)
        require(is_object_type(kind), "type")
        columns = {
            name: (each[0].node.name.value, self.field(cast("GraphQLObjectType", kind), each))
            for name, each in self.subfields(cast("GraphQLObjectType", kind), fields).items()
        }
        return Plan(self, root, selected, columns, of_objects((key,), [self.value(found.type, fields)]))

    def _selection(self, parent: GraphQLObjectType, selected: GroupedFieldSet) -> Step:
        return of_objects(tuple(selected), [self.field(parent, fields) for fields in selected.values()])

    def subfields(self, kind: GraphQLObjectType, fields: FieldDetailsList) -> GroupedFieldSet:
        key = _key(kind, fields)
        known = self._known_subfields.get(key)
        if known is None:
            collected = collect_subfields(self.schema, self._fragments, self._variables, self._operation, kind, fields)
            require(not collected.new_defer_usages, "defer")
            known = self._known_subfields[key] = collected.grouped_field_set
        return known

    def field(self, parent: GraphQLObjectType, fields: FieldDetailsList) -> Step:
        found = self.schema.get_field(parent, fields[0].node.name.value)
        if found is TypeNameMetaFieldDef:
            return Step(lambda _, rows: [parent.name] * len(rows), is_async=False)
        assert found is not None, "the operation is valid"
        return self.reader(found, fields).then(self.value(found.type, fields))

    def value(self, kind: GraphQLOutputType, fields: FieldDetailsList) -> Step:
        """Plan how values of a type are answered."""
        key = _key(kind, fields)
        known = self._known_values.get(key)
        if known is None:
            known = self._known_values[key] = self._value(kind, fields)
        return known

    def _value(self, kind: GraphQLOutputType, fields: FieldDetailsList) -> Step:
        is_nullable = not is_non_null_type(kind)
        kind = kind.of_type if is_non_null_type(kind) else kind
        if is_leaf_type(kind):
            return Step(leaf_completion(kind, is_nullable=is_nullable), is_async=False)
        if is_list_type(kind):
            return of_lists(self.value(kind.of_type, fields), is_nullable=is_nullable)
        if is_abstract_type(kind):
            kinds = self.schema.get_possible_types(kind)
            steps = [(each, _definition_of(each).origin, self._object(each, fields)) for each in kinds]
            return of_kinds(steps, is_nullable=is_nullable)
        require(is_object_type(kind), "type")
        return of_classes(classes_of(_definition_of(kind)), self._object(kind, fields), is_nullable=is_nullable)

    def _object(self, kind: Any, fields: FieldDetailsList) -> Step:
        definition = _definition_of(kind)
        require(not definition.is_type_of, "type")
        selected = self.subfields(kind, fields)
        step: Callable[[Planner, GraphQLObjectType, GroupedFieldSet], Step] | None
        step = getattr(
            definition.concrete_of.origin if definition.concrete_of else definition.origin, "planned_by", None
        )
        return self._selection(kind, selected) if step is None else step(self, kind, selected)

    def reader(self, found: GraphQLField, fields: FieldDetailsList) -> Reader:
        field: StrawberryField | None = found.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
        require(field is not None, "introspection")
        assert field is not None
        resolver = field.base_resolver
        require(not field.extensions, "extension")
        require(fields[0].fragment_variable_values is None, "fragment variables")
        node = fields[0].node
        arguments = FieldArguments(self._strawberry, field, found, node)
        if resolver is None:
            require(field.default_resolver is getattr, "resolver")
            return Reader(field, attrgetter(field.python_name), {}, arguments, None, None, NOTHING)
        parent = resolver.parent_parameter or resolver.root_parameter
        require(bool(resolver.self_parameter) != bool(parent), "resolver")
        return Reader(
            field,
            cast("Callable[..., Any]", resolver.wrapped_func),
            None if _has_variables(node.arguments) else self._constants(arguments),
            arguments,
            parent.name if parent else None,
            resolver.info_parameter.name if resolver.info_parameter else None,
            self._selected(get_named_type(found.type), fields) if resolver.info_parameter else NOTHING,
        )

    def _constants(self, arguments: FieldArguments) -> Mapping[str, Any] | None:
        try:
            return arguments.of(self._variables)
        except Exception:  # noqa: BLE001 - it is told where the field is asked for
            return None

    def _selected(self, kind: Any, fields: FieldDetailsList) -> Selected:
        if not is_object_type(kind):
            return NOTHING
        key = _key(kind, fields)
        if (known := self._known_selected.get(key)) is not None:
            return known
        selected = []
        for below in self.subfields(kind, fields).values():
            found = self.schema.get_field(kind, below[0].node.name.value)
            assert found is not None, "the operation is valid"
            selected.append((below[0].node.name.value, self._selected(get_named_type(found.type), below)))
        self._known_selected[key] = tuple(selected)
        return self._known_selected[key]


def _key(kind: GraphQLOutputType, fields: FieldDetailsList) -> Key:
    """Name what fields are answered with. Their nodes live as long as the document does."""
    return kind, tuple([id(each.node) for each in fields])


def _definition_of(kind: Any) -> StrawberryObjectDefinition:
    definition: StrawberryObjectDefinition | None = kind.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    require(definition is not None, "introspection")
    assert definition is not None
    return definition


def classes_of(definition: StrawberryObjectDefinition) -> frozenset[type]:
    """List the classes whose objects are answered as a type: its own, and those that have the attributes asked of them."""
    origins = {definition.origin, definition.concrete_of.origin if definition.concrete_of else definition.origin}
    return frozenset(origins.union(getattr(definition.origin, "stand_ins", ())))
