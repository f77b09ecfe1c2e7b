"""The schema, put together, and how it answers: a query by its plan, everything else by Strawberry and graphql-core."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import Any

import strawberry
from graphql import GraphQLError, parse
from graphql import OperationType as GraphQLOperationType
from strawberry.extensions import SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext, ExecutionResult
from strawberry.types.graphql import OperationType

from domain.access import Scope
from domain.errors import Forbidden, InvalidInput, TooComplex
from graph.context import Context
from graph.errors import CodedErrors, code_of, code_of_operation, coded, log_internal
from graph.formats.scalars import SCALARS
from graph.live.shared_frames import EventRunner, FrameExecutor
from graph.mutation import Mutation
from graph.operations.page_budget import one_room
from graph.operations.prepared import Documents, Prepared
from graph.query import Query
from graph.subscription import Subscription
from graph.types.lines import TaskLog
from graph.types.stages import Stage, Task

NOTHING = parse("{ __typename }")
NO_STREAM = (
    "a subscription has more than one answer: subscribe by a websocket (graphql-transport-ws) at this address, or send the "
    "header Accept: text/event-stream"
)


class PreparedDocuments(SchemaExtension):
    """Hands what was prepared to Strawberry, which reports the errors where they get their code."""

    def on_parse(self) -> Iterator[None]:
        context = self.execution_context
        if context.query:
            limits = context.context.limits
            prepared = context.schema.documents.prepare(context.query, limits)  # type: ignore[attr-defined]
            if prepared.is_beyond_bounds:  # Strawberry wants a document, and reports the errors instead of running it
                context.graphql_document, context._provided_operation_name = NOTHING, None  # noqa: SLF001
                context.pre_execution_errors = prepared.errors
            else:
                context.graphql_document = (
                    prepared.document
                )  # where there is none, Strawberry parses again and says why
                context.parse_options["max_tokens"] = limits.max_query_tokens
                context.pre_execution_errors = prepared.errors if prepared.document else None
                context.pre_execution_errors = context.pre_execution_errors or self._refusals(prepared)
        yield

    def _refusals(self, prepared: Prepared) -> list[GraphQLError]:
        """Say what the caller's token and the limits do not allow."""
        execution = self.execution_context
        context = execution.context
        if execution._provided_operation_name is None and len(prepared.operations) > 1:  # noqa: SLF001
            return [GraphQLError("the document has several operations: operationName must say which of them to run")]
        operation = prepared.operation(execution.operation_name)
        is_mutation = operation is not None and operation.operation is GraphQLOperationType.MUTATION
        try:
            context.grant.require(Scope.CAPTURE if is_mutation else Scope.READ)
            prepared.require(context.limits, execution.schema._schema, execution.operation_name, execution.variables)  # noqa: SLF001
        except (Forbidden, InvalidInput, TooComplex) as error:
            return [GraphQLError(str(error), original_error=error)]
        return []


def _is_subscription(prepared: Prepared, name: str | None) -> bool:
    operation = prepared.operation(name)
    return operation is not None and operation.operation is GraphQLOperationType.SUBSCRIPTION


def _given_up(context: Context) -> GraphQLError:
    context.loaders.cancel_unwanted()
    error = context.limits.too_late()
    context.watch.failed([code_of(error)])
    return GraphQLError(str(error), original_error=error)


class Schema(strawberry.Schema):
    """Has a `documents`, and a plan for every query that `graph.plans.planner` knows to answer."""

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
        allowed_operation_types: Iterable[OperationType] | None = None,
        operation_extensions: dict[str, Any] | None = None,
    ) -> ExecutionResult:
        """Answer a query by its plan. What has none, or failed, takes the long way, with all extensions."""
        prepared = self.documents.prepare(query, context_value.limits) if query and context_value is not None else None
        if prepared is not None and not prepared.errors and _is_subscription(prepared, operation_name):
            return ExecutionResult(data=None, errors=[coded(GraphQLError(NO_STREAM))])
        with self._watched(prepared, operation_name, context_value):
            try:
                async with self._time(prepared, operation_name, context_value) as time:
                    if allowed_operation_types is None or OperationType.QUERY in allowed_operation_types:
                        with one_room():
                            data = await self._planned(
                                prepared, operation_name, variable_values, context_value, root_value
                            )
                        if data is not None:
                            return ExecutionResult(data=data, errors=None)
                    with one_room():
                        return await super().execute(
                            query,
                            variable_values,
                            context_value,
                            root_value,
                            operation_name,
                            allowed_operation_types,
                            operation_extensions,
                        )
            except TimeoutError:
                if not time.expired() or context_value is None:
                    raise
                return ExecutionResult(data=None, errors=[coded(_given_up(context_value))])

    async def _stream_non_subscription(
        self, execution_context: ExecutionContext, *more: Any, **named: Any
    ) -> AsyncGenerator[Any, None]:
        context, name = execution_context, execution_context.operation_name
        prepared = self.documents.prepare(context.query, context.context.limits) if context.query else None
        with self._watched(prepared, name, context.context):
            try:
                async with self._time(prepared, name, context.context) as time:
                    with one_room():
                        data = await self._planned(
                            prepared, name, context.variables, context.context, context.root_value
                        )
                    results: list[Any] = [ExecutionResult(data=data, errors=None)]
                    if data is None:
                        with one_room():
                            answering = super()._stream_non_subscription(execution_context, *more, **named)
                            results = [result async for result in answering]
            except TimeoutError:
                if not time.expired():
                    raise
                results = [ExecutionResult(data=None, errors=[_given_up(context.context)])]
        for result in results:
            yield result

    def _watched(self, prepared: Prepared | None, name: str | None, context: Any) -> AbstractContextManager[object]:
        operation = None if prepared is None else prepared.named(name)
        return nullcontext() if operation is None else context.watch.operation(operation)

    def _time(self, prepared: Prepared | None, name: str | None, context: Any) -> asyncio.Timeout:
        """Give a query the time that it has. A mutation is bounded by its statements: half of it would be worse."""
        operation = None if prepared is None else prepared.operation(name)
        is_query = operation is not None and operation.operation is GraphQLOperationType.QUERY
        return asyncio.timeout(context.limits.max_query_seconds if is_query else None)

    async def _planned(
        self,
        prepared: Prepared | None,
        name: str | None,
        variables: dict[str, Any] | None,
        context: Any,
        root_value: Any,
    ) -> dict[str, Any] | None:
        if prepared is None or prepared.errors or not context.grant.allows(Scope.READ):
            return None
        if self.execution_context_class is not FrameExecutor:
            return None
        try:
            prepared.require(context.limits, self._schema, name, variables)
        except (InvalidInput, TooComplex):
            return None  # it is refused on the long way, like everything else
        return await prepared.run(self._schema, name, variables, context, root_value)

    def create_extensions_runner(
        self, execution_context: ExecutionContext, extensions: list[SchemaExtension]
    ) -> EventRunner:
        return EventRunner(execution_context, extensions)

    def process_errors(
        self,
        errors: list[GraphQLError],
        execution_context: ExecutionContext | None = None,
    ) -> None:
        log_internal(errors)
        if execution_context is not None:
            execution_context.context.watch.failed(map(code_of_operation, errors))


schema = Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    types=[Stage, Task, TaskLog],
    extensions=[CodedErrors, PreparedDocuments],
    execution_context_class=FrameExecutor,
    config=StrawberryConfig(scalar_map=SCALARS),
)
