"""Pages by keyset, in both directions, as Relay's connections ask for them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from domain.errors import InvalidInput

MAX_PAGE_SIZE = 1000
DEFAULT_PAGE_SIZE = 100
MAX_PAGE_BYTES = 16 * 1024 * 1024
"""A page of lines ends early where they are larger than this together; it holds one line at least."""

Item = TypeVar("Item")
Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class Window(Generic[Key]):
    """At most `limit` items between two keys, both exclusive: the first ones, or with `backward` the last ones.

    Items come in the order of the list in both cases.
    """

    limit: int
    after: Key | None = None
    before: Key | None = None
    backward: bool = False


class Columnar(Sequence[Item]):
    """Items that are made when somebody looks. Who wants one attribute of all gets it without any being made."""

    __slots__ = ()

    __hash__ = None  # type: ignore[assignment]  # as of a list, with which it may be equal

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    @abstractmethod
    def column(self, name: str) -> Sequence[Any]:
        """List the attribute of that name of all items."""


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    items: Sequence[Item]
    has_next: bool
    has_previous: bool
    scanned_to: Any = None
    """The key up to which was looked where that was not to the end: what comes next is looked for behind it."""


def window(
    *,
    first: int | None = None,
    after: Key | None = None,
    last: int | None = None,
    before: Key | None = None,
    default: int = DEFAULT_PAGE_SIZE,
) -> Window[Key]:
    """Read Relay's arguments.

    Raises:
        InvalidInput: for `first` together with `last`, and for a page size out of bounds.
    """
    if first is not None and last is not None:
        raise InvalidInput("give first or last, not both")
    for name, size in (("first", first), ("last", last)):
        if size is not None and not 0 <= size <= MAX_PAGE_SIZE:
            raise InvalidInput(f"{name} must be between 0 and {MAX_PAGE_SIZE}, not {size}")
    limit = first if first is not None else last if last is not None else default
    return Window(limit=limit, after=after, before=before, backward=last is not None)


def page_of(rows: Sequence[Item], asked: Window[Key], *, found: int | None = None) -> Page[Item]:
    """Make a page of up to `limit + 1` rows that were read in the direction of the window.

    On the side that was read from, whether there is more is known by that one row too many, or by how many rows were
    `found` before they were cut by size. On the other side there is something if the window had a bound there, since a
    cursor names an item that exists.
    """
    items = rows[: asked.limit]
    more = (len(rows) if found is None else found) > len(items)
    if asked.backward:
        return Page(items[::-1], has_next=asked.before is not None, has_previous=more)
    return Page(items, has_next=more, has_previous=asked.after is not None)


def joined(before: Page[Item], behind: Page[Item], size: int) -> Page[Item]:
    """Join what comes before a place and what comes behind it to a page of `size` items, half of them from either side.

    Where one side has fewer, the other has more.
    """
    earlier, later = list(before.items), list(behind.items)
    ahead = min(len(later), max(size - size // 2, size - len(earlier)))
    back = min(len(earlier), size - ahead)
    return Page(
        earlier[len(earlier) - back :] + later[:ahead],
        has_next=behind.has_next or ahead < len(later),
        has_previous=before.has_previous or back < len(earlier),
    )
