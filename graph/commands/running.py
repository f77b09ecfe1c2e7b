"""Runs a command of the service to its end."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any

from domain.errors import JobtailError


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a command. An error of ours ends it with one clear line, Ctrl-C without a word."""
    try:
        asyncio.run(work)
    except JobtailError as error:
        sys.exit(f"jobtail-server: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
