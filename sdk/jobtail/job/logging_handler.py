"""Captures what a job logs: a handler for Python's logging, and for structlog through it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from jobtail import client
from jobtail.events import Line, LogLevel
from jobtail.job import session
from jobtail.job.exception_text import exception_facts, traceback_text
from jobtail.job.placed_record import make_placed_records, place_of
from jobtail.jsonable import jsonable_object, shown

OWN_NAME = "jobtail"
"""Our loggers' name, and with a dash how the names of our threads begin."""

_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_BASIC_FORMATS = frozenset({logging.BASIC_FORMAT, "{levelname}:{name}:{message}", "${levelname}:${name}:${message}"})
"""Of each style the one that `logging.basicConfig` gives every handler without a formatter, ours too. Nobody chose it."""

_STRUCTLOG_EXTRA = frozenset({"_logger", "_name"})
_STRUCTLOG_KEYS = frozenset({"event", "exc_info", "stack_info", "_record", "_from_structlog"})
_LOGURU_WROTE_IT = "\n"
"""Loguru's sign, as it hands a record to a handler of logging, that the traceback is in the message."""


class CaptureHandler(logging.Handler):
    """Makes each record a line of the job that is open where it is logged; outside of a job it does nothing.

    Add it to any logger: `logging.getLogger().addHandler(jobtail.CaptureHandler())`. It never waits, so that it needs
    no queue; behind one it knows the jobs of records all the same. Where there is no other handler, a warning still
    goes to stderr, as logging itself has it without any.
    """

    def __init__(self, level: int | str = logging.NOTSET) -> None:
        super().__init__(level)
        make_placed_records()

    def handle(self, record: logging.LogRecord) -> Any:
        handled = super().handle(record)
        last = logging.lastResort
        if last is not None and record.levelno >= last.level and _is_alone(self, record):
            last.handle(record)
        return handled

    @client.guarded
    def emit(self, record: logging.LogRecord) -> None:
        job, place = session.current_job(), place_of(record)
        if (job is None and place is None) or _is_own(record):
            return
        message, level, metadata = self._message(record), LogLevel.at_or_below(record.levelno), _metadata(record)
        if job is not None and (place is None or place.job_id == job.job_id):
            job.say(message, level, metadata, at=_moment(record))
        elif place is not None:  # it was logged in another thread or process
            facts = jsonable_object(metadata)
            client.writer().capture(
                Line(
                    job_id=place.job_id,
                    message=message,
                    level=level,
                    stage=place.stage,
                    task_id=place.task_id,
                    at=_moment(record),
                    metadata=facts,
                )
            )

    def _message(self, record: logging.LogRecord) -> str:
        if self.formatter is not None and not _is_basic(self.formatter):
            try:
                return self.format(record)
            except Exception:  # noqa: BLE001, S110 - the line comes without its form
                pass
        parts = [_text(record)]
        if record.exc_text == _LOGURU_WROTE_IT:
            return parts[0].rstrip("\n")
        if (error := _exception(record)) is not None:
            parts.append(traceback_text(error))
        elif record.exc_text and not record.exc_info:  # from another process, by a QueueHandler
            parts.append(record.exc_text)
        if stack := record.stack_info or _event(record).get("stack_info"):
            parts.append(shown(stack))
        return "\n".join(parts)


def _is_alone(handler: CaptureHandler, record: logging.LogRecord) -> bool:
    """Tell whether no other handler hears what is logged there, of several like this one for the first."""
    found = logging.root if record.name == logging.root.name else logging.root.manager.loggerDict.get(record.name)
    logger = found if isinstance(found, logging.Logger) else None
    handlers: list[logging.Handler] = []
    while logger is not None:
        handlers += logger.handlers
        logger = logger.parent if logger.propagate else None
    return handlers[:1] == [handler] and all(isinstance(each, CaptureHandler) for each in handlers)


def _moment(record: logging.LogRecord) -> datetime:
    try:
        return datetime.fromtimestamp(record.created, UTC)
    except (TypeError, ValueError, OverflowError, OSError):  # a record that something else has made
        return datetime.now(UTC)


def _is_basic(formatter: logging.Formatter) -> bool:
    return type(formatter) is logging.Formatter and formatter._fmt in _BASIC_FORMATS  # noqa: SLF001 - it has no other name


def _is_own(record: logging.LogRecord) -> bool:
    """Tell what comes of capturing itself: captured again it would never end."""
    if f"{record.name}.".startswith(f"{OWN_NAME}."):
        return True
    own_threads = f"{OWN_NAME}-"
    return threading.current_thread().name.startswith(own_threads) or (record.threadName or "").startswith(own_threads)


def _text(record: logging.LogRecord) -> str:
    """The message with its arguments, or bare where they do not fit."""
    event = _event(record)
    if event:
        return shown(event.get("event", ""))
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - logging itself only prints it
        return shown(record.msg)


def _metadata(record: logging.LogRecord) -> dict[str, Any]:
    event = _event(record)
    hidden = _USUAL | _STRUCTLOG_EXTRA if event else _USUAL
    metadata = {"logger": record.name}
    metadata.update((key, value) for key, value in vars(record).items() if key not in hidden)
    if isinstance(bound := metadata.get("extra"), Mapping):  # as loguru hands over what was bound
        del metadata["extra"]
        metadata.update((shown(key), value) for key, value in bound.items())
    metadata.update((shown(key), value) for key, value in event.items() if key not in _STRUCTLOG_KEYS)
    if (error := _exception(record)) is not None:
        metadata.update(exception_facts(error))
    return metadata


def _event(record: logging.LogRecord) -> Mapping[str, Any]:
    """What structlog leaves for a formatter: the message and its facts as one mapping."""
    return record.msg if isinstance(record.msg, Mapping) and "event" in record.msg else {}


def _exception(record: logging.LogRecord) -> BaseException | None:
    for info in (record.exc_info, _event(record).get("exc_info")):
        if isinstance(info, BaseException):
            return info
        if isinstance(info, tuple) and len(info) == 3 and isinstance(info[1], BaseException):  # noqa: PLR2004 - as sys.exc_info
            return info[1]
    return None
