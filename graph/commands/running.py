"""A command of the service, run to its end."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from domain.errors import JobtailError
from graph.configuration import read_settings, shown, unknown_variables
from graph.observability.own_log import configure
from graph.settings import LogFormat, Settings

log = logging.getLogger(__name__)


def run(work: Callable[[Settings], Coroutine[Any, Any, None]]) -> None:
    """Run a command. An error of ours ends it with one clear line, Ctrl-C without a word."""
    settings: Settings | None = None
    try:
        settings = read_settings()
        configure(settings.log_level, settings.log_format)
        for said in unknown_variables():
            log.warning("%s", said)
        asyncio.run(work(settings))
    except JobtailError as error:
        if settings is not None and settings.log_format is LogFormat.JSON:
            log.critical("%s", error)
            sys.exit(1)
        sys.exit(f"jobtail-server: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def say_database(settings: Settings) -> None:
    """Say on stderr which database a command works on."""
    print(f"Database: {database_of(settings)}", file=sys.stderr)  # noqa: T201 - for the user


def database_of(settings: Settings) -> str:
    """Name the database for people."""
    if settings.database_url is not None:
        return shown(settings.database_url)
    return f"the embedded one in {settings.data_dir.absolute()}"
