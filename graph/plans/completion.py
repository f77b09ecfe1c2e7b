"""`Completion`: what answers the values of a scalar or an enum, all values of a level at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from types import NoneType
from typing import Any

from graphql import GraphQLEnumType, GraphQLLeafType

from graph.formats.scalars import write_times
from graph.plans.columns import Failed, Values
from graph.plans.steps import PlannedRequest, absent_or_failed

SENT_AS_IT_IS: Mapping[str, frozenset[type]] = {
    "String": frozenset({str}),
    "ID": frozenset({str}),
    "Boolean": frozenset({bool}),
    "BigInt": frozenset({int}),
    "JSON": frozenset({dict, list, str, int, float, bool}),
}
"""Of each scalar, the exact classes whose values its `serialize` gives back unchanged."""


@dataclass(frozen=True, slots=True)
class Completion:
    """Makes the completed values of one field of what the rows have there, in the order of the rows."""

    classes: frozenset[type]
    """The exact classes that tell all that graphql-core looks for in each value; of others it is found out one by one."""
    complete: Callable[[Values], Values] | None
    """None where values are sent as they are."""
    coerce: Callable[[Any], Any]
    is_nullable: bool

    def __call__(self, run: PlannedRequest, values: Values) -> Values:
        classes = set(map(type, values))
        if classes <= self.classes:
            return self._complete(run, values)
        if self.is_nullable and classes - {NoneType} <= self.classes:
            completed = iter(self._complete(run, [value for value in values if value is not None]))
            return [None if value is None else next(completed) for value in values]
        return [self._one(run, value) for value in values]

    def _complete(self, run: PlannedRequest, values: Values) -> Values:
        if self.complete is None:
            return values
        try:
            return self.complete(values)
        except Exception:  # noqa: BLE001 - it is found out of which value
            return [self._one(run, value) for value in values]

    def _one(self, run: PlannedRequest, value: Any) -> Any:
        if value is None or isinstance(value, Exception | Failed):
            return absent_or_failed(run, value, is_nullable=self.is_nullable)
        try:
            completed = self.coerce(value)
        except Exception as error:  # noqa: BLE001 - it is told where the value would be
            return run.fail(error)
        return run.fail(TypeError("a value became null")) if completed is None else completed


@cache
def leaf_completion(kind: GraphQLLeafType, *, is_nullable: bool) -> Completion:
    coerce: Callable[[Any], Any] = kind.coerce_output_value
    if isinstance(kind, GraphQLEnumType):
        enum = kind.wrapped_cls  # type: ignore[attr-defined]  # Strawberry's enum types have it
        names = {member: coerce(member) for member in enum}
        return Completion(frozenset({enum}), lambda values: [names[value] for value in values], coerce, is_nullable)
    if kind.name in SENT_AS_IT_IS:
        return Completion(SENT_AS_IT_IS[kind.name], None, coerce, is_nullable)
    if kind.name == "DateTime":
        return Completion(frozenset({datetime}), write_times, coerce, is_nullable)
    return Completion(frozenset(), None, coerce, is_nullable)
