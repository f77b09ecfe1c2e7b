"""The root handler: every worker has it at its root logger, however its library set logging up."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import cache

from jobtail import CaptureHandler


class _NotOf(logging.Filter):
    """Leaves out what the queue says of its own work: the job's status, its error and its lines say it already."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        return record.name not in self.names


@cache
def _installed() -> tuple[CaptureHandler, _NotOf]:
    handler, queue = CaptureHandler(), _NotOf()
    handler.addFilter(queue)
    return handler, queue


def listen(*, apart_from: Iterable[str], also_to: Iterable[str] = ()) -> None:
    """Have the capture's handler at the root logger, and at loggers that do not pass on to it.

    Called before each run and not once: Celery empties the root's handlers when it sets logging up, and a handler that
    is there before would keep `logging.basicConfig` from doing anything.
    """
    handler, queue = _installed()
    queue.names.update(apart_from)
    _add(logging.getLogger(), handler)
    for name in also_to:
        logger = logging.getLogger(name)
        if not logger.propagate:
            _add(logger, handler)


def _add(logger: logging.Logger, handler: CaptureHandler) -> None:
    if not any(isinstance(present, CaptureHandler) for present in logger.handlers):
        logger.addHandler(handler)
