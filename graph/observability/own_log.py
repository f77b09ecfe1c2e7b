"""The service's own log: one event a line on stderr, of our modules and of the libraries alike."""

from __future__ import annotations

import logging
import re
import sys
import threading
from types import TracebackType

import structlog

from graph.settings import LogFormat, LogThreshold

_SHARED: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]

log = logging.getLogger(__name__)


def configure(threshold: LogThreshold, log_format: LogFormat) -> None:
    is_json = log_format is LogFormat.JSON
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if is_json else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                *([] if is_json else [_escaped]),
                renderer,
            ],
        ),
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(threshold.upper())
    logging.captureWarnings(capture=True)
    sys.excepthook, threading.excepthook = _log_end, _log_end_of_thread
    for library in ("uvicorn", "websockets", "alembic"):
        logging.getLogger(library).setLevel(max(logging.WARNING, root.level))


def _escaped(
    _: structlog.typing.WrappedLogger, __: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Show signs that a terminal obeys, so that no client's text forges a line. Tracebacks keep their lines."""
    for name, value in event.items():
        if isinstance(value, str):
            signs = _SIGNS_OF_TERMINALS if name == "exception" else _SIGNS_OF_TERMINALS_AND_LINES
            event[name] = signs.sub(lambda found: found[0].encode("unicode_escape").decode(), value)
    return event


_SIGNS_OF_TERMINALS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_SIGNS_OF_TERMINALS_AND_LINES = re.compile(f"[\t\n]|{_SIGNS_OF_TERMINALS.pattern}")


def _log_end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, Exception):
        log.critical("the process ends: %s", error, exc_info=(kind, error, trace))
    else:
        sys.__excepthook__(kind, error, trace)


def _log_end_of_thread(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is not None:
        exc_info = (ended.exc_type, ended.exc_value, ended.exc_traceback)
        log.error("a thread ended: %s", ended.exc_value, exc_info=exc_info)
