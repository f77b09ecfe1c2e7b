"""`Reader`: how the objects of a level are asked for a field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from strawberry.types.field import StrawberryField

from graph.plans.columns import Rows, Values
from graph.plans.info import PlannedInfo, Selected
from graph.plans.steps import PlannedRequest, together
from graph.plans.variables import FieldArguments


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

    def _column(self, rows: Values, asked: Mapping[str, Any]) -> Any:
        try:
            return rows.column(self.field.python_name, **asked) if isinstance(rows, Rows) else None
        except Exception:  # noqa: BLE001 - it is found out of which row
            return None

    def _each(self, run: PlannedRequest, rows: Values, asked: Mapping[str, Any]) -> list[Any]:
        values: list[Any] = []
        left = map(self._function(asked), rows)
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
