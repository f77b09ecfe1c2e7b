"""The records that tasks log, heard in every worker however it has set logging up, or sets it up anew within a task.

No handler is added: one at the root would keep logging's last resort and `logging.basicConfig` from doing anything, and
dictConfig would take it away.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable
from functools import cache

from jobtail import CaptureHandler, client
from jobtail.current import present


class _Ear:
    """Hears what a handler of ours at the root would, and at loggers that do not pass on to it."""

    def __init__(self) -> None:
        self.unheard: set[str] = set()
        """Loggers by which a queue says of its own work what the job's status, error and lines say already."""
        self.also: set[str] = set()
        self._handler = CaptureHandler()

    @client.guarded
    def hear(self, logger: logging.Logger, record: logging.LogRecord) -> None:
        if record.name not in self.unheard and self._is_heard(logger):
            self._handler.emit(record)

    def _is_heard(self, logger: logging.Logger | None) -> bool:
        is_heard = False
        while logger is not None:
            if any(isinstance(handler, CaptureHandler) for handler in logger.handlers):
                return False  # the application's own hears it
            is_heard = is_heard or logger.name in self.also or logger.parent is None
            logger = logger.parent if logger.propagate else None
        return is_heard


@cache
def _ear() -> _Ear:
    ear, call_handlers = _Ear(), logging.Logger.callHandlers

    @functools.wraps(call_handlers)
    def heard(logger: logging.Logger, record: logging.LogRecord) -> None:
        call_handlers(logger, record)
        if present() is not None:
            ear.hear(logger, record)

    setattr(logging.Logger, "callHandlers", heard)  # noqa: B010 - the one way of every record
    return ear


def listen(*, apart_from: Iterable[str], also_to: Iterable[str] = ()) -> None:
    """Capture what is logged within jobs from now on.

    Args:
        apart_from: loggers by which the queue speaks of its own work.
        also_to: loggers that do not pass on to the root, and are captured all the same.
    """
    ear = _ear()
    ear.unheard.update(apart_from)
    ear.also.update(also_to)
