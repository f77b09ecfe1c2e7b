"""`Connection`: Relay's pages over those of the domain, with what they are made of. What is not asked for is not loaded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import strawberry
from graphql import GraphQLField, GraphQLObjectType, GraphQLOutputType, is_object_type
from graphql.execution.collect_fields import FieldDetailsList, GroupedFieldSet

from domain.pages import Page
from domain.written_lines import LineSelection, WrittenLines
from graph.formats.json_fragment import JsonFragment
from graph.formats.scalars import BigInt
from graph.plans.columns import Failed, Lists, Rows, Values
from graph.plans.field_reader import Reader
from graph.plans.steps import PlannedRequest, Step, of_objects, together

NodeType = TypeVar("NodeType")


@strawberry.interface(description="Anything that can be asked for by its id alone.")
class Node:
    id: strawberry.ID = strawberry.field(description="Unique over all types; opaque.")


@strawberry.type(description="Where a page lies in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether something comes behind the page.")
    has_previous_page: bool = strawberry.field(description="Whether something comes before the page.")
    start_cursor: str | None = strawberry.field(description="The cursor of the page's first item.")
    end_cursor: str | None = strawberry.field(
        description="The cursor of the page's last item. Where a search through all jobs ended the page early, that of the "
        "place where it stopped."
    )
    looked_back_to: datetime | None = strawberry.field(
        default=None,
        description="Of the lines of all jobs: how far back the page looked, by when lines were stored. Null where it looked at all.",
    )


@strawberry.type(description="An item and its place in the list.")
class Edge(Generic[NodeType]):
    cursor: str = strawberry.field(description="Its place: hand it back as `after` or `before`.")
    node: NodeType = strawberry.field(description="The item.")


@strawberry.type(description="A page of a list.")
class Connection(Generic[NodeType]):
    load: strawberry.Private[Callable[[], Awaitable[Page[Any]]]]
    count: strawberry.Private[Callable[[], Awaitable[int]]]
    to_nodes: strawberry.Private[Callable[[Sequence[Any]], Sequence[Any]]]
    """Shows items: as a list or, where fields of them are asked for in columns, as `Rows`."""
    to_cursor: strawberry.Private[Callable[[Any], str]]
    to_stop: strawberry.Private[Callable[[Any], str] | None] = None
    """Makes a cursor of the place up to which a page was looked for, if it may end before the list does."""
    to_time: strawberry.Private[Callable[[Any], datetime] | None] = None
    """Tells the time of such a place."""
    load_written: strawberry.Private[Callable[[LineSelection], Awaitable[Page[Any]]] | None] = None
    """Loads a page whose items may be `WrittenLines`."""
    loading: strawberry.Private[asyncio.Future[Page[Any]] | None] = None

    @staticmethod
    def planned_by(planner: FieldPlanner, kind: GraphQLObjectType, selected: GroupedFieldSet) -> Step:
        """Plan connections: a page is loaded once for all fields that ask for it, and as written where that is enough."""
        return _connection_step(planner, kind, selected)

    def page(self) -> asyncio.Future[Page[Any]]:
        """Load the page once for all fields that ask for it."""
        if self.loading is None:
            self.loading = asyncio.ensure_future(self.load())
        return self.loading

    def write(self, selection: LineSelection) -> None:
        """Have the page loaded as written, if it can be, for who asks for nothing but these members of its nodes."""
        if self.load_written is not None:
            self.loading = asyncio.ensure_future(self.load_written(selection))

    def nodes_of(self, items: Sequence[Any]) -> Sequence[Any] | JsonFragment:
        return JsonFragment(items.json) if isinstance(items, WrittenLines) else self.to_nodes(items)

    def edges_of(self, items: Sequence[Any]) -> Rows:
        return EdgeRows(self, items)

    @strawberry.field(description="The items of the page with their cursors.")
    async def edges(self) -> list[Edge[NodeType]]:
        return list(self.edges_of((await self.page()).items))

    @strawberry.field(description="The items of the page.")
    async def nodes(self) -> list[NodeType]:
        return list(self.to_nodes((await self.page()).items))

    @strawberry.field(description="Where the page lies in the list.")
    async def page_info(self) -> PageInfo:
        page = await self.page()
        return PageInfo(
            has_next_page=page.has_next,
            has_previous_page=page.has_previous,
            start_cursor=self.to_cursor(page.items[0]) if page.items else None,
            end_cursor=self._end_cursor(page),
            looked_back_to=self._looked_back_to(page),
        )

    def _looked_back_to(self, page: Page[Any]) -> datetime | None:
        if self.to_time is None or not page.has_next:
            return None
        if page.scanned_to is not None:
            return self.to_time(page.scanned_to)
        return page.items[-1].recorded_at if page.items else None

    def _end_cursor(self, page: Page[Any]) -> str | None:
        if page.scanned_to is not None and self.to_stop is not None:
            return self.to_stop(page.scanned_to)
        return self.to_cursor(page.items[-1]) if page.items else None

    @strawberry.field(
        description="How many items the whole list has, whatever the page. Of lines see also Job.logsPrunedBefore."
    )
    async def total_count(self) -> BigInt:
        return BigInt(await self.count())


class EdgeRows(Rows):
    """The edges of a page."""

    def __init__(self, connection: Connection[Any], items: Sequence[Any]) -> None:
        self._cursors = list(map(connection.to_cursor, items))
        self._nodes = connection.to_nodes(items)

    def __len__(self) -> int:
        return len(self._cursors)

    def make(self) -> Sequence[Edge[Any]]:
        return [Edge(cursor=cursor, node=node) for cursor, node in zip(self._cursors, self._nodes, strict=True)]

    columns: ClassVar = {"cursor": attrgetter("_cursors"), "node": attrgetter("_nodes")}


class FieldPlanner(Protocol):
    """Plans the fields within."""

    def subfields(self, kind: GraphQLObjectType, fields: FieldDetailsList) -> GroupedFieldSet: ...

    def field(self, parent: GraphQLObjectType, fields: FieldDetailsList) -> Step: ...

    def value(self, kind: GraphQLOutputType, fields: FieldDetailsList) -> Step: ...

    def reader(self, found: GraphQLField, fields: FieldDetailsList) -> Reader: ...


def _connection_step(planner: FieldPlanner, kind: GraphQLObjectType, selected: GroupedFieldSet) -> Step:
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


def _line_selection(planner: FieldPlanner, kind: GraphQLObjectType, selected: GroupedFieldSet) -> LineSelection | None:
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


def _column(planner: FieldPlanner, kind: GraphQLObjectType, fields: FieldDetailsList) -> Step:
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
