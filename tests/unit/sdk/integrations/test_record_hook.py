"""Records of tasks are heard however the worker sets logging up, and logging itself works as without it."""

from __future__ import annotations

import io
import logging
import logging.config
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

import jobtail
from jobtail.integrations import record_hook
from tests.recording import Recording, recording

log = logging.getLogger("shop")


@contextmanager
def fresh_root() -> Iterator[logging.Logger]:
    """Give the root logger as a program finds it at its start, with every record heard."""
    root, call_handlers = logging.getLogger(), logging.Logger.callHandlers
    handlers, level, root.handlers = root.handlers, root.level, []
    root.setLevel(logging.INFO)
    record_hook.listen(apart_from=["queue"])
    try:
        yield root
    finally:
        root.handlers = handlers
        root.setLevel(level)
        setattr(logging.Logger, "callHandlers", call_handlers)  # noqa: B010 - a method
        record_hook._ear.cache_clear()


@pytest.fixture
def recorded() -> Iterator[Recording]:
    with recording() as recorded:
        yield recorded


ANEW: dict[str, Callable[[], None]] = {
    "dictConfig": lambda: logging.config.dictConfig(
        {"version": 1, "disable_existing_loggers": False, "root": {"level": "INFO"}}
    ),
    "fileConfig": lambda: logging.config.fileConfig(
        io.StringIO(
            "[loggers]\nkeys=root\n[handlers]\nkeys=\n[formatters]\nkeys=\n[logger_root]\nlevel=INFO\nhandlers="
        ),
        disable_existing_loggers=False,
    ),
    "basicConfig": lambda: logging.basicConfig(force=True, level=logging.INFO, stream=io.StringIO()),
    "no handler at all": lambda: logging.getLogger().handlers.clear(),  # noqa: PLW0108 - those of that moment
}


@pytest.mark.parametrize("set_up", ANEW.values(), ids=ANEW)
def test_what_is_logged_after_logging_was_set_up_anew_is_captured(
    recorded: Recording, set_up: Callable[[], None]
) -> None:
    with fresh_root(), jobtail.job("JB_1"):
        log.info("before")
        set_up()
        log.info("after")
    assert recorded.messages == ["before", "after"]


def test_a_program_without_handlers_shows_its_warnings_as_ever(
    recorded: Recording, capsys: pytest.CaptureFixture[str]
) -> None:
    with fresh_root(), jobtail.job("JB_1"):
        log.info("quiet")
        log.warning("the disk is nearly full")
    assert capsys.readouterr().err == "the disk is nearly full\n"
    assert recorded.messages == ["quiet", "the disk is nearly full"]


def test_basic_config_still_finds_a_root_without_handlers(recorded: Recording) -> None:
    shown = io.StringIO()
    with fresh_root(), jobtail.job("JB_1"):
        log.info("before")
        logging.basicConfig(level=logging.INFO, stream=shown, format="%(message)s")
        log.info("after")
    assert shown.getvalue() == "after\n"
    assert recorded.messages == ["before", "after"]


def test_the_applications_own_handler_hears_each_record_once(recorded: Recording) -> None:
    with fresh_root() as root, jobtail.job("JB_1"):
        root.addHandler(jobtail.CaptureHandler())
        log.info("once")
    assert recorded.messages == ["once"]


def test_only_what_would_reach_the_root_is_heard_and_what_is_named(recorded: Recording) -> None:
    apart, named = logging.getLogger("apart"), logging.getLogger("named.task")
    apart.propagate = logging.getLogger("named").propagate = False
    try:
        with fresh_root(), jobtail.job("JB_1"):
            record_hook.listen(apart_from=[], also_to=["named"])
            apart.warning("kept to itself")
            named.warning("heard")
            logging.getLogger("queue").warning("of the queue's own work")
            logging.getLogger("jobtail").warning("ours")
        log.warning("outside of any job")
    finally:
        apart.propagate = logging.getLogger("named").propagate = True
    assert recorded.messages == ["heard"]
