"""The current place of a line: the job that is open here, and the innermost stage and task in it.

Threads and asyncio tasks each see their own.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token, copy_context
from dataclasses import dataclass
from typing import Any, ParamSpec, Protocol, TypeVar, cast

from jobtail.events import LogLevel

JOB_ID, EXECUTION_ID = "JOBTAIL_JOB_ID", "JOBTAIL_EXECUTION_ID"
"""What `jobtail run` puts into the environment of its command: the job around all jobs of that process."""

P = ParamSpec("P")
R = TypeVar("R")


class OpenJob(Protocol):
    """The job that is open somewhere: `jobtail.job.session.JobCapture`."""

    @property
    def execution_id(self) -> str | None:
        """The scheduled run that it belongs to."""

    def say(
        self,
        message: str,
        level: LogLevel = ...,
        metadata: Mapping[str, Any] | None = ...,
        *,
        stage: str | None = ...,
        task_id: str | None = ...,
    ) -> None:
        """Capture a line. Never raises."""


@dataclass(frozen=True, slots=True)
class Place:
    """A job, and the stage and task that context managers have opened in it."""

    job: OpenJob
    job_id: str
    stage: str | None = None
    task_id: str | None = None


_place: ContextVar[Place | None] = ContextVar("jobtail_place", default=None)
present = _place.get
"""The place of whoever asks; None outside of any job."""


def enter(place: Place | None) -> Token[Place | None]:
    """Go to a place; the token leads back."""
    return _place.set(place)


def leave(token: Token[Place | None]) -> None:
    """Go back. From another context than the one that entered, as with paired hooks of queues, there is no way back."""
    try:
        _place.reset(token)
    except ValueError:
        before = token.old_value
        _place.set(before if isinstance(before, Place) else None)


@contextmanager
def outside() -> Iterator[None]:
    """Be in no job meanwhile: what our own work says belongs to nobody."""
    token = enter(None)
    try:
        yield
    finally:
        leave(token)


def carry(function: Callable[P, R]) -> Callable[P, R]:
    """Make a function that runs in the job, stage and task of this moment, for threads: `submit(jobtail.carry(work))`.

    All context variables are carried. It may run any number of times, also at once. A coroutine function may be carried,
    too: it runs as a task of asyncio in that context.
    """
    context = copy_context()

    @functools.wraps(function)
    def carried(*args: P.args, **kwargs: P.kwargs) -> R:
        return context.copy().run(function, *args, **kwargs)

    @functools.wraps(function)
    async def carried_task(*args: P.args, **kwargs: P.kwargs) -> Any:
        import asyncio  # noqa: PLC0415 - whoever awaits has it already

        work: Any = function(*args, **kwargs)
        return await asyncio.get_running_loop().create_task(work, context=context.copy())

    return cast("Callable[P, R]", carried_task) if inspect.iscoroutinefunction(function) else carried
