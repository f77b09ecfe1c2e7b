"""Lines written as JSON by their attributes, without an object of each.

A line that comes alone finds the caches cold: there the way through the plan of its fields takes longest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from types import NoneType
from typing import Any

import orjson
from graphql.execution.collect_fields import GroupedFieldSet

from domain.logs import TaskLog
from graph.formats.scalars import write_times
from graph.plans.column_executor import SENT_AS_IT_IS, require
from jobtail.events import LogLevel

_NAMES = {level: level.name for level in LogLevel}
_TEXT = frozenset({str})
_ATTRIBUTES: Mapping[str, tuple[str, frozenset[type]]] = {
    "seq": ("seq", frozenset({int})),
    "jobId": ("job_id", _TEXT),
    "executionId": ("execution_id", _TEXT | {NoneType}),
    "stage": ("stage", _TEXT),
    "taskId": ("task_id", _TEXT | {NoneType}),
    "timestamp": ("timestamp", frozenset({datetime})),
    "level": ("level", frozenset({LogLevel})),
    "message": ("message", _TEXT),
    "metadata": ("metadata", SENT_AS_IT_IS["JSON"] | {NoneType}),
}
"""Of fields, the attribute that they answer where no argument is given, and the exact classes that it may have."""
_COMPLETIONS: Mapping[str, Callable[[Sequence[Any]], Sequence[Any]]] = {
    "timestamp": write_times,
    "level": lambda levels: [_NAMES[level] for level in levels],
}


class LineWriter:
    """Writes lists of lines down as one selection of their fields has them."""

    def __init__(self, selected: GroupedFieldSet) -> None:
        """Look whether it is of attributes alone.

        Raises:
            NotPlainError: if it is not.
        """
        nodes = [fields[0].node for fields in selected.values()]
        require(all(node.name.value in _ATTRIBUTES and not node.arguments for node in nodes))
        attributes = [_ATTRIBUTES[node.name.value] for node in nodes]
        self._keys = tuple(selected)
        self._read = [attrgetter(name) for name, _ in attributes]
        self._classes = [classes for _, classes in attributes]
        self._completions = [
            (place, _COMPLETIONS[name]) for place, (name, _) in enumerate(attributes) if name in _COMPLETIONS
        ]

    def write(self, lines: Sequence[TaskLog]) -> bytes:
        """Write them.

        Raises:
            NotPlainError: if a value is of another class than it should be.
        """
        columns: list[Sequence[Any]] = [list(map(read, lines)) for read in self._read]
        for column, classes in zip(columns, self._classes, strict=True):
            require(set(map(type, column)) <= classes)
        for place, complete in self._completions:
            columns[place] = complete(columns[place])
        return orjson.dumps([dict(zip(self._keys, values, strict=True)) for values in zip(*columns, strict=True)])
