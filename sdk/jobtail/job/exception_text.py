"""The text of an exception: its kind, its traceback, and where in the job it was raised."""

from __future__ import annotations

import traceback
from asyncio import CancelledError
from collections.abc import Iterator
from types import CodeType, TracebackType
from typing import Any

from jobtail.current import Place
from jobtail.jsonable import shown

CANCELLATIONS = (CancelledError, KeyboardInterrupt, GeneratorExit)
"""What ends a job that did not fail."""


def exception_facts(error: BaseException) -> dict[str, Any]:
    """Name an exception, for the metadata of its line."""
    return {"exception": exception_name(error), "error": shown(error)}


def exception_name(error: BaseException) -> str:
    """Name its type: `ValueError`, `urllib3.exceptions.ReadTimeoutError`."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def traceback_text(error: BaseException) -> str:
    """Write its whole traceback, with those of its causes."""
    return "".join(traceback.format_exception(error)).rstrip("\n")


def is_good_exit(error: SystemExit) -> bool:
    """Tell whether Python ends with status 0 by it. Whatever is no number is printed, and the status is 1."""
    return error.code is None or (isinstance(error.code, int) and error.code == 0)


class Origin:
    """Remembers the innermost stage and task that an exception has left, until it leaves the job or is forgotten.

    The exception itself is not kept: its frames hold the job's objects. It is known again by the point that it was
    last seen at, for its address alone may be another one's by then.
    """

    def __init__(self) -> None:
        self._seen: tuple[int, CodeType, int] | None = None
        self._where: tuple[str | None, str | None] | None = None

    def note(self, error: BaseException, tb: TracebackType | None, place: Place) -> None:
        """Note what an exception leaves. A stage around the one that it came from changes nothing."""
        if self.of(error) is None:
            self._where = place.stage, place.task_id
        self._seen = None if tb is None else (id(error), tb.tb_frame.f_code, tb.tb_lasti)

    def of(self, error: BaseException) -> tuple[str | None, str | None] | None:
        """Tell the stage and task that it came from, if it has left one."""
        if self._seen is None or all((id(error), *point) != self._seen for point in _points(error.__traceback__)):
            return None
        return self._where

    def forget(self) -> None:
        self._seen = self._where = None


def _points(tb: TracebackType | None) -> Iterator[tuple[CodeType, int]]:
    while tb is not None:
        yield tb.tb_frame.f_code, tb.tb_lasti
        tb = tb.tb_next
