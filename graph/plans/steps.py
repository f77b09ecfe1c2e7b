"""`Plan`, and the steps that it consists of: each answers all values of a level at once.

A value that cannot be had is a `Failed` in its place. Nothing else of the level is given up for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from typing import Any, TypeAlias, cast
from weakref import WeakKeyDictionary

from graphql import GraphQLError, GraphQLObjectType
from graphql.execution.collect_fields import GroupedFieldSet
from graphql.execution.values import VariableValues

from graph.formats.json_fragment import JsonFragment
from graph.plans.columns import Failed, Joined, Lists, Rows, Values
from graph.plans.settlement import Selections, Settlement


class PlannedRequest:
    """One request that follows a plan."""

    def __init__(self, variables: VariableValues, context: Any, root_value: Any) -> None:
        self.variables = variables
        self.context = context
        self.root_value = root_value
        self.arguments: dict[int, Mapping[str, Any]] = {}
        self.has_failed = False
        self.kinds: dict[int, GraphQLObjectType] = {}
        """By the identity of an answer to an interface, the type of its object."""

    def fail(self, error: Exception) -> Failed:
        self.has_failed = True
        return Failed(error)

    @cached_property
    def key(self) -> str:
        """What answers depend on beside the plan and what is asked."""
        return repr(self.variables.coerced)


Make: TypeAlias = Callable[[PlannedRequest, Any], Any]
"""Makes of all values of a level, a sequence or `Rows`, what is answered for them in their order."""
After: TypeAlias = Callable[[Values], Values]
_LISTS = (list, Rows)


@dataclass(frozen=True, slots=True)
class Step:
    make: Make
    is_async: bool
    """Whether it gives a coroutine."""

    def within(self, ask: Callable[[PlannedRequest, Any], tuple[Any, After | None]]) -> Step:
        """Let `ask` say what this step is asked for, and what is made of its answer."""

        def make(run: PlannedRequest, values: Any) -> Values:
            asked, after = ask(run, values)
            completed: Values = self.make(run, asked)
            return completed if after is None else after(completed)

        async def make_later(run: PlannedRequest, values: Any) -> Values:
            asked, after = ask(run, values)
            completed: Values = await self.make(run, asked)
            return completed if after is None else after(completed)

        return Step(make_later if self.is_async else make, self.is_async)


async def together(run: PlannedRequest, awaitables: Sequence[Awaitable[Any] | Failed]) -> Values:
    """Await everything, so that nothing is left behind when one of it fails."""
    if len(awaitables) == 1:
        (only,) = awaitables
        try:
            return [only if isinstance(only, Failed) else await only]
        except Exception as error:  # noqa: BLE001 - it is told where the value would be
            return [run.fail(error)]
    if run.has_failed:
        there = [each for each in awaitables if not isinstance(each, Failed)]
        left = iter(await _gathered(run, there))
        return [each if isinstance(each, Failed) else next(left) for each in awaitables]
    return await _gathered(run, cast("Sequence[Awaitable[Any]]", awaitables))


async def _gathered(run: PlannedRequest, awaitables: Sequence[Awaitable[Any]]) -> Values:
    if all(isinstance(each, asyncio.Future) for each in awaitables):
        futures = cast("Sequence[asyncio.Future[Any]]", awaitables)
        if not all(each.done() for each in futures):
            await asyncio.wait(futures)
        return [each.result() if each.exception() is None else _failed(run, each.exception()) for each in futures]
    results = await asyncio.gather(*awaitables, return_exceptions=True)
    return [_failed(run, each) if isinstance(each, BaseException) else each for each in results]


def _failed(run: PlannedRequest, error: BaseException | None) -> Failed:
    if isinstance(error, Exception):
        return run.fail(error)
    assert error is not None
    raise error


def absent_or_failed(run: PlannedRequest, value: Any, *, is_nullable: bool) -> Failed | None:
    """Answer for what is no value of its type."""
    if isinstance(value, Failed):
        return value
    if isinstance(value, Exception):
        return run.fail(value)
    if value is None and is_nullable:
        return None
    return run.fail(TypeError(f"{value!r} is not what the field may be"))


def divided(values: Values, lengths: Sequence[int]) -> list[list[Any]]:
    """Divide the values of a level among the lists that they come from."""
    if len(lengths) == 1:
        return [values if type(values) is list else list(values)]
    left = iter(values)
    return [list(islice(left, length)) for length in lengths]


def filled(shown: Values, classes: frozenset[type], completed: Values) -> Values:
    left = iter(completed)
    return [next(left) if type(each) in classes else each for each in shown]


def of_classes(classes: frozenset[type], inner: Step, *, is_nullable: bool) -> Step:
    """Answer the values of the exact classes; others are null where the field may be, or have failed."""

    def ask(run: PlannedRequest, values: Values) -> tuple[Values, After | None]:
        if set(map(type, values)) <= classes if type(values) is list else isinstance(values, Rows):
            return values, None
        shown = [
            each if type(each) in classes else absent_or_failed(run, each, is_nullable=is_nullable) for each in values
        ]
        there = [each for each in shown if type(each) in classes]
        return there, lambda completed: filled(shown, classes, completed)

    return inner.within(ask)


def of_kinds(kinds: Sequence[tuple[GraphQLObjectType, type, Step]], *, is_nullable: bool) -> Step:
    """Answer the objects of an interface, each as the type of its class."""
    classes = frozenset(each for _, each, _ in kinds)

    async def make(run: PlannedRequest, values: Values) -> Values:
        shown = list(values)
        for kind, own_class, step in kinds:
            places = [place for place, value in enumerate(values) if type(value) is own_class]
            made: Any = step.make(run, [values[place] for place in places])
            for place, answer in zip(places, await made if step.is_async else made, strict=True):
                shown[place] = answer
                run.kinds[id(answer)] = kind
        return [
            answer if type(value) in classes else absent_or_failed(run, value, is_nullable=is_nullable)
            for value, answer in zip(values, shown, strict=True)
        ]

    return Step(make, is_async=True)


def of_lists(inner: Step, *, is_nullable: bool) -> Step:
    """Answer the items of all lists as one."""
    shared = _once(inner)

    def ask(run: PlannedRequest, lists: Values | Lists) -> tuple[Any, After]:
        if isinstance(lists, Lists):
            return lists.rows, lambda items: [items[part] for part in lists.parts]
        there = [each for each in lists if isinstance(each, _LISTS)]
        items = _joined(there)
        if len(there) == len(lists):
            return items, lambda completed: divided(completed, list(map(len, there)))
        return items, lambda completed: _lists_filled(run, lists, divided(completed, list(map(len, there))))

    def _lists_filled(run: PlannedRequest, lists: Values, completed: Sequence[list[Any]]) -> Values:
        left = iter(completed)
        return [
            next(left)
            if isinstance(each, _LISTS)
            else each
            if isinstance(each, JsonFragment)
            else absent_or_failed(run, each, is_nullable=is_nullable)
            for each in lists
        ]

    return shared.within(ask)


def _joined(lists: Sequence[list[Any] | Rows]) -> Values:
    if len(lists) == 1:
        return lists[0]
    rows = [each for each in lists if isinstance(each, Rows)]
    return Joined(rows) if len(rows) == len(lists) and rows else list(chain.from_iterable(lists))


def _once(inner: Step) -> Step:
    """Answer what several requests share once for those that ask for the same, for as long as it is there."""
    answers: WeakKeyDictionary[Any, dict[str, Values]] = WeakKeyDictionary()

    def make(run: PlannedRequest, rows: Values) -> Values:
        completed: Values | None = _known(run, rows)
        return _kept(run, rows, inner.make(run, rows)) if completed is None else completed

    async def make_later(run: PlannedRequest, rows: Values) -> Values:
        completed = _known(run, rows)
        return _kept(run, rows, await inner.make(run, rows)) if completed is None else completed

    def _known(run: PlannedRequest, rows: Values) -> Values | None:
        if type(rows) is list or not isinstance(rows, Rows) or rows.shared is None:
            return None
        return answers.get(rows.shared, {}).get(run.key)

    def _kept(run: PlannedRequest, rows: Values, completed: Values) -> Values:
        if type(rows) is not list and isinstance(rows, Rows) and rows.shared is not None and not run.has_failed:
            answers.setdefault(rows.shared, {})[run.key] = completed
        return completed

    return Step(make_later if inner.is_async else make, inner.is_async)


def objects_of(keys: Sequence[str], columns: Sequence[Values], count: int) -> Values:
    """Make objects with these keys of the columns of their values."""
    if not keys:
        return [{} for _ in range(count)]
    return [dict(zip(keys, values, strict=False)) for values in zip(*columns, strict=True)]


def of_objects(keys: Sequence[str], columns: Sequence[Step]) -> Step:
    """Answer each object with what its fields are answered with."""
    later = [place for place, column in enumerate(columns) if column.is_async]

    def make(run: PlannedRequest, rows: Values) -> Values:
        if not rows:
            return []
        return objects_of(keys, [column.make(run, rows) for column in columns], len(rows))

    async def make_later(run: PlannedRequest, rows: Values) -> Values:
        if not rows:
            return []
        completed: list[Any] = [None if column.is_async else column.make(run, rows) for column in columns]
        made = [columns[place].make(run, rows) for place in later]
        for place, values in zip(later, await _all_of(made), strict=True):
            completed[place] = values
        return objects_of(keys, completed, len(rows))

    return Step(make_later if later else make, bool(later))


async def _all_of(made: Sequence[Awaitable[Values]]) -> Sequence[Values]:
    """Await the columns of a level. What fails in one is in its values; a defect ends all, once none goes on."""
    if len(made) == 1:
        return [await made[0]]
    results = await asyncio.gather(*made, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return cast("Sequence[Values]", results)


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Plan:
    """How a query, or each event of a subscription, is answered."""

    selections: Selections
    kind: GraphQLObjectType
    selected: GroupedFieldSet
    columns: Mapping[str, tuple[str, Step]]
    """Of an event, the field and the step of each key of its object."""
    step: Step

    async def answer(self, run: PlannedRequest) -> tuple[dict[str, Any] | None, list[GraphQLError]]:
        """Answer for a root value, or for an event."""
        made = self.step.make(run, [run.root_value])
        (data,) = await made if self.step.is_async else made
        if not run.has_failed:
            return data, []
        settlement = Settlement(self.selections, run.kinds)
        return settlement.of(self.kind, self.selected, data), settlement.errors
