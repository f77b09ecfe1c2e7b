"""`PlannedInfo`: what a resolver learns of its request and of the selection below it, where a plan asks it."""

from __future__ import annotations

from typing import Any, TypeAlias

import strawberry

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
