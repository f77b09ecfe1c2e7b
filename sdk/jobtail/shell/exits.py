"""The exit statuses of the command, and its messages of what went wrong."""

from __future__ import annotations

import sys
from contextlib import suppress
from enum import IntEnum

from jobtail.events import JobStatus

PROGRAM = "jobtail"


class Exit(IntEnum):
    COMPLETED = 0
    FAILED = 1
    USAGE = 2
    NO_SERVICE = 3
    NO_JOB = 4
    CANCELLED = 5
    NOT_EXECUTABLE = 126
    NOT_FOUND = 127
    INTERRUPTED = 130
    CLOSED_OUTPUT = 141


EXIT_OF_STATUS = {
    JobStatus.COMPLETED: Exit.COMPLETED,
    JobStatus.FAILED: Exit.FAILED,
    JobStatus.CANCELLED: Exit.CANCELLED,
}


def say(message: str) -> None:
    """Tell the user something on stderr, which may be closed."""
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"{PROGRAM}: {message}\n")
        sys.stderr.flush()
