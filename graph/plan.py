"""Plans: how to answer a query level by level, found out once a document and followed for every request.

graphql-core walks from value to value. A plan asks all objects of a level for a field, awaits together what has to be
awaited, and goes on with what they gave as the next level. Whatever it does not know, an error of any kind included, is
left to graphql-core for the whole operation: one place reports, and in one way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from operator import attrgetter
from types import NoneType
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

from domain.written import Members, WrittenLines
from graph.connections import Connection
from graph.encoded import Encoded
from graph.executor import NotPlainError, Values, classes_of, leaf_completion, require
from graph.selection import NOTHING, PlannedInfo, Selected
from graph.variables import FieldArguments


class Run:
    """One request that follows a plan."""

    __slots__ = ("arguments", "context", "root_value", "variables")

    def __init__(self, variables: VariableValues, context: Any, root_value: Any) -> None:
        self.variables = variables
        self.context = context
        self.root_value = root_value
        self.arguments: dict[int, Mapping[str, Any]] = {}


Make: TypeAlias = Callable[[Run, Values], Any]
"""Makes of all values of a level what is answered for them, in their order."""


@dataclass(frozen=True, slots=True)
class Step:
    make: Make
    is_async: bool
    """Whether it gives a coroutine."""


async def together(awaitables: Sequence[Awaitable[Any]]) -> Sequence[Any]:
    """Await everything, so that nothing is left behind when one of it fails."""
    if len(awaitables) <= 1:
        return [await each for each in awaitables]
    if all(isinstance(each, asyncio.Future) for each in awaitables):
        if not all(each.done() for each in cast("Sequence[asyncio.Future[Any]]", awaitables)):
            await asyncio.wait(cast("Sequence[asyncio.Future[Any]]", awaitables))
        return [each.result() for each in cast("Sequence[asyncio.Future[Any]]", awaitables)]
    results = await asyncio.gather(*awaitables, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


def divided(values: Values, lengths: Sequence[int]) -> list[list[Any]]:
    """Divide the values of a level among the lists that they come from."""
    if len(lengths) == 1:
        return [values if type(values) is list else list(values)]
    left = iter(values)
    return [list(islice(left, length)) for length in lengths]


def _of_classes(classes: frozenset[type], inner: Step, *, is_nullable: bool) -> Step:
    """Let pass values of the exact classes only, and null where the field may be null."""

    def present(values: Values) -> Values | None:
        """Tell which values there are, if some are null."""
        found = set(map(type, values))
        has_null = is_nullable and NoneType in found
        require(found - {NoneType} <= classes if has_null else found <= classes)
        return [value for value in values if value is not None] if has_null else None

    def filled(values: Values, completed: Values) -> Values:
        left = iter(completed)
        return [None if value is None else next(left) for value in values]

    def make(run: Run, values: Values) -> Values:
        there = present(values)
        return inner.make(run, values) if there is None else filled(values, inner.make(run, there))

    async def make_later(run: Run, values: Values) -> Values:
        there = present(values)
        return await inner.make(run, values) if there is None else filled(values, await inner.make(run, there))

    return Step(make_later, is_async=True) if inner.is_async else Step(make, is_async=False)


def _of_lists(inner: Step) -> Step:
    def make(run: Run, lists: Values) -> Values:
        return divided(inner.make(run, list(chain.from_iterable(lists))), list(map(len, lists)))

    async def make_later(run: Run, lists: Values) -> Values:
        return divided(await inner.make(run, list(chain.from_iterable(lists))), list(map(len, lists)))

    return Step(make_later, is_async=True) if inner.is_async else Step(make, is_async=False)


def _of_objects(keys: Sequence[str], columns: Sequence[Step]) -> Step:
    """Answer each object with what its fields are answered with."""
    later = [place for place, column in enumerate(columns) if column.is_async]

    def make(run: Run, rows: Values) -> Values:
        completed = [column.make(run, rows) for column in columns]
        return [dict(zip(keys, values, strict=True)) for values in zip(*completed, strict=True)]

    async def make_later(run: Run, rows: Values) -> Values:
        if not rows:
            return []
        completed: list[Any] = [None if column.is_async else column.make(run, rows) for column in columns]
        awaited = await together([columns[place].make(run, rows) for place in later])
        for place, values in zip(later, awaited, strict=True):
            completed[place] = values
        return [dict(zip(keys, values, strict=True)) for values in zip(*completed, strict=True)]

    return Step(make_later, is_async=True) if later else Step(make, is_async=False)


@dataclass(frozen=True, slots=True)
class Reader:
    """Asks the objects of a level for a field, as Strawberry's resolver of the field would."""

    field: StrawberryField
    function: Callable[..., Any]
    constants: Mapping[str, Any] | None
    """The arguments, where no variable is among them."""
    made_arguments: FieldArguments
    parent_name: str | None
    info_name: str | None
    selected: Selected

    @property
    def is_attribute(self) -> bool:
        return self.field.base_resolver is None

    def arguments(self, run: Run) -> Mapping[str, Any]:
        if self.constants is not None:
            return self.constants
        known = run.arguments.get(id(self))
        if known is None:
            known = run.arguments[id(self)] = self.made_arguments.of(run.variables)
        return known

    def read(self, run: Run, rows: Values) -> list[Any]:
        function = self.function
        if self.is_attribute:
            return list(map(function, rows))
        arguments: Mapping[str, Any] = self.arguments(run)
        if self.info_name is not None:
            arguments = {**arguments, self.info_name: PlannedInfo(run.context, run.root_value, self.selected)}
        if self.parent_name is not None:
            return [function(**arguments, **{self.parent_name: row}) for row in rows]
        return [function(row, **arguments) for row in rows] if arguments else list(map(function, rows))


def _has_variables(arguments: Sequence[ArgumentNode] | None) -> bool:
    """Tell whether arguments may differ between requests."""
    return not all(
        isinstance(each.value, IntValueNode | StringValueNode | BooleanValueNode) for each in arguments or ()
    )


def _joined(parts: Sequence[Values]) -> Values:
    return parts[0] if len(parts) == 1 else list(chain.from_iterable(parts))


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
        selected = self._subfields(kind, fields)
        require(selected)
        return key, {name: (each[0].node.name.value, self._field(kind, each)) for name, each in selected.items()}

    def _selection(self, parent: GraphQLObjectType, selected: GroupedFieldSet) -> Step:
        require(selected)
        return _of_objects(tuple(selected), [self._field(parent, fields) for fields in selected.values()])

    def _subfields(self, kind: GraphQLObjectType, fields: FieldDetailsList) -> GroupedFieldSet:
        collected = collect_subfields(self._schema, self._fragments, self._variables, self._operation, kind, fields)
        require(not collected.new_defer_usages)
        return collected.grouped_field_set

    def _field(self, parent: GraphQLObjectType, fields: FieldDetailsList) -> Step:
        found = self._schema.get_field(parent, fields[0].node.name.value)
        if found is TypeNameMetaFieldDef:
            return Step(lambda _, rows: [parent.name] * len(rows), is_async=False)
        require(found is not None)
        assert found is not None
        reader, value = self._reader(found, fields), self._value(found.type, fields)
        if not (reader.field.is_async or value.is_async):
            return Step(lambda run, rows: value.make(run, reader.read(run, rows)), is_async=False)

        async def make(run: Run, rows: Values) -> Values:
            values: Values = reader.read(run, rows)
            if reader.field.is_async:
                values = await together(values)
            made: Any = value.make(run, values)
            completed: Values = await made if value.is_async else made
            return completed

        return Step(make, is_async=True)

    def _value(self, kind: GraphQLOutputType, fields: FieldDetailsList) -> Step:
        """Plan how values of a type are answered."""
        is_nullable = not is_non_null_type(kind)
        kind = kind.of_type if is_non_null_type(kind) else kind
        if is_leaf_type(kind):
            completion = leaf_completion(kind, is_nullable=is_nullable)
            return Step(lambda _, values: completion(values), is_async=False)
        if is_list_type(kind):
            return _of_classes(frozenset({list}), _of_lists(self._value(kind.of_type, fields)), is_nullable=is_nullable)
        if not is_object_type(kind):
            raise NotPlainError
        definition: StrawberryObjectDefinition = kind.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
        require(not definition.is_type_of)
        selected = self._subfields(kind, fields)
        generic = definition.concrete_of.origin if definition.concrete_of else definition.origin
        inner = self._connection(kind, selected) if generic is Connection else self._selection(kind, selected)
        return _of_classes(classes_of(definition), inner, is_nullable=is_nullable)

    def _reader(self, found: GraphQLField, fields: FieldDetailsList) -> Reader:
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
            for below in self._subfields(kind, fields).values():
                name = below[0].node.name.value
                found = self._schema.get_field(kind, name)
                assert found is not None, "the operation is valid"
                selected[name] = {**selected.get(name, NOTHING), **self._selected(get_named_type(found.type), below)}
        return selected

    # Connections: a page that is loaded once for all fields that ask for it, of items that need not become objects

    def _connection(self, kind: GraphQLObjectType, selected: GroupedFieldSet) -> Step:
        columns = [self._connection_field(kind, fields) for fields in selected.values()]
        answered, members = _of_objects(tuple(selected), columns), self._members(kind, selected)
        if members is None:
            return answered

        async def make(run: Run, connections: Values) -> Values:
            for connection in connections:
                connection.write(members)
            completed: Values = await answered.make(run, connections)
            return completed

        return Step(make, is_async=True)

    def _members(self, kind: GraphQLObjectType, selected: GroupedFieldSet) -> Members | None:
        """Name what the nodes are made of, if they are asked for once, by attributes alone, and the edges are not."""
        items = [fields for fields in selected.values() if fields[0].node.name.value in {"nodes", "edges"}]
        if len(items) != 1 or items[0][0].node.name.value == "edges":
            return None
        item_kind = kind.fields["nodes"].type.of_type.of_type.of_type
        nodes = self._subfields(item_kind, items[0]) if is_object_type(item_kind) else {}
        plain = self._plain_columns(item_kind, nodes)
        if not plain or any(reader.constants is None or reader.constants for _, reader, _ in plain):
            return None
        return tuple((key, name) for key, (name, _, _) in zip(nodes, plain, strict=True))

    def _connection_field(self, kind: GraphQLObjectType, fields: FieldDetailsList) -> Step:
        name = fields[0].node.name.value
        if name not in {"nodes", "edges"}:
            return self._field(kind, fields)
        found = kind.fields[name]
        require(not found.extensions[GraphQLCoreConverter.DEFINITION_BACKREF].extensions)
        item_kind = found.type.of_type.of_type.of_type
        items = self._items(item_kind, fields) if name == "nodes" else self._edges(item_kind, fields)

        async def make(run: Run, connections: Values) -> Values:
            pages = await together([connection.page() for connection in connections])
            lists = [Encoded(page.items.json) if isinstance(page.items, WrittenLines) else None for page in pages]
            if None not in lists:
                return lists
            read = [
                (connection, page.items)
                for connection, page, written in zip(connections, pages, lists, strict=True)
                if written is None
            ]
            made = items.make(run, read)
            others = iter(divided(await made if items.is_async else made, [len(own) for _, own in read]))
            return [next(others) if written is None else written for written in lists]

        return Step(make, is_async=True)

    def _items(self, kind: GraphQLOutputType, fields: FieldDetailsList) -> Step:
        """Plan how items, each connection with its own, are answered as nodes, all of them as one list.

        Where all that is selected is known of the items themselves, no node is made of them.
        """
        if not is_object_type(kind):
            raise NotPlainError
        selected = self._subfields(kind, fields)
        nodes = self._value(kind, fields)
        plain = self._plain_columns(kind, selected)

        def make(run: Run, parts: Sequence[tuple[Connection[Any], Sequence[Any]]]) -> Any:
            known = parts[0][0].columns if parts else None
            if known and plain and all(name in known and not reader.arguments(run) for name, reader, _ in plain):
                completed = [
                    value.make(run, _joined([connection.columns[name](items) for connection, items in parts]))  # type: ignore[index]  # as of the first
                    for name, _, value in plain
                ]
                return [dict(zip(selected, values, strict=True)) for values in zip(*completed, strict=True)]
            return nodes.make(run, [connection.to_node(item) for connection, items in parts for item in items])

        return Step(make, is_async=nodes.is_async)

    def _plain_columns(
        self, kind: GraphQLObjectType, selected: GroupedFieldSet
    ) -> list[tuple[str, Reader, Step]] | None:
        columns = []
        for fields in selected.values():
            found = kind.fields.get(fields[0].node.name.value)
            if found is None:
                return None
            reader, value = self._reader(found, fields), self._value(found.type, fields)
            if value.is_async or reader.field.is_async:
                return None
            columns.append((reader.field.python_name, reader, value))
        return columns

    def _edges(self, kind: GraphQLOutputType, fields: FieldDetailsList) -> Step:
        if not is_object_type(kind):
            raise NotPlainError
        selected = self._subfields(kind, fields)
        require(selected)
        columns = [self._edge_field(kind, own) for own in selected.values()]
        return _of_objects(tuple(selected), columns)

    def _edge_field(self, kind: GraphQLObjectType, fields: FieldDetailsList) -> Step:
        name = fields[0].node.name.value
        if name == "node":
            return self._items(kind.fields["node"].type.of_type, fields)
        if name == "cursor":
            value = self._value(kind.fields["cursor"].type, fields)
            return Step(
                lambda run, parts: value.make(run, [part[0].to_cursor(item) for part in parts for item in part[1]]),
                is_async=False,
            )
        require(name == "__typename")
        return Step(lambda _, parts: [kind.name] * sum(len(items) for _, items in parts), is_async=False)
