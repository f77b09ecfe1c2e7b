"""The steps of connections: a page that is loaded once for all fields that ask for it, and as written where that is enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from graphql import GraphQLField, GraphQLObjectType, GraphQLOutputType, is_object_type
from graphql.execution.collect_fields import FieldDetailsList, GroupedFieldSet

from domain.written_lines import LineSelection
from graph.plans.columns import Lists, Rows, Values
from graph.plans.field_reader import Reader
from graph.plans.steps import Failed, PlannedRequest, Step, of_objects, together


class Planner(Protocol):
    """Plans the fields within."""

    def subfields(self, kind: GraphQLObjectType, fields: FieldDetailsList) -> GroupedFieldSet: ...

    def field(self, parent: GraphQLObjectType, fields: FieldDetailsList) -> Step: ...

    def value(self, kind: GraphQLOutputType, fields: FieldDetailsList) -> Step: ...

    def reader(self, found: GraphQLField, fields: FieldDetailsList) -> Reader: ...


def connection_step(planner: Planner, kind: GraphQLObjectType, selected: GroupedFieldSet) -> Step:
    """Plan how connections are answered."""
    columns = [_column(planner, kind, fields) for fields in selected.values()]
    answered, selection = of_objects(tuple(selected), columns), _line_selection(planner, kind, selected)
    if selection is None or not answered.is_async:
        return answered

    def ask(_: PlannedRequest, connections: Values) -> tuple[Values, None]:
        for connection in () if isinstance(connections, Rows) else connections:
            connection.write(selection)
        return connections, None

    return answered.within(ask)


def _line_selection(planner: Planner, kind: GraphQLObjectType, selected: GroupedFieldSet) -> LineSelection | None:
    """Name what the nodes are made of, if they are asked for once, by attributes alone, and the edges are not."""
    items = [fields for fields in selected.values() if fields[0].node.name.value in {"nodes", "edges"}]
    if len(items) != 1 or items[0][0].node.name.value == "edges":
        return None
    node_kind = kind.fields["nodes"].type.of_type.of_type.of_type
    if not is_object_type(node_kind):
        return None
    members = []
    for key, fields in planner.subfields(node_kind, items[0]).items():
        found = node_kind.fields.get(fields[0].node.name.value)
        reader = None if found is None else planner.reader(found, fields)
        if reader is None or not reader.takes_nothing:
            return None
        members.append((key, reader.field.python_name))
    return LineSelection.of(members)


def _column(planner: Planner, kind: GraphQLObjectType, fields: FieldDetailsList) -> Step:
    """Plan a field. The items of all pages are answered as one list."""
    name = fields[0].node.name.value
    if name not in {"nodes", "edges"}:
        return planner.field(kind, fields)
    lists = planner.value(kind.fields[name].type, fields)

    async def make(run: PlannedRequest, connections: Values) -> Values:
        shown: Values | Lists | None = connections.column(name) if isinstance(connections, Rows) else None
        if shown is None:
            pages = await together(run, [connection.page() for connection in connections])
            shown = [
                _shown(run, connection.nodes_of if name == "nodes" else connection.edges_of, page)
                for connection, page in zip(connections, pages, strict=True)
            ]
        made: Any = lists.make(run, shown)
        completed: Values = await made if lists.is_async else made
        return completed

    return Step(make, is_async=True)


def _shown(run: PlannedRequest, show: Callable[[Sequence[Any]], Any], page: Any) -> Any:
    if isinstance(page, Failed):
        return page
    try:
        return show(page.items)
    except Exception as error:  # noqa: BLE001 - it is told where the list would be
        return run.fail(error)
