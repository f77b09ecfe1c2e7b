"""The steps that a plan consists of: each answers all values of a level at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from types import NoneType
from typing import Any, TypeAlias, cast

from graphql.execution.values import VariableValues

from graph.plans.column_executor import Values, require
from graph.plans.column_rows import Lists, Rows


class PlannedRequest:
    """One request that follows a plan."""

    def __init__(self, variables: VariableValues, context: Any, root_value: Any) -> None:
        self.variables = variables
        self.context = context
        self.root_value = root_value
        self.arguments: dict[int, Mapping[str, Any]] = {}

    @cached_property
    def key(self) -> str:
        """What answers depend on beside the plan and what is asked."""
        return repr(self.variables.coerced)


Make: TypeAlias = Callable[[PlannedRequest, Any], Any]
"""Makes of all values of a level, a sequence or `Rows`, what is answered for them in their order."""


@dataclass(frozen=True, slots=True)
class Step:
    make: Make
    is_async: bool
    """Whether it gives a coroutine."""


async def together(awaitables: Sequence[Awaitable[Any]]) -> Sequence[Any]:
    """Await everything, so that nothing is left behind when one of it fails."""
    if len(awaitables) <= 1:
        return [await each for each in awaitables]
    if all(isinstance(each, asyncio.Future) for each in awaitables):
        if not all(each.done() for each in cast("Sequence[asyncio.Future[Any]]", awaitables)):
            await asyncio.wait(cast("Sequence[asyncio.Future[Any]]", awaitables))
        return [each.result() for each in cast("Sequence[asyncio.Future[Any]]", awaitables)]
    results = await asyncio.gather(*awaitables, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


def divided(values: Values, lengths: Sequence[int]) -> list[list[Any]]:
    """Divide the values of a level among the lists that they come from."""
    if len(lengths) == 1:
        return [values if type(values) is list else list(values)]
    left = iter(values)
    return [list(islice(left, length)) for length in lengths]


def of_classes(classes: frozenset[type], inner: Step, *, is_nullable: bool) -> Step:
    """Let pass values of the exact classes only, and null where the field may be null."""

    def present(values: Values) -> Values | None:
        """Tell which values there are, if some are null."""
        if isinstance(values, Rows):
            require(values.kind in classes)
            return None
        found = set(map(type, values))
        has_null = is_nullable and NoneType in found
        require(found - {NoneType} <= classes if has_null else found <= classes)
        return [value for value in values if value is not None] if has_null else None

    def filled(values: Values, completed: Values) -> Values:
        left = iter(completed)
        return [None if value is None else next(left) for value in values]

    def make(run: PlannedRequest, values: Values) -> Values:
        there = present(values)
        return inner.make(run, values) if there is None else filled(values, inner.make(run, there))

    async def make_later(run: PlannedRequest, values: Values) -> Values:
        there = present(values)
        return await inner.make(run, values) if there is None else filled(values, await inner.make(run, there))

    return Step(make_later, is_async=True) if inner.is_async else Step(make, is_async=False)


def of_lists(inner: Step, *, is_nullable: bool) -> Step:
    """Answer the items of all lists as one."""
    plain = of_classes(frozenset({list}), _of_plain_lists(inner), is_nullable=is_nullable)
    in_rows = _once(inner)

    def make(run: PlannedRequest, lists: Values | Lists) -> Values:
        found = _rows_of(lists)
        if found is None:
            completed: Values = plain.make(run, _listed(lists))
            return completed
        items = in_rows.make(run, found.rows)
        return [items[part] for part in found.parts]

    async def make_later(run: PlannedRequest, lists: Values | Lists) -> Values:
        found = _rows_of(lists)
        if found is None:
            completed: Values = await plain.make(run, _listed(lists))
            return completed
        items = await in_rows.make(run, found.rows)
        return [items[part] for part in found.parts]

    return Step(make_later, is_async=True) if inner.is_async else Step(make, is_async=False)


def _rows_of(lists: Values | Lists) -> Lists | None:
    if isinstance(lists, Lists):
        return lists
    return Lists(lists[0], [slice(None)]) if len(lists) == 1 and isinstance(lists[0], Rows) else None


def _listed(lists: Values | Lists) -> Values:
    return [list(each) if isinstance(each, Rows) else each for each in lists]


def _once(inner: Step) -> Step:
    """Answer what several requests share once for those that ask for the same."""

    def make(run: PlannedRequest, rows: Rows) -> Any:
        completed, key = rows.completed, (inner, run.key)
        if completed is None:
            return inner.make(run, rows)
        if key not in completed:
            completed[key] = inner.make(run, rows)
        return completed[key]

    async def make_later(run: PlannedRequest, rows: Rows) -> Any:
        completed, key = rows.completed, (inner, run.key)
        if completed is None:
            return await inner.make(run, rows)
        if key not in completed:
            completed[key] = await inner.make(run, rows)
        return completed[key]

    return Step(make_later, is_async=True) if inner.is_async else Step(make, is_async=False)


def _of_plain_lists(inner: Step) -> Step:
    def make(run: PlannedRequest, lists: Values) -> Values:
        return divided(inner.make(run, list(chain.from_iterable(lists))), list(map(len, lists)))

    async def make_later(run: PlannedRequest, lists: Values) -> Values:
        return divided(await inner.make(run, list(chain.from_iterable(lists))), list(map(len, lists)))

    return Step(make_later, is_async=True) if inner.is_async else Step(make, is_async=False)


def objects_of(keys: Sequence[str]) -> Callable[[Sequence[Values]], Values]:
    """Make what makes objects with these keys of the columns of their values.

    Its text names the keys, as a named tuple's class does: a display takes a third of the time of `dict(zip(...))`.
    """
    require(keys)  # objects without any field are graphql-core's
    names = [f"value_{place}" for place in range(len(keys))]
    display = ", ".join(f"{key!r}: {name}" for key, name in zip(keys, names, strict=True))
    made: Callable[[Sequence[Values]], Values] = eval(  # noqa: S307 - the keys are names by GraphQL's grammar, and quoted
        f"lambda columns: [{{{display}}} for {', '.join(names)}, in zip(*columns, strict=True)]", {"zip": zip}
    )
    return made


def of_objects(keys: Sequence[str], columns: Sequence[Step]) -> Step:
    """Answer each object with what its fields are answered with."""
    later, objects = [place for place, column in enumerate(columns) if column.is_async], objects_of(keys)

    def make(run: PlannedRequest, rows: Values | Rows) -> Values:
        return objects([column.make(run, rows) for column in columns])

    async def make_later(run: PlannedRequest, rows: Values | Rows) -> Values:
        if not rows:
            return []
        completed: list[Any] = [None if column.is_async else column.make(run, rows) for column in columns]
        awaited = await together([columns[place].make(run, rows) for place in later])
        for place, values in zip(later, awaited, strict=True):
            completed[place] = values
        return objects(completed)

    return Step(make_later, is_async=True) if later else Step(make, is_async=False)
