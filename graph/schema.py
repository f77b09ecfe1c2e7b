"""`Schema`: the types put together, and how they answer: by plans, and what those do not know by graphql-core as it comes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import strawberry
from graphql import GraphQLError, OperationType, parse
from strawberry.extensions import SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext, ExecutionResult
from strawberry.types.graphql import OperationType as AllowedType

from domain.access import Scope
from domain.errors import Forbidden, InvalidInput, TooComplex
from graph.context import Context
from graph.errors import CodedErrors, code_of_operation, coded, log_internal
from graph.formats.scalars import SCALARS
from graph.live.shared_frames import EventExecutor, EventRunner
from graph.mutation import Mutation
from graph.operations.page_budget import one_budget
from graph.operations.prepared import Documents, PreparedDocument, PreparedOperation
from graph.plans.planner import Unplanned
from graph.plans.steps import PlannedRequest
from graph.query import Query
from graph.subscription import Subscription
from graph.types.lines import TaskLog
from graph.types.stages import Stage, Task

NOTHING = parse("{ __typename }")
NO_STREAM = (
    "a subscription has more than one answer: subscribe by a websocket (graphql-transport-ws) at this address, or send the "
    "header Accept: text/event-stream"
)

log = logging.getLogger(__name__)


class PreparedDocuments(SchemaExtension):
    """Hands what was prepared to Strawberry, which reports the errors where they get their code."""

    def on_parse(self) -> Iterator[None]:
        context = self.execution_context
        if context.query:
            limits = context.context.limits
            prepared = self._documents.prepare(context.query, limits)
            if prepared.is_beyond_bounds:  # Strawberry wants a document, and reports the errors instead of running it
                context.graphql_document = NOTHING
                context._provided_operation_name = None  # noqa: SLF001 - the name would not be found in it
                context.pre_execution_errors = prepared.errors
            else:
                # Where there is no document, Strawberry parses again and says why.
                context.graphql_document = prepared.node
                context.parse_options["max_tokens"] = limits.max_query_tokens
                context.pre_execution_errors = prepared.errors if prepared.node else None
                context.pre_execution_errors = context.pre_execution_errors or self._refusals(prepared)
        yield

    @property
    def _documents(self) -> Documents:
        schema = self.execution_context.schema
        assert isinstance(schema, Schema)
        return schema.documents

    def _refusals(self, prepared: PreparedDocument) -> list[GraphQLError]:
        """Say what the caller's token and the limits do not allow."""
        execution = self.execution_context
        context = execution.context
        if execution._provided_operation_name is None and len(prepared.operations) > 1:  # noqa: SLF001 - the others look at the first
            return [GraphQLError("the document has several operations: operationName must say which of them to run")]
        operation = prepared.operation(execution.operation_name)
        is_mutation = operation is not None and operation.type is OperationType.MUTATION
        try:
            context.grant.require(Scope.CAPTURE if is_mutation else Scope.READ)
            if operation is not None:
                operation.require(context.limits, execution.variables)
        except (Forbidden, InvalidInput, TooComplex) as error:
            return [GraphQLError(str(error), original_error=error)]
        return []


@dataclass(frozen=True, slots=True)
class Asked:
    """An operation with what a request gives for it."""

    operation: PreparedOperation
    variables: dict[str, Any] | None
    context: Context
    root_value: Any


def _failed(context: Context, errors: list[GraphQLError], data: dict[str, Any] | None = None) -> ExecutionResult:
    """Tell the operator of errors, and give the result that has them."""
    log_internal(errors)
    context.watch.failed(map(code_of_operation, errors))
    return ExecutionResult(data, errors)


class Schema(strawberry.Schema):
    """Answers queries and events by plans unless it shall do without them, to show what they are measured by."""

    def __init__(self, *, is_planned: bool = True, **types: Any) -> None:
        super().__init__(**types, execution_context_class=EventExecutor if is_planned else None)
        self._is_planned = is_planned

    @cached_property
    def documents(self) -> Documents:
        return Documents(self._schema)

    async def execute(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any | None = None,
        root_value: Any | None = None,
        operation_name: str | None = None,
        allowed_operation_types: Any | None = None,
        operation_extensions: dict[str, Any] | None = None,
    ) -> ExecutionResult:
        """Answer a query by its plan. What has none, or is refused, takes the long way, with all extensions."""
        long_way = partial(
            super().execute,
            query,
            variable_values,
            context_value,
            root_value,
            operation_name,
            allowed_operation_types,
            operation_extensions,
        )
        operation = self._operation(query, operation_name, context_value)
        if operation is not None and operation.type is OperationType.SUBSCRIPTION:
            return ExecutionResult(None, [coded(GraphQLError(NO_STREAM))])
        is_allowed = allowed_operation_types is None or AllowedType.QUERY in allowed_operation_types
        if operation is None or context_value is None or not is_allowed:
            return await long_way()

        async def answered() -> list[Any]:
            return [await long_way()]

        asked = Asked(operation, variable_values, context_value, root_value)
        (result,), are_coded = await self._results(asked, answered)
        return result if are_coded else ExecutionResult(result.data, list(map(coded, result.errors or ())) or None)

    async def _stream_non_subscription(
        self, execution_context: ExecutionContext, *more: Any, **named: Any
    ) -> AsyncGenerator[Any, None]:
        long_way = super()._stream_non_subscription
        context = execution_context
        operation = self._operation(context.query, context.operation_name, context.context)
        assert operation is not None, "what is refused is not executed"

        async def answered() -> list[Any]:
            return [result async for result in long_way(execution_context, *more, **named)]

        asked = Asked(operation, context.variables, context.context, context.root_value)
        for result in (await self._results(asked, answered))[0]:  # which the stream codes
            yield result

    def _operation(self, text: str | None, name: str | None, context: Context | None) -> PreparedOperation | None:
        return None if not text or context is None else self.documents.prepare(text, context.limits).operation(name)

    async def _results(self, asked: Asked, long_way: Callable[[], Awaitable[list[Any]]]) -> tuple[list[Any], bool]:
        """Answer an operation within its time; tell whether errors bear their codes already.

        A mutation is bounded by its statements: half of it would be worse.
        """
        operation, context = asked.operation, asked.context
        is_query = operation.type is OperationType.QUERY
        with context.watch.operation(operation.name):
            try:
                async with asyncio.timeout(context.limits.max_query_seconds if is_query else None) as time:
                    with one_budget():
                        planned = await self._planned(asked) if is_query and self._is_planned else None
                        return (await long_way(), True) if planned is None else ([planned], False)
            except TimeoutError:
                if not time.expired():
                    raise
                context.loaders.cancel_unwanted()
                late = context.limits.too_late()
                return [_failed(context, [GraphQLError(str(late), original_error=late)])], False

    async def _planned(self, asked: Asked) -> ExecutionResult | None:
        """Answer by a plan, None where graphql-core does: what has no plan, and what is refused as everything else is."""
        operation, context = asked.operation, asked.context
        if not context.may_read:
            return None
        try:
            operation.require(context.limits, asked.variables)
        except (InvalidInput, TooComplex):
            return None
        values = operation.values(asked.variables)
        if isinstance(values, list):
            return None
        plan = operation.plan(values)
        if isinstance(plan, Unplanned):
            context.watch.unplanned(plan.reason)
            log.debug("graphql-core answers %s: %s", operation.name.field, plan.reason)
            return None
        try:
            data, errors = await plan.answer(PlannedRequest(values, context, asked.root_value))
        except Exception as defect:  # noqa: BLE001 - it is told like one of a resolver, and logged
            data, errors = None, [GraphQLError(str(defect), original_error=defect)]
        return _failed(context, errors, data) if errors else ExecutionResult(data, None)

    def create_extensions_runner(
        self, execution_context: ExecutionContext, extensions: list[SchemaExtension]
    ) -> EventRunner:
        return EventRunner(execution_context, extensions)

    def process_errors(
        self,
        errors: list[GraphQLError],
        execution_context: ExecutionContext | None = None,
    ) -> None:
        if execution_context is not None:
            _failed(execution_context.context, errors)


def make_schema(*, is_planned: bool = True) -> Schema:
    return Schema(
        is_planned=is_planned,
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[Stage, Task, TaskLog],
        extensions=[CodedErrors, PreparedDocuments],
        config=StrawberryConfig(scalar_map=SCALARS),
    )


schema = make_schema()
