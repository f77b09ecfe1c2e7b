"""The watch over operations: what observers learn of one, and the observers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Protocol, Self

from graphql import FieldNode, OperationDefinitionNode

SEVERAL = "several"


@dataclass(frozen=True, slots=True)
class OperationName:
    """An operation without anything of its values."""

    type: str
    field: str
    """Its root field or, of more than one, `several`: there are no more of them than the schema has."""
    name: str | None
    """What the client calls it, which may be anything."""

    @classmethod
    def of(cls, operation: OperationDefinitionNode) -> Self:
        roots = operation.selection_set.selections
        fields = {root.name.value if isinstance(root, FieldNode) else SEVERAL for root in roots}
        (field,) = fields if len(fields) == 1 else {SEVERAL}
        return cls(operation.operation.value, field, operation.name.value if operation.name else None)


class OperationObserver(Protocol):
    """Is told of operations."""

    def operation(self, operation: OperationName) -> AbstractContextManager[object]:
        """Is entered for as long as a query or a mutation is executed."""

    def unplanned(self, reason: str) -> None:
        """Hears why graphql-core answers an operation instead of a plan: one of few reasons."""

    def failed(self, codes: Iterable[str]) -> None:
        """Hears of the errors of an operation, within its context where it came to its execution."""


class Unobserved:
    """Tells nobody."""

    def operation(self, operation: OperationName) -> AbstractContextManager[object]:
        del operation
        return nullcontext()

    def unplanned(self, reason: str) -> None:
        del reason

    def failed(self, codes: Iterable[str]) -> None:
        del codes


UNWATCHED = Unobserved()


class OperationObservers:
    """Tells several."""

    def __init__(self, *watches: OperationObserver) -> None:
        self._watches = watches

    @contextmanager
    def operation(self, operation: OperationName) -> Iterator[None]:
        with ExitStack() as stack:
            for watch in self._watches:
                stack.enter_context(watch.operation(operation))
            yield

    def unplanned(self, reason: str) -> None:
        for watch in self._watches:
            watch.unplanned(reason)

    def failed(self, codes: Iterable[str]) -> None:
        codes = list(codes)
        for watch in self._watches:
            watch.failed(codes)
