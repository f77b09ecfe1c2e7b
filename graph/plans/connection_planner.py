"""Plans of connections: a page that is loaded once for all fields that ask for it, of items that need not become objects."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from graphql import GraphQLObjectType, GraphQLOutputType, is_object_type
from graphql.execution.collect_fields import FieldDetailsList, GroupedFieldSet
from strawberry.schema.schema_converter import GraphQLCoreConverter

from domain.written_lines import Members, WrittenLines
from graph.formats.json_fragment import Encoded
from graph.plans.column_executor import NotPlainError, Values, require
from graph.plans.column_rows import Rows
from graph.plans.field_reader import Reader
from graph.plans.steps import PlannedRequest, Step, divided, objects_of, of_lists, of_objects, together
from graph.relay.connections import Connection

if TYPE_CHECKING:
    from graph.plans.planner import Planner


class ConnectionPlanner:
    """Makes the plan of a connection, within that of an operation."""

    def __init__(self, planner: Planner) -> None:
        self._planner = planner

    def plan(self, kind: GraphQLObjectType, selected: GroupedFieldSet) -> Step:
        columns = [self._column(kind, fields) for fields in selected.values()]
        answered, members = of_objects(tuple(selected), columns), self._members(kind, selected)
        if members is None:
            return answered

        async def make(run: PlannedRequest, connections: Values | Rows) -> Values:
            for connection in () if isinstance(connections, Rows) else connections:
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
        nodes = self._planner.subfields(item_kind, items[0]) if is_object_type(item_kind) else {}
        plain = self._plain_columns(item_kind, nodes)
        if not plain or any(reader.constants is None or reader.constants for _, reader, _ in plain):
            return None
        return tuple((key, name) for key, (name, _, _) in zip(nodes, plain, strict=True))

    def _column(self, kind: GraphQLObjectType, fields: FieldDetailsList) -> Step:
        name = fields[0].node.name.value
        if name not in {"nodes", "edges"}:
            return self._planner.field(kind, fields)
        found = kind.fields[name]
        require(not found.extensions[GraphQLCoreConverter.DEFINITION_BACKREF].extensions)
        item_kind = found.type.of_type.of_type.of_type
        nodes = self._planner.value(item_kind, fields) if name == "nodes" else None
        items = self._edges(item_kind, fields) if nodes is None else self._items(item_kind, fields, nodes)
        listed = None if nodes is None else of_lists(nodes, is_nullable=False)

        async def make(run: PlannedRequest, connections: Values | Rows) -> Values:
            if listed is not None and isinstance(connections, Rows):
                made: Any = listed.make(run, connections.columns[name](connections))
                completed: Values = await made if listed.is_async else made
                return completed
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

    def _items(self, kind: GraphQLOutputType, fields: FieldDetailsList, nodes: Step) -> Step:
        """Plan how items, each connection with its own, are answered as nodes, all of them as one list.

        Where all that is selected is known of the items themselves, no node is made of them.
        """
        if not is_object_type(kind):
            raise NotPlainError
        selected = self._planner.subfields(kind, fields)
        plain, objects = self._plain_columns(kind, selected), objects_of(tuple(selected))

        def make(run: PlannedRequest, parts: Sequence[tuple[Connection[Any], Sequence[Any]]]) -> Any:
            known = parts[0][0].columns if parts else None
            if known and plain and all(name in known and not reader.arguments(run) for name, reader, _ in plain):
                completed = [
                    value.make(run, _joined([connection.columns[name](items) for connection, items in parts]))  # type: ignore[index]  # as of the first
                    for name, _, value in plain
                ]
                return objects(completed)
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
            reader, value = self._planner.reader(found, fields), self._planner.value(found.type, fields)
            if value.is_async or reader.field.is_async:
                return None
            columns.append((reader.field.python_name, reader, value))
        return columns

    def _edges(self, kind: GraphQLOutputType, fields: FieldDetailsList) -> Step:
        if not is_object_type(kind):
            raise NotPlainError
        selected = self._planner.subfields(kind, fields)
        columns = [self._edge_column(kind, own) for own in selected.values()]
        return of_objects(tuple(selected), columns)

    def _edge_column(self, kind: GraphQLObjectType, fields: FieldDetailsList) -> Step:
        name = fields[0].node.name.value
        if name == "node":
            node_kind = kind.fields["node"].type.of_type
            return self._items(node_kind, fields, self._planner.value(node_kind, fields))
        if name == "cursor":
            value = self._planner.value(kind.fields["cursor"].type, fields)
            return Step(
                lambda run, parts: value.make(run, [part[0].to_cursor(item) for part in parts for item in part[1]]),
                is_async=False,
            )
        require(name == "__typename")
        return Step(lambda _, parts: [kind.name] * sum(len(items) for _, items in parts), is_async=False)


def _joined(parts: Sequence[Values]) -> Values:
    return parts[0] if len(parts) == 1 else list(chain.from_iterable(parts))
