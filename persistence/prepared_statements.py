"""Statements that Core makes once for each form of a question; the driver keeps them prepared and runs them by values.

To build and compile a statement takes longer than to run it, so a store asks for its statement by form, which is what
the text depends on, and gives the values by name. A value never becomes a part of the text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from asyncpg import Record
from sqlalchemy import RowMapping, Select
from sqlalchemy.dialects.postgresql import asyncpg

Named: TypeAlias = Record | RowMapping
"""A row whose values are asked for by the names of its columns, from the driver or from SQLAlchemy."""

_DIALECT = asyncpg.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy says nothing of its types


@dataclass(frozen=True, slots=True)
class Statement:
    """A text with $1, $2 ..., and where their values come from."""

    text: str
    names: tuple[str, ...]
    constants: Mapping[str, Any]
    """What the statement binds itself."""
    writers: Mapping[str, Callable[[Any], Any]]
    """Makes of a value what the driver takes for it."""

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """List the values in the order of the text. Those that the statement does not ask for are left out."""
        given = list(map(({**self.constants, **values} if self.constants else values).__getitem__, self.names))
        if not self.writers:
            return given
        return [
            self.writers[name](value) if name in self.writers else value
            for name, value in zip(self.names, given, strict=True)
        ]


def compiled(query: Select[Any]) -> Statement:
    """Compile a query whose changing values are named by `bindparam`."""
    made = query.compile(dialect=_DIALECT)
    names = tuple(made.positiontup or ())
    writers: dict[str, Any] = {name: made._bind_processors[name] for name in names if name in made._bind_processors}  # noqa: SLF001 - what SQLAlchemy itself applies
    return Statement(made.string, names, made.params, writers)
