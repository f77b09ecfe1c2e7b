"""The page budget: the bytes that all pages of lines of one operation hold together, at whatever level."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from sys import getsizeof
from typing import Any, TypeVar

from domain.errors import TooComplex
from domain.executions import ExecutionLine
from domain.memory import memory_of
from domain.pages import MAX_PAGE_BYTES, Page
from domain.requests import ExecutionLogPageRequest, LogPageRequest, NewestLogRequest
from domain.written_lines import WrittenLines

MAX_OPERATION_BYTES = 4 * MAX_PAGE_BYTES

Item = TypeVar("Item")
Request = TypeVar("Request", LogPageRequest, ExecutionLogPageRequest, NewestLogRequest)


class PageBudget:
    """What an operation may still load.

    Pages that are asked for together share half of it, and end early where they are larger than their share: so there is
    something left for pages further inside. A line that is larger than its page's share alone is loaded by itself.
    """

    def __init__(self, most: int = MAX_OPERATION_BYTES) -> None:
        self._most = self._left = most
        self._held: list[tuple[Page[Any], int]] = []
        """Pages that were not measured yet, which takes time, and what is reserved for each."""

    async def pages(
        self, requests: list[Request], load: Callable[[list[Request]], Awaitable[Sequence[Page[Item]]]]
    ) -> list[Page[Item]]:
        """Load pages. One that nothing was loaded before may hold a line of any size.

        Raises:
            TooComplex: if what each page begins with is too much together.
        """
        self._measure()
        is_alone = len(requests) == 1 and self._left == self._most
        share = min(MAX_PAGE_BYTES, self._left // (2 * len(requests)))
        self._left -= share * len(requests)
        asked = requests if is_alone else [_within(share, request) for request in requests]
        pages = list(await load(asked))
        self._held += [(page, share) for page in pages]
        for place, request in enumerate(asked):
            if _begins_too_large(request, pages[place]):
                pages[place] = await self._first_line(request, load)
        return pages

    async def _first_line(
        self, request: Request, load: Callable[[list[Request]], Awaitable[Sequence[Page[Item]]]]
    ) -> Page[Item]:
        self._measure()
        (page,) = await load([replace(request, max_bytes=1, may_be_empty=False)])
        size = _size(page)
        if size > self._left:
            raise TooComplex(
                f"the query asks for lines of more than {self._most:,} bytes, the most that the pages of one may hold "
                f"together: a line of {size:,} bytes is {size - self._left:,} too many; ask for fewer pages at a time, or "
                "for the page that begins with it alone"
            )
        self._left -= size
        return page

    def _measure(self) -> None:
        """Give back what was reserved and is not taken."""
        self._left += sum(reserved - _size(page) for page, reserved in self._held)
        self._held = []


def _within(share: int, request: Request) -> Request:
    return replace(request, max_bytes=min(share, request.max_bytes), may_be_empty=True)


def _begins_too_large(request: LogPageRequest | ExecutionLogPageRequest | NewestLogRequest, page: Page[Any]) -> bool:
    """Tell whether a page holds no line because the first one is larger than its share."""
    if page.items or page.scanned_to is not None:
        return False
    is_backward = not isinstance(request, NewestLogRequest) and request.window.backward
    return page.has_previous if is_backward else page.has_next


def _size(page: Page[Any]) -> int:
    """Tell about how much memory the texts of lines take."""
    if isinstance(page.items, WrittenLines):
        return sum(getsizeof(line.json) for line in page.items)
    lines = (item.log if isinstance(item, ExecutionLine) else item for item in page.items)
    return sum(getsizeof(line.message) + (memory_of(line.metadata) if line.metadata else 0) for line in lines)


_current: ContextVar[PageBudget | None] = ContextVar("room", default=None)


@contextmanager
def one_budget() -> Iterator[None]:
    """Let all pages within share one room."""
    token = _current.set(PageBudget())
    try:
        yield
    finally:
        _current.reset(token)


def current_room() -> PageBudget:
    """Give the room of the operation. What a subscription loads for an event has one of its own."""
    return _current.get() or PageBudget()
