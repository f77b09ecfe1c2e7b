"""`Reader`: how the objects of a level are asked for a field, and what a resolver learns of its request then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import strawberry
from strawberry.types.field import StrawberryField

from graph.plans.columns import Rows, Values
from graph.plans.steps import PlannedRequest, Step, together
from graph.plans.variables import FieldArguments

Selected: TypeAlias = tuple[tuple[str, "Selected"], ...]
"""Names of fields as the schema has them, each with those below it; a field that is asked for twice is there twice."""
NOTHING: Selected = ()


class PlannedInfo(strawberry.Info[Any, Any]):
    """Satisfies the resolvers of this schema, which ask for nothing else."""

    def __init__(self, context: Any, root_value: Any, selected: Selected) -> None:
        self._context, self._root_value, self.selected = context, root_value, selected

    @property
    def context(self) -> Any:
        return self._context

    @property
    def root_value(self) -> Any:
        return self._root_value


def selected_below(info: Any) -> Selected:
    """Tell what is selected below a field, as far as it is known beforehand: what is loaded together may go by it."""
    return info.selected if isinstance(info, PlannedInfo) else NOTHING


PAGE_FIELDS = frozenset({"nodes", "edges", "pageInfo"})
"""The fields of a connection that its page is loaded for."""


def asks_for_pages(selected: Selected) -> bool:
    """Tell whether pages of lines are all that is asked of a job and its stages: each tells whether they are there."""
    return bool(selected) and all(
        any(field in PAGE_FIELDS for field, _ in below) if name == "logs" else name == "stage" and asks_for_pages(below)
        for name, below in selected
    )


@dataclass(frozen=True, slots=True)
class Reader:
    """Asks the objects of a level for a field, as Strawberry's resolver of the field would."""

    field: StrawberryField
    function: Callable[..., Any]
    constants: Mapping[str, Any] | None
    """The arguments, where no variable is among them."""
    made_arguments: FieldArguments
    parent_name: str | None
    info_name: str | None
    selected: Selected

    @property
    def is_async(self) -> bool:
        return self.field.is_async

    @property
    def takes_nothing(self) -> bool:
        """Whether the field is asked for without any argument."""
        return self.constants is not None and not self.constants

    def read(self, run: PlannedRequest, rows: Values) -> Values:
        """Give the field of all rows at once where they know it so, or else of one after the other."""
        try:
            asked = self._asked(run)
        except Exception as error:  # noqa: BLE001 - every row is asked in vain
            return [run.fail(error) for _ in rows]
        column = None if type(rows) is list else self._column(rows, asked)
        return self._each(run, rows, asked) if column is None else column

    async def read_later(self, run: PlannedRequest, rows: Values) -> Values:
        values = self.read(run, rows)
        return await together(run, values) if type(values) is list else values

    def then(self, value: Step) -> Step:
        """Plan the field, of which `value` answers the values."""
        if not (self.is_async or value.is_async):
            return Step(lambda run, rows: value.make(run, self.read(run, rows)), is_async=False)

        async def make(run: PlannedRequest, rows: Values) -> Values:
            values = await self.read_later(run, rows) if self.is_async else self.read(run, rows)
            made: Any = value.make(run, values)
            completed: Values = await made if value.is_async else made
            return completed

        return Step(make, is_async=True)

    def _column(self, rows: Values, asked: Mapping[str, Any]) -> Any:
        try:
            return rows.column(self.field.python_name, **asked) if isinstance(rows, Rows) else None
        except Exception:  # noqa: BLE001 - it is found out of which row
            return None

    def _each(self, run: PlannedRequest, rows: Values, asked: Mapping[str, Any]) -> list[Any]:
        values: list[Any] = []
        try:
            left = map(self._function(asked), rows)
        except Exception as error:  # noqa: BLE001 - what is not in columns cannot be made
            return [run.fail(error) for _ in range(len(rows))]
        while True:
            try:
                values.extend(left)
            except Exception as error:  # noqa: BLE001 - it is told where the value would be
                values.append(run.fail(error))
            else:
                return values

    def _function(self, asked: Mapping[str, Any]) -> Callable[[Any], Any]:
        function, name = self.function, self.parent_name
        if name is not None:
            return lambda row: function(**{name: row}, **asked)
        return partial(_with, function, asked) if asked else function

    def _asked(self, run: PlannedRequest) -> Mapping[str, Any]:
        arguments = run.arguments.get(id(self)) if self.constants is None else self.constants
        if arguments is None:
            arguments = run.arguments[id(self)] = self.made_arguments.of(run.variables)
        if self.info_name is None:
            return arguments
        return {**arguments, self.info_name: PlannedInfo(run.context, run.root_value, self.selected)}


def _with(function: Callable[..., Any], asked: Mapping[str, Any], row: Any) -> Any:
    return function(row, **asked)
