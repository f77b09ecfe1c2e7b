"""The cost of an operation: its depth, and the number of values that its answer may hold.

It is found out once a document. What page sizes multiply is kept as sums of products, so that the variables of a request
are filled in at the price of some additions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
)

from domain.pages import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE

SIZES = ("first", "last", "buckets", "before", "after")
"""The arguments that say how many items are asked for, where they are whole numbers."""
USUAL_LENGTH = 10
"""What a list counts for that is asked for without a size, such as the stages of a job."""

Variables: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Size:
    """How many items are asked for: together what the arguments say, or the default where none does."""

    default: int
    said: int | None = None
    variables: tuple[tuple[str, int | None], ...] = ()
    """Each with the default that the operation gives it."""

    def of(self, variables: Variables) -> int:
        values = [variables.get(name, default) for name, default in self.variables]
        sizes = [_bounded(value) for value in values if type(value) is int]
        return (self.said or 0) + sum(sizes) if sizes or self.said is not None else self.default


@dataclass(slots=True, eq=False)
class Measure:
    """Of a selection: how many levels it has, and what it costs."""

    depth: int = 0
    values: int = 0
    parts: list[tuple[Size, Measure]] = field(default_factory=list)
    """What comes once for each item of a list."""

    def cost(self, variables: Variables, known: dict[int, int] | None = None) -> int:
        """Count the values that the answer may hold. What several places share is counted out once."""
        known = {} if known is None else known
        cost = known.get(id(self))
        if cost is None:
            cost = self.values
            for size, each in self.parts:
                cost += size.of(variables) * each.cost(variables, known)
            known[id(self)] = cost
        return cost

    def add(self, levels: int, size: Size, inner: Measure) -> None:
        self.depth = max(self.depth, levels + inner.depth)
        if size == ONE and not inner.parts:
            self.values += inner.values
        elif inner.values or inner.parts:
            self.parts.append((size, inner))


ONE = Size(1)


class Measuring:
    """Measures the operations of a valid document."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        self._schema = schema
        self._fragments = {
            each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)
        }
        self._defaults: dict[str, int | None] = {}
        self._known: dict[tuple[str, Size | None], Measure] = {}

    def measure(self, operation: OperationDefinitionNode) -> Measure:
        self._known.clear()
        self._defaults = {
            each.variable.name.value: int(each.default_value.value)
            for each in operation.variable_definitions or ()
            if isinstance(each.default_value, IntValueNode)
        }
        return self._selection(self._schema.get_root_type(operation.operation), operation.selection_set, None)

    def _selection(self, parent: Any, selection: SelectionSetNode, length: Size | None) -> Measure:
        """Measure what is selected of a parent; `length` is that of its lists, if it is a connection."""
        total, spread = Measure(), set[str]()
        for node, kind in self._fields(parent, selection, spread):
            found = self._schema.get_field(kind, node.name.value)
            assert found is not None, "the document is valid"
            self._add(total, node, found, length)
        for name in spread:
            total.add(0, ONE, self._fragment(name, length))
        return total

    def _fields(self, parent: Any, selection: SelectionSetNode, spread: set[str]) -> Iterator[tuple[FieldNode, Any]]:
        """Yield the fields with the type that they are of, and gather the names of fragments."""
        for node in selection.selections:
            if isinstance(node, FieldNode):
                yield node, parent
            elif isinstance(node, FragmentSpreadNode):
                spread.add(node.name.value)
            elif isinstance(node, InlineFragmentNode):
                kind = self._schema.get_type(node.type_condition.name.value) if node.type_condition else parent
                yield from self._fields(kind, node.selection_set, spread)

    def _fragment(self, name: str, length: Size | None) -> Measure:
        known = self._known.get((name, length))
        if known is None:
            fragment = self._fragments[name]
            kind = self._schema.get_type(fragment.type_condition.name.value)
            known = self._known[name, length] = self._selection(kind, fragment.selection_set, length)
        return known

    def _add(self, total: Measure, node: FieldNode, found: GraphQLField, length: Size | None) -> None:
        total.values += 1
        kind, is_list = get_named_type(found.type), is_list_type(get_nullable_type(found.type))
        if is_leaf_type(kind) or node.selection_set is None:
            total.depth = max(total.depth, 1)
            return
        asked = self._size(node, found)
        size = asked or length or Size(USUAL_LENGTH) if is_list else ONE
        total.add(1, size, self._selection(kind, node.selection_set, None if is_list else asked))

    def _size(self, node: FieldNode, found: GraphQLField) -> Size | None:
        """Read the arguments that say how many items are asked for, if the field has such."""
        known = [name for name in SIZES if name in found.args and get_named_type(found.args[name].type).name == "Int"]
        if not known:
            return None
        given = [each for each in node.arguments or () if each.name.value in known]
        said = [_bounded(int(each.value.value)) for each in given if isinstance(each.value, IntValueNode)]
        usual = [found.args[name].default_value for name in known]
        usual = [value for value in usual if type(value) is int]
        return Size(
            sum(usual) if usual else DEFAULT_PAGE_SIZE,
            sum(said) if said else None,
            tuple(self._variable(each) for each in given if isinstance(each.value, VariableNode)),
        )

    def _variable(self, argument: ArgumentNode) -> tuple[str, int | None]:
        assert isinstance(argument.value, VariableNode)
        name = argument.value.name.value
        return name, self._defaults.get(name)


def _bounded(size: int) -> int:
    """Take a size for what it can be: what is out of bounds is refused where it is used."""
    return min(max(size, 0), MAX_PAGE_SIZE)
