"""Documents: a text is parsed and validated once, planned once, and kept while it is in use.

`Documents.prepare` is the only way from a text to what runs, by HTTP, websocket and SSE alike. What is known of a document
alone is found out once a text. What depends on the variables or on who asks is judged where an operation begins, in
graph/schema.py, with the `PreparedOperation` in hand.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from graphql import (
    ASTValidationRule,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    VariableNode,
    Visitor,
    visit,
)
from graphql.execution.collect_fields import FragmentDetails
from graphql.execution.values import VariableValues

from domain.errors import TooComplex
from graph.operations.cost import Measure, Measuring
from graph.operations.limits import TOO_DEEP, QueryLimits
from graph.operations.texts import MOST_ERRORS, RULES, errors_of, read
from graph.operations.watch import OperationName
from graph.plans.planner import Planner, Unplanned
from graph.plans.steps import Plan
from graph.plans.variables import OperationVariables

KEPT = 500
"""How many documents are kept; the one that was not used for longest goes first."""
KEPT_TOKENS = 100_000
"""How many tokens they have together: what is known of a document takes about a kilobyte for each."""
PLANS_KEPT = 16
"""How many plans of one document are kept: one for each operation and set of values of what @skip and @include name."""


SCHEMA_FIELDS = frozenset({"__schema", "__type"})


class _Features(Visitor):
    """Collects the variables, those apart that say what is selected, and what else limits look at."""

    def __init__(self) -> None:
        super().__init__()
        self.variables: set[str] = set()
        self.conditions: set[str] = set()
        self.aliases = 0
        self.introspects = False

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        self.aliases += node.alias is not None
        self.introspects |= node.name.value in SCHEMA_FIELDS

    def enter_directive(self, node: DirectiveNode, *_: Any) -> None:
        self.conditions |= {
            each.value.name.value for each in node.arguments or () if isinstance(each.value, VariableNode)
        }

    def enter_variable(self, node: VariableNode, *_: Any) -> None:
        self.variables.add(node.name.value)


_NO_VALUES = VariableValues({}, {})


class PreparedOperation:
    """An operation, and all that is known of it beside the variables of a request."""

    def __init__(self, schema: GraphQLSchema, document: PreparedDocument, node: OperationDefinitionNode) -> None:
        self._schema = schema
        self._document = document
        self._node = node
        self._plans: dict[tuple[Any, ...], Plan | Unplanned] = {}
        self._is_within: QueryLimits | None = None
        """The bounds that it was found to be within, where that depends on no variable."""
        self.name = OperationName.of(node)
        self.type = node.operation

    @cached_property
    def measure(self) -> Measure:
        assert self._document.node is not None
        return Measuring(self._schema, self._document.node).measure(self._node)

    @cached_property
    def variables(self) -> OperationVariables:
        return OperationVariables(self._schema, self._node)

    @cached_property
    def selected_by(self) -> tuple[str, ...]:
        """The variables that its selection names, those excepted that its root fields are asked for with."""
        features = _Features()
        for root in self._node.selection_set.selections:
            inner = root.selection_set if isinstance(root, FieldNode) else root
            if inner is not None:
                visit(inner, features)
        for fragment in self._document.fragments.values():
            visit(fragment.definition, features)
        return tuple(sorted(features.variables))

    def require(self, limits: QueryLimits, variables: dict[str, Any] | None) -> None:
        """Go on only if it is within bounds; raises as `QueryLimits.require` does."""
        if self._is_within is limits:
            return
        features = self._document.features
        try:
            depth, cost = self.measure.depth, self.measure.cost(variables or {})
        except RecursionError:
            raise TooComplex(TOO_DEEP) from None
        limits.require(introspects=features.introspects, depth=depth, aliases=features.aliases, cost=cost)
        if not self._node.variable_definitions:
            self._is_within = limits

    def values(self, given: dict[str, Any] | None) -> VariableValues | list[GraphQLError]:
        """Read what a request gives for its variables; errors where it is not what they may be."""
        return self.variables.read(given or {}) if self._node.variable_definitions else _NO_VALUES

    def plan(self, values: VariableValues) -> Plan | Unplanned:
        """Give the plan for the variables that @skip and @include name, or why there is none."""
        key = tuple(values.coerced.get(name) for name in self._document.conditions)
        if key not in self._plans:
            if len(self._plans) >= PLANS_KEPT:
                self._plans.clear()
            self._plans[key] = self._make_plan(values)
        return self._plans[key]

    def _make_plan(self, values: VariableValues) -> Plan | Unplanned:
        fragments = self._document.fragments
        if any(fragment.definition.variable_definitions for fragment in fragments.values()):
            return Unplanned("fragment variables")
        try:
            return Planner(self._schema, fragments, self._node, values).plan()
        except Unplanned as unplanned:
            return unplanned


class PreparedDocument:
    """A document that is ready to run, or the errors that keep it from that."""

    def __init__(self, schema: GraphQLSchema, node: DocumentNode | None, errors: list[GraphQLError]) -> None:
        """Prepare a document; None where the text is none."""
        self.node = node
        self.errors = errors
        definitions = node.definitions if node else ()
        self.operations = [
            PreparedOperation(schema, self, each) for each in definitions if isinstance(each, OperationDefinitionNode)
        ]
        fragments = [each for each in definitions if isinstance(each, FragmentDefinitionNode)]
        self.fragments = {each.name.value: FragmentDetails(each) for each in fragments}
        self.features = _Features()
        if node and not errors:
            visit(node, self.features)
        self.conditions = tuple(sorted(self.features.conditions))
        self.tokens = node.token_count if node else MOST_ERRORS

    @property
    def is_beyond_bounds(self) -> bool:
        """Whether the text was not read to its end, for its size or depth."""
        return self.node is None and isinstance(self.errors[0].original_error, TooComplex)

    def operation(self, name: str | None) -> PreparedOperation | None:
        """Find the operation of a name, or without one the only one that there is, where it can be executed."""
        if self.errors:
            return None
        if name is None:
            return self.operations[0] if len(self.operations) == 1 else None
        return next((each for each in self.operations if each.name.name == name), None)


class Documents:
    """Keeps what was prepared, by text."""

    def __init__(self, schema: GraphQLSchema, rules: Sequence[type[ASTValidationRule]] = RULES) -> None:
        self._schema = schema
        self._rules = tuple(rules)
        self._tokens = 0
        self._kept: OrderedDict[str, PreparedDocument] = OrderedDict()

    def prepare(self, text: str, limits: QueryLimits) -> PreparedDocument:
        known = self._kept.get(text)
        if known is not None:
            self._kept.move_to_end(text)
            return known
        prepared = self._prepare(text, limits)
        if not prepared.is_beyond_bounds:
            self._keep(text, prepared)
        return prepared

    def _keep(self, text: str, prepared: PreparedDocument) -> None:
        """Keep a document, and let those go that were not used for longest where there are too many."""
        self._kept[text] = prepared
        self._tokens += prepared.tokens
        while len(self._kept) > KEPT or self._tokens > KEPT_TOKENS:
            _, dropped = self._kept.popitem(last=False)
            self._tokens -= dropped.tokens

    def _prepare(self, text: str, limits: QueryLimits) -> PreparedDocument:
        try:
            document = read(text, limits)
            return PreparedDocument(self._schema, document, errors_of(self._schema, document, self._rules))
        except GraphQLSyntaxError as error:
            return PreparedDocument(self._schema, None, [error])
        except TooComplex as beyond:
            return PreparedDocument(self._schema, None, [GraphQLError(str(beyond), original_error=beyond)])
