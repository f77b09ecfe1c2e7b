"""`EventExecutor`: the events of subscriptions by their plans, those of `jobLogs` encoded once for all who ask for the same."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from contextlib import nullcontext
from functools import cached_property, partial
from typing import Any, ClassVar
from weakref import WeakKeyDictionary, WeakValueDictionary

import orjson
from graphql import ExecutionResult
from graphql.execution.values import VariableValues
from strawberry.extensions.runner import SchemaExtensionsRunner
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.types import ExecutionContext

from domain.live.shared_batches import SharedBatch
from graph.formats.json_fragment import JsonFragment
from graph.operations.prepared import PreparedOperation
from graph.plans.planner import Unplanned
from graph.plans.steps import Plan, PlannedRequest, Step
from graph.subscription import LogBatch


class _UnsharedError(Exception):
    """Something failed, which each reader is told by itself."""


class LogFrames:
    """How an operation wants its batches. Shared by the subscriptions that select the same by the same variables."""

    def __init__(self, plan: Plan, values: VariableValues) -> None:
        self._plan = plan
        self._values = values
        self._made: WeakKeyDictionary[SharedBatch, dict[Hashable, bytes]] = WeakKeyDictionary()

    @property
    def are_shared(self) -> bool:
        return not self._plan.step.is_async

    def encoded(self, batch: LogBatch, stretch: SharedBatch) -> JsonFragment:
        """Write the data of an event down.

        Raises:
            _UnsharedError: if that cannot be shared.
        """
        source = batch.batch
        what = (source.caught_up, source.last_seq, source.job_status)
        return JsonFragment(self._once(stretch, what, partial(self._encode, batch, stretch)))

    def _once(self, stretch: SharedBatch, what: Hashable, make: Callable[[], bytes]) -> bytes:
        known = self._made.get(stretch)
        made = None if known is None else known.get(what)
        if made is None:
            made = make()
            if stretch.keep(len(made)):
                self._made.setdefault(stretch, {})[what] = made
        return made

    def _encode(self, batch: LogBatch, stretch: SharedBatch) -> bytes:
        """Write the data down. Its lines are the same for readers whose batches differ in the rest."""
        parts: dict[str, Any] = {}
        for name, (field, step) in self._plan.columns.items():
            if field == "logs":
                parts[name] = orjson.Fragment(self._once(stretch, name, partial(self._write, step, batch)))
            else:
                parts[name] = self._answer(step, batch)
        (key,) = self._plan.selected
        return orjson.dumps({key: parts})

    def _write(self, step: Step, batch: LogBatch) -> bytes:
        try:
            return orjson.dumps(self._answer(step, batch))
        except TypeError as error:  # what no stored line has, and no JSON
            raise _UnsharedError from error

    def _answer(self, step: Step, batch: LogBatch) -> Any:
        run = PlannedRequest(self._values, None, None)
        (made,) = step.make(run, [batch])
        if run.has_failed:
            raise _UnsharedError
        return made


class EventExecutor(StrawberryGraphQLCoreExecutionContext):
    """Answers the events of a subscription by its plan. What has none is Strawberry's."""

    _frames: ClassVar[WeakKeyDictionary[Plan, WeakValueDictionary[Hashable, LogFrames]]] = WeakKeyDictionary()

    def build_per_event_executor(self, payload: Any) -> Any:
        plan = self._plan
        return super().build_per_event_executor(payload) if plan is None else _PlannedEvent(self, plan, payload)

    @cached_property
    def _operation(self) -> PreparedOperation:
        assert self.operation.loc is not None, "it was parsed"
        name = self.operation.name.value if self.operation.name else None
        documents = self.schema._strawberry_schema.documents  # type: ignore[attr-defined]  # noqa: SLF001 - Strawberry's own way to it
        operation: PreparedOperation = documents.prepare(
            self.operation.loc.source.body, self.context_value.limits
        ).operation(name)
        return operation

    @cached_property
    def _plan(self) -> Plan | None:
        plan = self._operation.plan(self.variable_values)
        if isinstance(plan, Unplanned):
            self.context_value.watch.unplanned(plan.reason)
            return None
        return plan

    @cached_property
    def frames(self) -> LogFrames:
        """Give what those share who select the same."""
        plan, values = self._plan, self.variable_values.coerced
        assert plan is not None
        shared = self._frames.setdefault(plan, WeakValueDictionary())
        key = tuple(repr(values.get(name, ...)) for name in self._operation.selected_by)
        return shared.get(key) or shared.setdefault(key, LogFrames(plan, self.variable_values))


class _PlannedEvent:
    """Stands for the executor of an event."""

    __slots__ = ("_executor", "_payload", "_plan")

    def __init__(self, executor: EventExecutor, plan: Plan, payload: Any) -> None:
        self._executor, self._plan, self._payload = executor, plan, payload

    def execute_operation(self, serially: bool) -> ExecutionResult | Awaitable[ExecutionResult]:  # noqa: ARG002, FBT001 - graphql-core's signature
        payload = self._payload
        if isinstance(payload, LogBatch) and payload.batch.stretch is not None and self._executor.frames.are_shared:
            try:
                data: Any = self._executor.frames.encoded(payload, payload.batch.stretch)
                return ExecutionResult(data, None)
            except _UnsharedError:
                pass
        return self._answered()

    async def _answered(self) -> ExecutionResult:
        executor = self._executor
        run = PlannedRequest(executor.variable_values, executor.context_value, self._payload)
        data, errors = await self._plan.answer(run)
        return ExecutionResult(data, errors or None)


class EventRunner(SchemaExtensionsRunner):
    """Runs extensions that add nothing to answers and look at an event for its errors alone.

    Strawberry's own looks for all their hooks at every event, which takes longer than sharing a frame.
    """

    def on_stream_result(self, result: Any) -> Any:
        return super().on_stream_result(result) if getattr(result, "errors", None) else nullcontext()

    async def get_extensions_results(self, ctx: ExecutionContext) -> dict[str, Any]:
        return dict(ctx.extensions_results)
