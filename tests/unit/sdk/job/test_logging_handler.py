"""The logging of a job becomes its lines, with all that logging and structlog know of it."""

from __future__ import annotations

import io
import logging
import pickle
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from logging.handlers import QueueHandler, QueueListener
from queue import SimpleQueue
from typing import Any, Literal

import loguru
import pytest
import structlog
import urllib3

import jobtail
from jobtail import Batch, Line, LogLevel, SinkUnavailable, client
from tests.recording import LONG_S, Recording, RecordingSink, recording

LOGGER = "shop.orders"


@pytest.fixture
def handler() -> Iterator[jobtail.CaptureHandler]:
    """Put the handler at the root, where everything is heard."""
    handler = jobtail.CaptureHandler()
    root, logger = logging.getLogger(), logging.getLogger(LOGGER)
    level = root.level
    root.setLevel(1)
    logger.setLevel(1)
    root.addHandler(handler)
    try:
        yield handler
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        logger.setLevel(logging.NOTSET)


@pytest.fixture
def recorded(handler: jobtail.CaptureHandler) -> Iterator[Recording]:
    with recording() as recorded:
        yield recorded


@pytest.fixture
def log() -> logging.Logger:
    return logging.getLogger(LOGGER)


def test_a_record_becomes_a_line_where_the_job_is(recorded: Recording, log: logging.Logger) -> None:
    before = datetime.now(UTC)
    with jobtail.job("JB_1"), jobtail.stage("fetch"), jobtail.task("CNT_1"):
        log.warning("%d rows of %s", 3, "orders", extra={"table": "orders", "rows": (1, 2)})
    line = recorded.line
    assert (line.job_id, line.stage, line.task_id) == ("JB_1", "fetch", "CNT_1")
    assert (line.message, line.level) == ("3 rows of orders", LogLevel.WARNING)
    assert line.metadata == {"logger": LOGGER, "table": "orders", "rows": [1, 2]}
    assert line.at is not None
    assert before - timedelta(milliseconds=1) <= line.at <= datetime.now(UTC)


def test_levels_fall_to_the_nearest_below(recorded: Recording, log: logging.Logger) -> None:
    with jobtail.job("JB_1"):
        for number in (1, 5, 9, 10, 15, 20, 25, 30, 39, 40, 50, 99):
            log.log(number, "x")
    assert [line.level for line in recorded.lines] == [5, 5, 5, 10, 10, 20, 20, 30, 30, 40, 50, 50]
    assert LogLevel.at_or_below(-3) is LogLevel.TRACE


def test_a_handler_of_a_level_captures_from_that_level(recorded: Recording, log: logging.Logger) -> None:
    strict = jobtail.CaptureHandler(logging.ERROR)
    with jobtail.job("JB_1"):
        strict.setLevel("WARNING")
        log.propagate = False
        log.addHandler(strict)
        try:
            log.info("no")
            log.warning("yes")
        finally:
            log.removeHandler(strict)
            log.propagate = True
    assert recorded.messages == ["yes"]


def test_a_traceback_stays_with_its_line(recorded: Recording, log: logging.Logger) -> None:
    with jobtail.job("JB_1"):
        try:
            fail(urllib3.exceptions.HTTPError("no answer"))
        except urllib3.exceptions.HTTPError:
            log.exception("failed", extra={"try": 1})
        log.info("where", stack_info=True)
        log.error("nothing is wrong", exc_info=True)  # noqa: LOG014 - a mistake of the application's
    first, second, third = recorded.lines
    assert first.message.startswith("failed\nTraceback (most recent call last):\n")
    assert first.message.endswith("urllib3.exceptions.HTTPError: no answer")
    assert first.metadata == {
        "logger": LOGGER,
        "try": 1,
        "exception": "urllib3.exceptions.HTTPError",
        "error": "no answer",
    }
    assert second.message.startswith("where\nStack (most recent call last):\n")
    assert (third.message, third.metadata) == ("nothing is wrong", {"logger": LOGGER})


def test_arguments_that_do_not_fit_leave_the_bare_message(
    recorded: Recording, log: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    class Unspeakable:
        def __str__(self) -> str:
            raise ValueError("no")

    logging.raiseExceptions = False  # what pytest's own handler says is not ours
    try:
        with jobtail.job("JB_1"):
            jobtail.CaptureHandler().handle(
                logging.makeLogRecord({"name": "a", "msg": "%d of", "args": ("x", 2), "levelno": 20})
            )
            jobtail.CaptureHandler().handle(logging.makeLogRecord({"name": "a", "msg": Unspeakable(), "levelno": 20}))
    finally:
        logging.raiseExceptions = True
    assert recorded.messages == [
        "%d of",
        "<test_arguments_that_do_not_fit_leave_the_bare_message.<locals>.Unspeakable that cannot be shown>",
    ]
    assert capsys.readouterr().err == ""


def test_a_formatter_of_the_user_wins(
    recorded: Recording, handler: jobtail.CaptureHandler, log: logging.Logger
) -> None:
    handler.setFormatter(logging.Formatter("<%(levelname)s %(message)s>"))
    with jobtail.job("JB_1"):
        log.info("hello", extra={"a": 1})
        handler.setFormatter(logging.Formatter("%(nothing)s"))
        log.info("still here")
    assert recorded.messages == ["<INFO hello>", "still here"]
    assert recorded.lines[0].metadata == {"logger": LOGGER, "a": 1}


@pytest.mark.parametrize("style", ["%", "{", "$"])
def test_the_form_that_basic_config_gives_every_handler_is_not_the_users(
    recorded: Recording, log: logging.Logger, style: Literal["%", "{", "$"]
) -> None:
    root = logging.getLogger()
    present = root.handlers[:]
    try:
        logging.basicConfig(handlers=[handler := jobtail.CaptureHandler()], style=style, force=True)
        assert handler.formatter is not None
        with jobtail.job("JB_1"):
            log.warning("%d orders", 3)
            structlog_logger(structlog.stdlib.ProcessorFormatter.wrap_for_formatter).warning("paid", order=7)
    finally:
        root.handlers[:] = present
    assert recorded.messages == ["3 orders", "paid"]


def test_loguru_is_captured_with_what_was_bound_and_one_traceback(recorded: Recording) -> None:
    logger = loguru.logger
    logger.remove()
    number = logger.add(jobtail.CaptureHandler(), format="{message}")
    try:
        with jobtail.job("JB_1"):
            logger.bind(order=7).info("paid {amount}", amount=3.5)
            try:
                fail(ValueError("late"))
            except ValueError:
                logger.exception("failed")
    finally:
        logger.remove(number)
    first, second = recorded.lines
    assert (first.message, first.metadata) == ("paid 3.5", {"logger": __name__, "order": 7, "amount": 3.5})
    assert second.message.startswith("failed\nTraceback (most recent call last):\n")
    assert second.message.endswith("\nValueError: late")
    assert second.message.count("Traceback") == 1
    assert dict(second.metadata or {}) == {"logger": __name__, "exception": "ValueError", "error": "late"}


def fail(error: Exception) -> None:
    raise error


def structlog_logger(*processors: Any) -> Any:
    return structlog.wrap_logger(
        logging.getLogger(LOGGER),
        processors=[structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name, *processors],
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def test_structlog_through_its_formatter_keeps_the_event_and_its_facts(
    recorded: Recording, handler: jobtail.CaptureHandler
) -> None:
    log = structlog_logger(structlog.stdlib.ProcessorFormatter.wrap_for_formatter)
    with jobtail.job("JB_1"):
        log.bind(order=7).warning("not paid", amount=3.5)
        try:
            fail(ValueError("late"))
        except ValueError as error:
            log.error("failed", exc_info=error)  # noqa: TRY400 - the exception itself, as structlog allows
    first, second = recorded.lines
    assert (first.message, first.level) == ("not paid", LogLevel.WARNING)
    assert first.metadata == {"logger": LOGGER, "level": "warning", "order": 7, "amount": 3.5}
    assert second.message.startswith("failed\nTraceback (most recent call last):\n")
    assert dict(second.metadata or {})["exception"] == "ValueError"


def test_structlog_that_renders_or_passes_extra_is_captured_too(recorded: Recording) -> None:
    with jobtail.job("JB_1"):
        structlog_logger(structlog.processors.KeyValueRenderer(key_order=["event"])).info("paid", order=7)
        structlog_logger(structlog.stdlib.render_to_log_kwargs).info("sent", order=8)
    assert recorded.messages[0].startswith("event='paid'")
    assert recorded.messages[1] == "sent"
    assert dict(recorded.lines[1].metadata or {})["order"] == 8


def test_a_message_that_is_a_mapping_is_shown_as_text(recorded: Recording, log: logging.Logger) -> None:
    with jobtail.job("JB_1"):
        log.info({"a": 1})
    assert recorded.messages == ["{'a': 1}"]


def test_what_capture_itself_logs_is_not_captured(handler: jobtail.CaptureHandler) -> None:
    """A sink that talks to a port where nobody listens, by urllib3, which logs each try at DEBUG."""
    pool = urllib3.HTTPConnectionPool("127.0.0.1", 9, retries=urllib3.Retry(1, backoff_factor=0))
    tries = threading.Event()
    failures: list[Batch] = []

    def post(batch: Batch) -> None:
        try:
            pool.request("POST", "/", body=b"x", timeout=1)
        except urllib3.exceptions.HTTPError as error:
            failures.append(batch)
            logging.getLogger("anything").warning("from the writer's thread")
            if len(failures) == 3:
                tries.set()
            if len(failures) <= 3:
                raise SinkUnavailable from error

    heard: list[logging.LogRecord] = []
    handler.addFilter(lambda record: not heard.append(record))  # type: ignore[func-returns-value]
    sink = RecordingSink(post)
    client.use(client.Client(sink))
    with jobtail.job("JB_1") as emitter:
        logging.getLogger("jobtail").warning("of ours, from the job's thread")
        logging.getLogger("jobtail.outbox.transport").warning("of ours, from the job's thread")
        emitter.emit_info("hello")
        assert client.flush(LONG_S)
        assert tries.wait(LONG_S)
    client.use(None)
    assert [event.message for event in sink.events if isinstance(event, Line)] == ["hello"]
    assert {"urllib3.connectionpool", "jobtail", "anything"} <= {record.name for record in heard}


def test_outside_a_job_a_record_is_let_go(recorded: Recording, log: logging.Logger) -> None:
    log.error("nobody's")
    assert recorded.events == []


@contextmanager
def queued(log: logging.Logger, queue: Any) -> Iterator[None]:
    """Hand what a logger says to a queue, and to nobody else."""
    sender = QueueHandler(queue)
    log.addHandler(sender)
    log.propagate = False
    try:
        yield
    finally:
        log.propagate = True
        log.removeHandler(sender)


def test_behind_a_queue_records_are_lines_of_the_job_and_place_that_they_were_made_in(
    recorded: Recording, log: logging.Logger
) -> None:
    queue: SimpleQueue[logging.LogRecord] = SimpleQueue()
    listener = QueueListener(queue, jobtail.CaptureHandler())
    with queued(log, queue):
        with jobtail.job("JB_1") as emitter, jobtail.stage("fetch"), jobtail.task("CNT_1"):
            log.info("%d rows", 3)
        with jobtail.job("JB_2") as emitter:
            emitter.emit_stage("score", "scoring")
            log.warning("in the emitted stage")
        log.info("outside of any job")
        listener.start()
        listener.stop()
    lines = {line.message: (line.job_id, line.stage, line.task_id, line.level) for line in recorded.lines}
    assert lines == {
        "3 rows": ("JB_1", "fetch", "CNT_1", LogLevel.INFO),
        "scoring": ("JB_2", "score", None, LogLevel.INFO),
        "in the emitted stage": ("JB_2", "score", None, LogLevel.WARNING),
    }


def test_a_record_keeps_its_place_on_its_way_to_another_process(recorded: Recording, log: logging.Logger) -> None:
    queue: SimpleQueue[logging.LogRecord] = SimpleQueue()
    with queued(log, queue), jobtail.job("JB_1"):
        log.info("said", extra={"rows": 3})
    arrived = pickle.loads(pickle.dumps(queue.get()))
    assert "jobtail_place" not in vars(arrived), "no formatter takes it for a field of the application's"
    jobtail.CaptureHandler().handle(arrived)
    assert (recorded.line.job_id, recorded.line.message) == ("JB_1", "said")
    assert recorded.line.metadata == {"logger": LOGGER, "rows": 3}


def test_an_application_that_makes_records_of_its_own_keeps_them(monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(logging.LogRecord):
        pass

    before = logging.getLogRecordFactory()
    try:
        logging.setLogRecordFactory(Own)
        jobtail.CaptureHandler()
        assert logging.getLogRecordFactory() is Own
    finally:
        logging.setLogRecordFactory(before)


def hear_alone(monkeypatch: pytest.MonkeyPatch, *others: logging.Handler) -> None:
    """Let the root have nothing but two handlers of ours, and others that are named."""
    handlers = [jobtail.CaptureHandler(), jobtail.CaptureHandler(), *others]
    monkeypatch.setattr(logging.getLogger(), "handlers", handlers)


def test_where_no_other_handler_is_a_warning_goes_to_stderr_once_as_without_ours(
    monkeypatch: pytest.MonkeyPatch, log: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    hear_alone(monkeypatch)
    log.info("quiet")
    log.warning("the disk is nearly full")
    logging.getLogger("jobtail").warning("of capture")
    with recording(), jobtail.job("JB_1"):
        log.error("in a job")
    logging.getLogger().warning("of the root")
    said = capsys.readouterr().err.splitlines()
    assert said == ["the disk is nearly full", "of capture", "in a job", "of the root"]


@pytest.mark.parametrize("other", [logging.NullHandler(), logging.StreamHandler(io.StringIO())], ids=["null", "stream"])
def test_where_another_handler_is_nothing_goes_to_stderr(
    monkeypatch: pytest.MonkeyPatch, log: logging.Logger, capsys: pytest.CaptureFixture[str], other: logging.Handler
) -> None:
    hear_alone(monkeypatch, other)
    log.warning("the disk is nearly full")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("created", ["yesterday", float("nan"), 1.7e18, None])
def test_a_record_whose_time_is_none_becomes_a_line_of_now(recorded: Recording, created: Any) -> None:
    with jobtail.job("JB_1"):
        jobtail.CaptureHandler().handle(
            logging.makeLogRecord({"msg": "said", "levelno": 20, "created": created, "name": LOGGER})
        )
    assert recorded.line.message == "said"
    assert recorded.line.at is not None
    assert datetime.now(UTC) - recorded.line.at < timedelta(minutes=5)
