"""The objects of one level of an answer, of which a field is answered for all at once.

They are what a resolver gives in place of a list. A plan asks them by column; who looks at one by one gets objects.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, NamedTuple


class Rows:
    """Objects of one type."""

    kind: ClassVar[type]
    """The type's class."""
    columns: ClassVar[Mapping[str, Callable[..., Any]]]
    """Of some fields, by their names in Python, what makes their values of the rows and the field's arguments: a sequence, or
    `Rows` of objects, or `Lists` of them."""

    completed: dict[Hashable, Any] | None = None
    """What they were answered with, by what was asked for, where several requests share them."""

    @abstractmethod
    def __len__(self) -> int:
        """Count them."""

    @abstractmethod
    def make(self) -> Sequence[Any]:
        """Make the objects."""

    @cached_property
    def objects(self) -> Sequence[Any]:
        return self.make()

    def __iter__(self) -> Iterator[Any]:
        return iter(self.objects)


class Lists(NamedTuple):
    """A list for each of several objects, all in one."""

    rows: Rows
    parts: Sequence[slice]
    """Where each list is among the rows."""
