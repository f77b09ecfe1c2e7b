"""Events of `jobLogs`, completed and encoded once for all subscriptions that ask for the same of the same lines.

A plan of the operation makes them. What it does not know, an error of any kind included, is left to graphql-core: one place
reports, and in one way.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from contextlib import nullcontext, suppress
from functools import cached_property, partial
from typing import Any, ClassVar
from weakref import WeakValueDictionary

import orjson
from graphql import ExecutionResult, FieldNode, Visitor, get_named_type, visit
from graphql.execution.collect_fields import collect_fields
from strawberry.extensions.runner import SchemaExtensionsRunner
from strawberry.types import ExecutionContext

from domain.live.shared_batches import Stretch
from graph.formats.json_fragment import Encoded
from graph.live.line_writer import LineWriter
from graph.plans.column_executor import ColumnExecutor, NotPlainError, require
from graph.plans.planner import Planner
from graph.plans.steps import PlannedRequest, Step
from graph.subscription import LogBatch

Key = tuple[Hashable, ...]


class _Variables(Visitor):
    """Collects the variables that something names."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def enter_variable(self, node: Any, *_: Any) -> None:
        self.names.add(node.name.value)


class LogFrame:
    """How an operation wants its batches. Shared by the subscriptions of which `key` is the same."""

    def __init__(self, executor: ColumnExecutor, key: Key) -> None:
        require(not executor.middleware_manager or not executor.middleware_manager.middlewares)
        planner = Planner(executor.schema, executor.fragments, executor.operation, executor.variable_values)
        self._key = key
        self._name, self._columns = planner.event()
        self._run = PlannedRequest(executor.variable_values, None, None)
        self._writers = _writers(executor)
        require(not any(step.is_async for _, step in self._columns.values()))

    def encoded(self, batch: LogBatch, stretch: Stretch) -> Encoded:
        source = batch.batch
        what = (self._key, source.caught_up, source.last_seq, source.job_status)
        return Encoded(stretch.once(what, partial(self._encode, batch, stretch)))

    def _encode(self, batch: LogBatch, stretch: Stretch) -> bytes:
        """Write the data down. Its lines are the same for readers whose batches differ in the rest."""
        parts: dict[str, Any] = {}
        for name, (field, step) in self._columns.items():
            if field == "logs":
                parts[name] = orjson.Fragment(stretch.once((self._key, name), partial(self._write, name, step, batch)))
            else:
                parts[name] = self._make(step, batch)
        return orjson.dumps({self._name: parts})

    def _write(self, name: str, step: Step, batch: LogBatch) -> bytes:
        writer = self._writers.get(name)
        return orjson.dumps(self._make(step, batch)) if writer is None else writer.write(batch.batch.rows)

    def _make(self, step: Step, batch: LogBatch) -> Any:
        (made,) = step.make(self._run, [batch])
        return made


def _writers(executor: ColumnExecutor) -> Mapping[str, LineWriter]:
    """Make what writes the lists of lines of an event, by their keys, for those of which the selection is of attributes."""
    root = executor.schema.subscription_type
    assert root is not None, "the schema has subscriptions"
    collected = collect_fields(
        executor.schema, executor.fragments, executor.variable_values, root, executor.operation
    ).grouped_field_set
    ((_, fields),) = collected.items()
    kind = get_named_type(root.fields[fields[0].node.name.value].type)
    writers = {}
    for key, own in executor.collect_subfields(kind, fields).grouped_field_set.items():
        if own[0].node.name.value == "logs":
            with suppress(NotPlainError):
                lines = get_named_type(kind.fields["logs"].type)
                writers[key] = LineWriter(executor.collect_subfields(lines, own).grouped_field_set)
    return writers


class _Made:
    """Stands for the executor of an event that is made already."""

    __slots__ = ("_data",)

    def __init__(self, data: Encoded) -> None:
        self._data = data

    def execute_operation(self, serially: bool) -> ExecutionResult:  # noqa: ARG002, FBT001 - graphql-core's signature
        return ExecutionResult(self._data, None)  # type: ignore[arg-type] # not a dict


class FrameExecutor(ColumnExecutor):
    """Executes as a `ColumnExecutor` does, with the same answers; the data of most events of `jobLogs` is `Encoded`."""

    _shared: ClassVar[WeakValueDictionary[Key, LogFrame]] = WeakValueDictionary()

    def build_per_event_executor(self, payload: Any) -> Any:
        if isinstance(payload, LogBatch) and payload.batch.stretch is not None and self._frame is not None:
            with suppress(Exception):  # whatever it is, graphql-core meets it again, and reports it in the right place
                return _Made(self._frame.encoded(payload, payload.batch.stretch))
        return super().build_per_event_executor(payload)

    @cached_property
    def _frame(self) -> LogFrame | None:
        with suppress(Exception):  # such as a selection that is not plain
            key = self._key()
            return self._shared.get(key) or self._shared.setdefault(key, LogFrame(self, key))
        return None

    def _key(self) -> Key:
        """Name all that an event's form depends on: the text, the operation in it, and the variables in its selection."""
        operation, variables = self.operation, _Variables()
        require(operation.loc)
        assert operation.loc is not None
        for node in (*operation.selection_set.selections, *self.fragment_definitions.values()):
            visit(node.selection_set if isinstance(node, FieldNode) and node.selection_set else node, variables)
        values = self.variable_values.coerced
        named = tuple((name, repr(values.get(name, ...))) for name in sorted(variables.names))
        return self.schema, operation.loc.source.body, operation.loc.start, named


class EventRunner(SchemaExtensionsRunner):
    """Runs extensions that add nothing to answers and look at an event for its errors alone.

    Strawberry's own looks for all their hooks at every event, which takes longer than sharing a frame.
    """

    def on_stream_result(self, result: Any) -> Any:
        return super().on_stream_result(result) if getattr(result, "errors", None) else nullcontext()

    async def get_extensions_results(self, ctx: ExecutionContext) -> dict[str, Any]:
        return dict(ctx.extensions_results)
