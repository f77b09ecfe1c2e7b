"""Calls of an emitter's methods: which argument means what, whatever the emitter calls its parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from jobtail.events import LogLevel

_EMPTY = inspect.Parameter.empty
_POSITIONAL = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
_LEVELS = {**LogLevel.__members__, "WARN": LogLevel.WARNING, "FATAL": LogLevel.CRITICAL}


@dataclass(frozen=True, slots=True)
class CallShape:
    """The parameters of a method."""

    names: tuple[str, ...] = ()
    """Those that can be passed by position, in order."""
    ids: tuple[str, ...] = ()
    """Those of all that end in `_id`, in order."""
    defaults: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, method: Callable[..., Any], usual_names: tuple[str, ...] = ()) -> Self:
        """Read the shape of a method. `usual_names` are used where it takes any arguments, or can't be read."""
        try:
            parameters = list(inspect.signature(method).parameters.values())
        except (TypeError, ValueError):
            return cls(names=usual_names)
        names = tuple(parameter.name for parameter in parameters if parameter.kind in _POSITIONAL)
        if any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in parameters):
            names += usual_names[len(names) :]
        return cls(
            names=names,
            ids=tuple(parameter.name for parameter in parameters if parameter.name.endswith("_id")),
            defaults={parameter.name: parameter.default for parameter in parameters if parameter.default is not _EMPTY},
        )

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        """Name the arguments that were passed. Never fails: what does not fit is kept under `args`."""
        given = dict(zip(self.names, args, strict=False))
        if len(args) > len(self.names):
            given["args"] = list(args[len(self.names) :])
        if kwargs:
            given.update(kwargs)
        return Call(self, given)


@dataclass(slots=True)
class Call:
    """The arguments of one call by name. What is asked for is taken out; the rest is metadata."""

    shape: CallShape
    rest: dict[str, Any]

    def take(self, *names: str) -> Any:
        """Take the first argument that has one of the names; else a default of that name."""
        rest = self.rest
        for name in names:
            if name in rest:
                return rest.pop(name)
        defaults = self.shape.defaults
        return next((defaults[name] for name in names if name in defaults), None) if defaults else None

    def take_in_turn(self, *names: str) -> Any:
        """Take the argument that has one of the names, else the next one by position that is no id."""
        rest = self.rest
        for name in names:
            if name in rest:
                return rest.pop(name)
        for name in self.shape.names:
            if name in rest and not name.endswith("_id"):
                return rest.pop(name)
        return self.take(*names)

    def take_first(self, *names: str) -> Any:
        """Take the argument that has one of the names, else the first by position."""
        return self.take(*names, *self.shape.names)

    def name_metadata(self) -> None:
        """Call the first mapping by position `metadata`, where nothing is called so."""
        if "metadata" in self.rest:
            return
        for name in self.shape.names:
            if isinstance(self.rest.get(name), Mapping):
                self.rest["metadata"] = self.rest.pop(name)
                return

    def take_text(self, *names: str) -> str | None:
        """Take the first argument that has one of the names and is a text; else a default that is one."""
        rest = self.rest
        for name in names:
            if isinstance(rest.get(name), str) and rest[name]:
                return str.__str__(rest.pop(name))
        texts = (self.shape.defaults.get(name) for name in names if name not in rest)
        return next((text for text in texts if isinstance(text, str) and text), None)

    def take_id(self, job_id: str) -> Any:
        """Take the first argument that ends in `_id` and names something smaller than the job."""
        rest = self.rest
        for name in (*self.shape.ids, *rest):
            if name.endswith("_id") and rest.get(name) is not None and rest[name] != job_id:
                return rest.pop(name)
        return None

    def take_level(self) -> LogLevel | None:
        """Take the `level` if it names one: by name in any case, or by the number of Python's logging."""
        level = self.rest.get("level")
        if level is None:
            return None
        named = _LEVELS.get(level.upper()) if isinstance(level, str) else _level_of(level)
        if named is not None:
            del self.rest["level"]
        return named

    def take_metadata(self) -> Any:
        """Take all that is left. A `metadata` argument is laid open unless one of its keys is an argument's name."""
        rest, self.rest = self.rest, {}
        metadata = rest.pop("metadata", None)
        if metadata is None or not rest:
            return metadata or rest or None
        if isinstance(metadata, Mapping) and rest.keys().isdisjoint(metadata):
            return {**metadata, **rest}
        return {**rest, "metadata": metadata}


def _level_of(level: Any) -> LogLevel | None:
    try:
        return None if isinstance(level, bool) else LogLevel(level)
    except ValueError:
        return None
