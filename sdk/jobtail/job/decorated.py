"""Functions each call of which runs within a context manager of its own."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])
WithinCall = Callable[[Callable[..., Any], tuple[Any, ...], dict[str, Any]], AbstractContextManager[Any]]
"""Makes of a function and the arguments of a call what the call runs within."""


def decorated(function: F, within: WithinCall) -> F:
    """Run each call of a function, or of a coroutine function, within what is made for it.

    Raises:
        TypeError: if it is no function, or one that yields: its body runs in pieces, between those of its caller.
    """
    if not callable(function) or inspect.isclass(function):
        raise TypeError("jobtail.job() decorates a function; write @jobtail.job() with its parentheses")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        name = getattr(function, "__qualname__", repr(function))
        raise TypeError(f"{name} yields, and a job is one call: decorate the function that iterates over it")
    run = _run_async if inspect.iscoroutinefunction(function) else _run
    return cast("F", functools.wraps(function)(run(function, within)))


def _run(function: Callable[..., Any], within: WithinCall) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        with within(function, args, kwargs):
            return function(*args, **kwargs)

    return run


def _run_async(function: Callable[..., Any], within: WithinCall) -> Callable[..., Any]:
    async def run(*args: Any, **kwargs: Any) -> Any:
        with within(function, args, kwargs):
            return await function(*args, **kwargs)

    return run
