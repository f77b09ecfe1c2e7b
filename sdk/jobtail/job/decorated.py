"""Functions each call of which is a job of its own, whatever the call gives: a value, a coroutine, a task of asyncio."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])
ONE_CALL = "and a job is one call: decorate the function that iterates over it"


class CallJob(Protocol):
    """The job of one call: `jobtail.job.session.JobCapture`."""

    def start(self) -> Any:
        """Start it, and go into it."""

    def complete(self) -> None:
        """End it well, and leave it."""

    def fail(self, exception: BaseException) -> None:
        """End it by an exception, and leave it."""

    def give_up(self, reason: str) -> None:
        """Fail it for a reason that is no exception, and leave it."""

    def step_out(self) -> None:
        """Leave it for a while."""

    def step_in(self) -> None:
        """Go into it again, in any context."""


NewJob = Callable[[Callable[..., Any], tuple[Any, ...], dict[str, Any]], CallJob]
"""Makes the job of a function and the arguments of a call."""


def decorated(function: F, new_job: NewJob) -> F:
    """Run each call of a function, or of a coroutine function, within a job that is made for it.

    Raises:
        TypeError: if it is no function, or one that yields.
    """
    if not callable(function) or inspect.isclass(function):
        raise TypeError("jobtail.job() decorates a function; write @jobtail.job() with its parentheses")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        name = getattr(function, "__qualname__", repr(function))
        raise TypeError(f"{name} yields, {ONE_CALL}")
    run = _run_async if _is_async(function) else _run
    return cast("F", functools.wraps(function)(run(function, new_job)))


def _is_async(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def _run(function: Callable[..., Any], new_job: NewJob) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        job = new_job(function, args, kwargs)
        job.start()
        try:
            given = function(*args, **kwargs)
        except BaseException as error:
            job.fail(error)
            raise
        return _settled(job, given)

    return run


def _run_async(function: Callable[..., Any], new_job: NewJob) -> Callable[..., Any]:
    async def run(*args: Any, **kwargs: Any) -> Any:
        job = new_job(function, args, kwargs)
        job.start()
        try:
            given = await function(*args, **kwargs)
        except BaseException as error:
            job.fail(error)
            raise
        job.complete()
        return given

    return run


def _settled(job: CallJob, given: Any) -> Any:
    """End the job with the call, or with the work that the call has only begun: a wrapper hides what a function is."""
    if inspect.isgenerator(given) or inspect.isasyncgen(given):
        job.give_up(f"the call gave a generator, {ONE_CALL}")
    elif asyncio.isfuture(given):  # a task, too: it works in a copy of this context
        job.step_out()
        given.add_done_callback(functools.partial(_end_with, job))
    elif inspect.iscoroutine(given):
        job.step_out()
        return _awaited(job, given)
    else:
        job.complete()
    return given


async def _awaited(job: CallJob, given: Awaitable[Any]) -> Any:
    job.step_in()
    try:
        result = await given
    except BaseException as error:
        job.fail(error)
        raise
    job.complete()
    return result


def _end_with(job: CallJob, future: asyncio.Future[Any]) -> None:
    job.step_in()
    if future.cancelled():
        job.fail(asyncio.CancelledError())
    elif (error := future.exception()) is not None:
        job.fail(error)
    else:
        job.complete()
