"""Relay's nodes, and connections over pages of the domain. What is not asked for is not loaded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Generic, TypeAlias, TypeVar

import strawberry

from domain.pages import Columnar, Page
from domain.written_lines import Members
from graph.formats.scalars import BigInt

NodeType = TypeVar("NodeType")

Columns: TypeAlias = Mapping[str, Callable[[Sequence[Any]], Sequence[Any]]]
"""Of fields of a node, what makes their values of many items, without a node of each. Arguments leave them to the node."""


def column(name: str) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """Read an attribute of many items, from a sequence that keeps it as a column if it is such a one."""
    read = attrgetter(name)

    def values(items: Sequence[Any]) -> Sequence[Any]:
        return items.column(name) if isinstance(items, Columnar) else list(map(read, items))

    return values


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
    to_node: strawberry.Private[Callable[[Any], Any]]
    to_cursor: strawberry.Private[Callable[[Any], str]]
    columns: strawberry.Private[Columns | None] = None
    to_stop: strawberry.Private[Callable[[Any], str] | None] = None
    """Makes a cursor of the place up to which a page was looked for, if it may end before the list does."""
    load_written: strawberry.Private[Callable[[Members], Awaitable[Page[Any]]] | None] = None
    """Loads a page whose items may be `WrittenLines`."""
    loading: strawberry.Private[asyncio.Future[Page[Any]] | None] = None

    def page(self) -> Awaitable[Page[Any]]:
        """Load the page once for all fields that ask for it."""
        if self.loading is None:
            self.loading = asyncio.ensure_future(self.load())
        return self.loading

    def write(self, members: Members) -> None:
        """Have the page loaded as written, if it can be, for who asks for nothing but these members of its nodes."""
        if self.load_written is not None and self.columns and all(name in self.columns for _, name in members):
            self.loading = asyncio.ensure_future(self.load_written(members))

    @strawberry.field(description="The items of the page with their cursors.")
    async def edges(self) -> list[Edge[NodeType]]:
        page = await self.page()
        return [Edge(cursor=self.to_cursor(item), node=self.to_node(item)) for item in page.items]

    @strawberry.field(description="The items of the page.")
    async def nodes(self) -> list[NodeType]:
        page = await self.page()
        return [self.to_node(item) for item in page.items]

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
