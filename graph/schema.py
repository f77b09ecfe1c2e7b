"""The schema, put together."""

from __future__ import annotations

import strawberry
from graphql import GraphQLError
from strawberry.extensions import ValidationCache
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext

from graph.documents import DocumentCache
from graph.errors import CodedErrors, log_internal
from graph.executor import ColumnExecutor
from graph.lines import TaskLog
from graph.mutation import Mutation
from graph.query import Query
from graph.scalars import SCALARS
from graph.stages import Stage, Task
from graph.subscription import Subscription


class Schema(strawberry.Schema):
    def process_errors(
        self,
        errors: list[GraphQLError],
        execution_context: ExecutionContext | None = None,  # noqa: ARG002 - Strawberry's signature
    ) -> None:
        log_internal(errors)


schema = Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    types=[Stage, Task, TaskLog],
    extensions=[CodedErrors, DocumentCache, ValidationCache],
    execution_context_class=ColumnExecutor,
    config=StrawberryConfig(scalar_map=SCALARS),
)
