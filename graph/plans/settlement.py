"""`Settlement`: an answer in which values have failed, made what GraphQL says: null where that may be, and errors with paths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from graphql import (
    GraphQLError,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    get_named_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    located_error,
)
from graphql.execution.collect_fields import FieldDetailsList, GroupedFieldSet

from graph.formats.json_fragment import JsonFragment
from graph.plans.columns import Failed


class Absent(Exception):
    """What was asked for by its id alone is not there: the object of this type is null."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Selections(Protocol):
    """Tells what is selected."""

    @property
    def schema(self) -> GraphQLSchema: ...

    def subfields(self, kind: GraphQLObjectType, fields: FieldDetailsList) -> GroupedFieldSet: ...


class _NulledError(Exception):
    """A value that may not be null is, for this reason."""

    def __init__(self, reason: Absent | GraphQLError) -> None:
        super().__init__(reason)
        self.reason = reason


class Settlement:
    """Walks through an answer once, in the order of its fields."""

    def __init__(self, selections: Selections, kinds: Mapping[int, GraphQLObjectType]) -> None:
        self._selections = selections
        self._kinds = kinds
        self.errors: list[GraphQLError] = []

    def of(self, kind: GraphQLObjectType, selected: GroupedFieldSet, data: Any) -> dict[str, Any] | None:
        """Settle the data of an operation."""
        try:
            return self._object(kind, selected, data, [])
        except _NulledError as nulled:
            self._take(nulled.reason)
            return None

    def _object(
        self, kind: GraphQLObjectType, selected: GroupedFieldSet, made: dict[str, Any], path: list[str | int]
    ) -> dict[str, Any]:
        settled = {}
        for key, fields in selected.items():
            found = self._selections.schema.get_field(kind, fields[0].node.name.value)
            assert found is not None, "the operation is valid"
            settled[key] = self._value(found.type, fields, made[key], [*path, key])
        return settled

    def _value(self, kind: GraphQLOutputType, fields: FieldDetailsList, made: Any, path: list[str | int]) -> Any:
        if is_non_null_type(kind):
            return self._present(kind.of_type, fields, made, path)
        try:
            return self._present(kind, fields, made, path)
        except _NulledError as nulled:
            if isinstance(nulled.reason, Absent) and nulled.reason.kind != get_named_type(kind).name:
                raise
            self._take(nulled.reason)
            return None

    def _present(self, kind: Any, fields: FieldDetailsList, made: Any, path: list[str | int]) -> Any:
        if isinstance(made, Failed):
            error = made.error
            nodes = [details.node for details in fields]
            raise _NulledError(error if isinstance(error, Absent) else located_error(error, nodes, path))
        if made is None or is_leaf_type(kind) or isinstance(made, JsonFragment):
            return made
        if is_list_type(kind):
            return [self._value(kind.of_type, fields, each, [*path, place]) for place, each in enumerate(made)]
        own = self._kinds.get(id(made), kind)
        return self._object(own, self._selections.subfields(own, fields), made, path)

    def _take(self, reason: Absent | GraphQLError) -> None:
        if isinstance(reason, GraphQLError):
            self.errors.append(reason)
