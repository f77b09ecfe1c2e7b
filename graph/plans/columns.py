"""`Rows`: the objects of one level of an answer, of which a field is answered for all at once.

They are what a resolver gives in place of a list. A plan asks them by column; who looks at one by one gets objects.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import Any, ClassVar, NamedTuple, TypeAlias

from domain.pages import Columnar

Values: TypeAlias = Sequence[Any]


class Failed:
    """Stands where a value cannot be had."""

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error


class Rows(Columnar[Any]):
    """Objects of one type."""

    columns: ClassVar[Mapping[str, Callable[..., Any]]]
    """Of some fields, by their names in Python, what makes their values of the rows and the field's arguments: a sequence, or
    `Rows` of objects, or `Lists` of them."""

    shared: object = None
    """What they are made of, where several requests share it, and so what is answered of them."""

    @abstractmethod
    def __len__(self) -> int:
        """Count them."""

    @abstractmethod
    def make(self) -> Sequence[Any]:
        """Make the objects."""

    @cached_property
    def objects(self) -> Sequence[Any]:
        return self.make()

    def __getitem__(self, index: Any) -> Any:
        return self.objects[index]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.objects)

    def column(self, name: str, **arguments: Any) -> Any:
        """Answer a field of all objects, None where it is not known of them as rows."""
        column = self.columns.get(name)
        return None if column is None else column(self, **arguments)


class Joined(Rows):
    """The rows of several lists, of one kind, one behind the other."""

    def __init__(self, parts: Sequence[Rows]) -> None:
        self._parts = parts

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def make(self) -> Sequence[Any]:
        return list(chain.from_iterable(self._parts))

    def column(self, name: str, **arguments: Any) -> Any:
        columns = [part.column(name, **arguments) for part in self._parts]
        return None if any(type(each) is not list for each in columns) else list(chain.from_iterable(columns))


class Lists(NamedTuple):
    """A list for each of several objects, all in one."""

    rows: Rows
    parts: Sequence[slice]
    """Where each list is among the rows."""


def column_of(items: Sequence[Any], name: str) -> list[Any]:
    """Read an attribute of many items, from a sequence that keeps it as a column if it is such a one."""
    return list(items.column(name)) if isinstance(items, Columnar) else [getattr(item, name) for item in items]
