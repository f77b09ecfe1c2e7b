"""Events of `jobLogs`, completed and encoded once for all subscriptions that ask for the same of the same lines.

A plan of the operation makes them. What it does not know, an error of any kind included, is left to graphql-core: one place
reports, and in one way.
"""

from __future__ import annotations

import json
from collections.abc import Hashable
from contextlib import suppress
from functools import partial
from typing import Any, ClassVar
from weakref import WeakValueDictionary

import orjson
from graphql import ExecutionResult, FieldNode, Visitor, visit

from domain.stretches import Stretch
from graph.executor import ColumnExecutor, require
from graph.plan import Planner, Run, Step
from graph.subscription import LogBatch

Key = tuple[Hashable, ...]


class Encoded:
    """An answer's data that is JSON already."""

    __slots__ = ("json",)

    def __init__(self, json: bytes) -> None:
        self.json = json


def to_json(data: Any) -> str:
    """Write an answer down; what is encoded already goes in as it is."""
    try:
        return orjson.dumps(data, default=_fragment).decode()
    except TypeError:  # a client's lone surrogate that a message of GraphQL's own quotes
        return json.dumps(data, default=_parsed)


def _fragment(data: Any) -> orjson.Fragment:
    if not isinstance(data, Encoded):
        raise TypeError
    return orjson.Fragment(data.json)


def _parsed(data: Encoded) -> Any:
    return orjson.loads(data.json)


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
        self._run = Run(executor.variable_values, None, None)
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
                parts[name] = orjson.Fragment(stretch.once((self._key, name), partial(self._write, step, batch)))
            else:
                parts[name] = self._make(step, batch)
        return orjson.dumps({self._name: parts})

    def _write(self, step: Step, batch: LogBatch) -> bytes:
        return orjson.dumps(self._make(step, batch))

    def _make(self, step: Step, batch: LogBatch) -> Any:
        (made,) = step.make(self._run, [batch])
        return made


class FrameExecutor(ColumnExecutor):
    """Executes as a `ColumnExecutor` does, with the same answers; the data of most events of `jobLogs` is `Encoded`."""

    _shared: ClassVar[WeakValueDictionary[Key, LogFrame]] = WeakValueDictionary()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._frames: list[LogFrame | None] = []  # shared by the executors of all events, as in ColumnExecutor

    def execute_operation(self, serially: bool | None = None) -> Any:  # noqa: FBT001 - graphql-core's signature
        event = self.root_value
        if isinstance(event, LogBatch) and event.batch.stretch is not None:
            with suppress(Exception):  # whatever it is, graphql-core meets it again, and reports it in the right place
                frame = self._frame()
                if frame is not None:
                    return ExecutionResult(frame.encoded(event, event.batch.stretch), None)  # type: ignore[arg-type] # not a dict
        return super().execute_operation(serially)

    def _frame(self) -> LogFrame | None:
        if not self._frames:
            frame = None
            with suppress(Exception):  # such as a selection that is not plain
                key = self._key()
                frame = self._shared.get(key)
                if frame is None:
                    frame = self._shared[key] = LogFrame(self, key)
            self._frames.append(frame)
        return self._frames[0]

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
