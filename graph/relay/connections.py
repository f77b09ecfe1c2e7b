"""`Connection`: Relay's pages over those of the domain, with what they are made of. What is not asked for is not loaded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar, Generic, TypeVar

import strawberry

from domain.pages import Page
from domain.written_lines import LineSelection, WrittenLines
from graph.formats.json_fragment import Encoded
from graph.formats.scalars import BigInt
from graph.plans.columns import Rows
from graph.plans.connections import connection_step

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
    load_written: strawberry.Private[Callable[[LineSelection], Awaitable[Page[Any]]] | None] = None
    """Loads a page whose items may be `WrittenLines`."""
    loading: strawberry.Private[asyncio.Future[Page[Any]] | None] = None

    planned_by: ClassVar = staticmethod(connection_step)

    def page(self) -> asyncio.Future[Page[Any]]:
        """Load the page once for all fields that ask for it."""
        if self.loading is None:
            self.loading = asyncio.ensure_future(self.load())
        return self.loading

    def write(self, selection: LineSelection) -> None:
        """Have the page loaded as written, if it can be, for who asks for nothing but these members of its nodes."""
        if self.load_written is not None:
            self.loading = asyncio.ensure_future(self.load_written(selection))

    def nodes_of(self, items: Sequence[Any]) -> Sequence[Any] | Encoded:
        return Encoded(items.json) if isinstance(items, WrittenLines) else self.to_nodes(items)

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
        )

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
        self._connection = connection
        self._items = items
        self._shown = connection.to_nodes(items)

    def __len__(self) -> int:
        return len(self._items)

    def make(self) -> Sequence[Edge[Any]]:
        return [Edge(cursor=cursor, node=node) for cursor, node in zip(self._cursors(), self._shown, strict=True)]

    def _cursors(self) -> Sequence[str]:
        return list(map(self._connection.to_cursor, self._items))

    def _nodes(self) -> Sequence[Any]:
        return self._shown

    columns: ClassVar = {"cursor": _cursors, "node": _nodes}
