"""The emitters of a job, and the wrapper that captures what they say."""

from __future__ import annotations

import asyncio
import copy
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, Self, cast

from jobtail.job.calls import CallShape
from jobtail.job.emitter_class import emitter_class
from jobtail.job.narration import EMISSIONS, Narration
from jobtail.sink import EventWriter


class ProgressEmitter(Protocol):
    """What a job reports its progress to. Domain emitters add methods of their own, such as emit_candidate_match."""

    def emit_stage(self, stage: str, message: str) -> Any:
        """Say that a stage begins."""

    def emit_info(self, message: str) -> Any:
        """Say something about the present stage."""

    def emit_progress(self, count: int, metadata: Mapping[str, Any] | None = None) -> Any:
        """Say how much is done; `metadata` may name the `total`."""

    def emit_complete(self, summary: Any) -> Any:
        """Say that the job is done."""

    def emit_error(self, stage: str, error: Any) -> Any:
        """Say that a stage failed."""


class TaskTracker(Protocol):
    """What a job that works through units reports them to."""

    def add_task(self, task_id: str, name: str | None = None) -> Any:
        """Say that work on a unit begins or is due."""

    def update_task_status(self, task_id: str, completed: bool, result: str | None = None) -> Any:  # noqa: FBT001
        """Say how a unit ended."""


class LogCapturingEmitter:
    """Stands in for an emitter: each call is captured, then made on the emitter itself.

    It has the methods and attributes of the emitter, no more and no fewer: without a task tracker there, `hasattr` says
    so here. It can be called, iterated, entered or compared if the emitter can. A copy is one of the emitter and is
    captured too; pickled it is the emitter alone, since no other process has the job. What is captured: `emit_*`, `add_task` and `update_task_status`, when they are called; an async one need not
    be awaited yet. What the emitter calls on itself is not captured a second time.
    """

    __slots__ = ("__base", "__methods", "__narration", "__weakref__")

    def __new__(cls, base: Any, *_: Any, **__: Any) -> Self:
        """Make one of the class that has the special methods of the emitter's."""
        return super().__new__(emitter_class(cls, type(base)))

    def __init__(self, base: Any, writer: EventWriter, job_id: str, *, narration: Narration | None = None) -> None:
        """Wrap an emitter. A narration is given by whoever wants to know what was told."""
        object.__setattr__(self, "_LogCapturingEmitter__base", base)
        object.__setattr__(self, "_LogCapturingEmitter__narration", narration or Narration(writer, job_id))
        object.__setattr__(self, "_LogCapturingEmitter__methods", {})

    if TYPE_CHECKING:
        # Found by __getattr__, where they have the emitter's own parameters.
        emit_stage: Callable[..., Any]
        emit_info: Callable[..., Any]
        emit_progress: Callable[..., Any]
        emit_complete: Callable[..., Any]
        emit_error: Callable[..., Any]

        # In the class for the emitter's own, where it has them.
        def __enter__(self) -> Any: ...
        def __exit__(self, *failure: object) -> Any: ...
        async def __aenter__(self) -> Any: ...
        async def __aexit__(self, *failure: object) -> Any: ...

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_LogCapturingEmitter__"):  # not yet made: a copy asks before it is filled
            raise AttributeError(name)
        attribute = getattr(self.__base, name)
        known = self.__methods.get(name)
        if known is not None and known[0] == attribute:  # the job may have put another method in its place
            return known[1]
        if not (name.startswith("emit_") or name in EMISSIONS) or not callable(attribute):
            return attribute
        try:
            captured = _capturing(self.__narration, name, attribute)
        except Exception as error:  # noqa: BLE001 - no fault of the capture reaches the job
            self.__narration.writer.report_fault(error)
            return attribute
        self.__methods[name] = (attribute, captured)
        return captured

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.__base, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self.__base, name)

    def __dir__(self) -> list[str]:
        return dir(self.__base)

    def __repr__(self) -> str:
        return f"<LogCapturingEmitter of job {self.__narration.job_id!r} around {self.__base!r}>"

    @property
    def __class__(self) -> type[Any]:
        """The emitter's: a job may ask isinstance."""
        return cast("type[Any]", self.__base.__class__)

    @__class__.setter
    def __class__(self, value: type[Any]) -> None:
        self.__base.__class__ = value

    def __copy__(self) -> Any:
        return self.__around(copy.copy(self.__base))

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self.__around(copy.deepcopy(self.__base, memo))

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _itself, (self.__base,)

    def __around(self, base: Any) -> LogCapturingEmitter:
        narration = self.__narration
        return LogCapturingEmitter(base, narration.writer, narration.job_id, narration=narration)


def _itself(base: Any) -> Any:
    return base


def _capturing(narration: Narration, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    """Make the method that captures its call and then makes it."""
    narrate, usual_names = EMISSIONS.get(name) or (functools.partial(_other, name), ())
    shape = CallShape.of(method, usual_names)

    def captured(*args: Any, **kwargs: Any) -> Any:
        try:
            narrate(narration, shape.bind(args, kwargs))
        except Exception as error:  # noqa: BLE001 - no fault of the capture reaches the job
            narration.writer.report_fault(error)
        return method(*args, **kwargs)

    return _looking_like(method, captured)


def _other(name: str, narration: Narration, call: Any) -> None:
    narration.other(name, call)


def _looking_like(method: Callable[..., Any], captured: Callable[..., Any]) -> Callable[..., Any]:
    """Give it the name, the signature and, for whoever asks before awaiting, the asynchrony of the method."""
    captured = functools.wraps(method)(captured)
    if inspect.iscoroutinefunction(method) or asyncio.iscoroutinefunction(method):
        if hasattr(inspect, "markcoroutinefunction"):  # Python 3.12
            return cast("Callable[..., Any]", inspect.markcoroutinefunction(captured))
        captured._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]  # noqa: SLF001 - its forerunner
    return captured
