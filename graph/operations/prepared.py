"""Documents: a text is parsed and validated once, planned once, and kept while it is in use.

`Documents.prepare` is the only way from a text to what runs, by HTTP, websocket and SSE alike. What is known of a document
alone is found out once a text. What depends on the variables or on who asks is judged where an operation begins, in
graph/schema.py, with the `Prepared` in hand.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
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
    OperationType,
    VariableNode,
    Visitor,
    parse,
    specified_rules,
    visit,
)
from graphql.execution.collect_fields import FragmentDetails
from graphql.execution.values import VariableValues
from strawberry.schema.schema import validate_document

from domain.errors import TooComplex
from graph.operations.cost import Measure, Measuring
from graph.operations.limits import TOO_DEEP, QueryLimits
from graph.operations.watch import OperationName
from graph.plans.planner import Planner
from graph.plans.steps import PlannedRequest, Step
from graph.plans.variables import OperationVariables

KEPT = 500
"""How many documents are kept; the one that was not used for longest goes first."""
LONGEST_KEPT = 20_000
"""Longer texts, in characters, are prepared anew: the memory of all that are kept stays bounded."""
ABORTED = "Parsing aborted."
"""What graphql-core's parser says at the end of an error about the size or depth of a text."""
PLANS_KEPT = 16
"""How many plans of one document are kept: one for each operation and set of values of what @skip and @include name."""


SCHEMA_FIELDS = frozenset({"__schema", "__type"})


class _Features(Visitor):
    """Collects the variables that say what is selected, and what else limits look at."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.aliases = 0
        self.introspects = False

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        self.aliases += node.alias is not None
        self.introspects |= node.name.value in SCHEMA_FIELDS

    def enter_directive(self, node: DirectiveNode, *_: Any) -> None:
        self.names |= {each.value.name.value for each in node.arguments or () if isinstance(each.value, VariableNode)}


@dataclass(slots=True, eq=False)
class Prepared:
    """A document that is ready to run, or the errors that keep it from that."""

    document: DocumentNode | None
    """None where the text is none."""
    errors: list[GraphQLError]
    fragments: dict[str, FragmentDetails] = field(init=False)
    operations: list[OperationDefinitionNode] = field(init=False)
    conditions: tuple[str, ...] = field(init=False)
    """The variables that say what is selected."""
    aliases: int = field(init=False)
    introspects: bool = field(init=False)
    """Whether it asks for the schema."""
    plans: dict[tuple[Any, ...], Step | None] = field(init=False, default_factory=dict)
    measures: dict[int, Measure] = field(init=False, default_factory=dict)
    names: dict[int, OperationName] = field(init=False, default_factory=dict)
    variables: dict[int, OperationVariables] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        definitions = self.document.definitions if self.document else ()
        self.operations = [each for each in definitions if isinstance(each, OperationDefinitionNode)]
        fragments = [each for each in definitions if isinstance(each, FragmentDefinitionNode)]
        self.fragments = {each.name.value: FragmentDetails(each) for each in fragments}
        features = _Features()
        if self.document and not self.errors:
            visit(self.document, features)
        self.conditions = tuple(sorted(features.names))
        self.aliases, self.introspects = features.aliases, features.introspects

    @property
    def is_beyond_bounds(self) -> bool:
        """Whether the text was not read to its end, for its size or depth."""
        return self.document is None and isinstance(self.errors[0].original_error, TooComplex)

    def operation(self, name: str | None) -> OperationDefinitionNode | None:
        """Find the operation of a name; without one the only one that there is."""
        if name is None:
            return self.operations[0] if len(self.operations) == 1 else None
        return next((each for each in self.operations if each.name and each.name.value == name), None)

    def named(self, name: str | None) -> OperationName | None:
        """Tell what an operation is, where it can be executed."""
        operation = None if self.errors else self.operation(name)
        if operation is None:
            return None
        known = self.names.get(id(operation))
        if known is None:
            known = self.names[id(operation)] = OperationName.of(operation)
        return known

    def require(
        self, limits: QueryLimits, schema: GraphQLSchema, name: str | None, variables: dict[str, Any] | None
    ) -> None:
        """Go on only if an operation is within bounds; raises as `QueryLimits.require` does."""
        operation = self.operation(name)
        if operation is None or self.document is None:
            return
        measure = self.measures.get(id(operation))
        try:
            if measure is None:
                measure = self.measures[id(operation)] = Measuring(schema, self.document).measure(operation)
            cost = measure.cost(variables or {})
        except RecursionError:
            raise TooComplex(TOO_DEEP) from None
        limits.require(introspects=self.introspects, depth=measure.depth, aliases=self.aliases, cost=cost)

    async def run(
        self, schema: GraphQLSchema, name: str | None, variables: dict[str, Any] | None, context: Any, root_value: Any
    ) -> dict[str, Any] | None:
        """Answer a query by its plan; None where it has to be graphql-core that answers, an error included."""
        operation = self.operation(name)
        if operation is None or operation.operation is not OperationType.QUERY:
            return None
        known = self.variables.get(id(operation))
        if known is None:
            known = self.variables[id(operation)] = OperationVariables(schema, operation)
        values = known.read(variables or {})
        if isinstance(values, list):
            return None
        try:
            plan = self._plan(schema, operation, values)
            if plan is None:
                return None
            run = PlannedRequest(values, context, root_value)
            made = plan.make(run, [root_value])
            (data,) = await made if plan.is_async else made
        except Exception:  # noqa: BLE001 - graphql-core meets it again, and reports it in the right place
            return None
        else:
            return data  # type: ignore[no-any-return]

    def _plan(self, schema: GraphQLSchema, operation: OperationDefinitionNode, values: VariableValues) -> Step | None:
        key = (id(operation), *(values.coerced.get(name) for name in self.conditions))
        if key not in self.plans:
            if len(self.plans) >= PLANS_KEPT:
                self.plans.clear()
            self.plans[key] = self._make_plan(schema, operation, values)
        return self.plans[key]

    def _make_plan(
        self, schema: GraphQLSchema, operation: OperationDefinitionNode, values: VariableValues
    ) -> Step | None:
        if any(fragment.definition.variable_definitions for fragment in self.fragments.values()):
            return None
        try:
            return Planner(schema, self.fragments, operation, values).plan()
        except Exception:  # noqa: BLE001 - whatever it is that is not known, graphql-core knows it
            return None


class Documents:
    """Keeps what was prepared, by text."""

    def __init__(
        self, schema: GraphQLSchema, rules: Sequence[type[ASTValidationRule]] = tuple(specified_rules)
    ) -> None:
        self._schema = schema
        self._rules = tuple(rules)
        self._kept: OrderedDict[str, Prepared] = OrderedDict()

    def prepare(self, text: str, limits: QueryLimits) -> Prepared:
        known = self._kept.get(text)
        if known is not None:
            self._kept.move_to_end(text)
            return known
        prepared = self._prepare(text, limits)
        if len(text) <= LONGEST_KEPT and not prepared.is_beyond_bounds:
            self._kept[text] = prepared
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return prepared

    def _prepare(self, text: str, limits: QueryLimits) -> Prepared:
        try:
            document = parse(text, max_tokens=limits.max_query_tokens)
        except GraphQLSyntaxError as error:
            if not error.message.endswith(ABORTED):
                return Prepared(None, [error])
            is_long = "tokens" in error.message
            beyond = limits.too_long(text, next(iter(error.positions or (0,)))) if is_long else TooComplex(TOO_DEEP)
            return Prepared(None, [GraphQLError(str(beyond), original_error=beyond)])
        try:
            errors = validate_document(self._schema, document, self._rules)
            return Prepared(document, list(map(_of_the_client, errors)))
        except RecursionError:  # fragments of fragments
            return Prepared(None, [GraphQLError(TOO_DEEP, original_error=TooComplex(TOO_DEEP))])


def _of_the_client(error: GraphQLError) -> GraphQLError:
    """Take an error of a document for what it is, though Python says it, such as of a number of 5,000 digits."""
    if error.original_error is None or isinstance(error.original_error, GraphQLError):
        return error
    return GraphQLError("a value cannot be read as the type that it must have", error.nodes)
