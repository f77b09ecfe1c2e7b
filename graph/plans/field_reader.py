"""The reader of a field from all objects of a level."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from strawberry.types.field import StrawberryField

from graph.plans.column_executor import Values
from graph.plans.column_rows import Rows
from graph.plans.planned_info import PlannedInfo, Selected
from graph.plans.steps import PlannedRequest
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
    def is_attribute(self) -> bool:
        return self.field.base_resolver is None

    def arguments(self, run: PlannedRequest) -> Mapping[str, Any]:
        if self.constants is not None:
            return self.constants
        known = run.arguments.get(id(self))
        if known is None:
            known = run.arguments[id(self)] = self.made_arguments.of(run.variables)
        return known

    def column(self, run: PlannedRequest, rows: Values | Rows) -> Any:
        """Ask rows for the field at once, None if they cannot tell."""
        if not isinstance(rows, Rows):
            return None
        column = rows.columns.get(self.field.python_name)
        return None if column is None else column(rows, **self._asked(run))

    def read(self, run: PlannedRequest, rows: Iterable[Any]) -> list[Any]:
        function = self.function
        if self.is_attribute:
            return list(map(function, rows))
        arguments = self._asked(run)
        if self.parent_name is not None:
            return [function(**arguments, **{self.parent_name: row}) for row in rows]
        return [function(row, **arguments) for row in rows] if arguments else list(map(function, rows))

    def _asked(self, run: PlannedRequest) -> Mapping[str, Any]:
        arguments = self.arguments(run)
        if self.info_name is None:
            return arguments
        return {**arguments, self.info_name: PlannedInfo(run.context, run.root_value, self.selected)}
