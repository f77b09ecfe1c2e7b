"""The info that a plan hands to a resolver: the request, and the selection below the field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import strawberry

from graph.plans.column_executor import NotPlainError

Selected: TypeAlias = Mapping[str, "Selected"]
"""Names of fields as the schema has them, each with those below it."""
NOTHING: Selected = {}


class PlannedInfo(strawberry.Info[Any, Any]):
    """Satisfies resolvers. An operation whose resolver wants to know more is graphql-core's."""

    def __init__(self, context: Any, root_value: Any, selected: Selected) -> None:
        self._context, self._root_value, self.selected = context, root_value, selected

    @property
    def context(self) -> Any:
        return self._context

    @property
    def root_value(self) -> Any:
        return self._root_value

    def __getattr__(self, name: str) -> Any:
        raise NotPlainError


def selected_below(info: Any) -> Selected:
    """Tell what is selected below a field, as far as it is known beforehand: what is loaded together may go by it."""
    return info.selected if isinstance(info, PlannedInfo) else NOTHING


PAGE_FIELDS = frozenset({"nodes", "edges", "pageInfo"})
"""The fields of a connection that its page is loaded for."""


def asks_for_page(selected: Selected) -> bool:
    """Tell whether a page of its lines is all that is asked of something: they tell whether it is there."""
    return selected.keys() == {"logs"} and bool(selected["logs"].keys() & PAGE_FIELDS)
