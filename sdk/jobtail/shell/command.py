"""The command as a process: started with the streams that it would have had, and waited for."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock

from jobtail.shell.exits import Exit

PYTHON_IGNORES = (signal.SIGPIPE, signal.SIGXFSZ)
"""Python ignores them, and what is ignored stays so in a new program."""

HURRYING = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT})

FileActions = list[tuple[int, int, int] | tuple[int, int, str, int, int] | tuple[int, int]]


class CannotStart(Exception):
    """The command is not there, or cannot be executed."""

    def __init__(self, message: str, status: Exit) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Ending:
    """How the command ended: its exit status, or minus the signal that killed it."""

    code: int

    @property
    def status(self) -> int:
        """Give what a shell's `$?` would be."""
        return self.code if self.code >= 0 else 128 - self.code

    @property
    def error(self) -> str | None:
        if self.code == 0:
            return None
        return f"exit status {self.code}" if self.code > 0 else f"killed by {_signal_name(-self.code)}"


@dataclass(slots=True)
class Command:
    """A started process. Signals are sent to it only as long as its number is its own."""

    pid: int
    ending: Ending | None = None
    is_hurried: bool = False
    """A signal came after its end: whoever is still here shall go."""
    _lock: Lock = field(default_factory=Lock)

    def poll(self) -> bool:
        """Tell whether it has ended."""
        with self._lock:
            if self.ending is None:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    self.ending = Ending(os.waitstatus_to_exitcode(status))
            return self.ending is not None

    def signal(self, number: int) -> None:
        with self._lock:
            if self.ending is None:
                os.kill(self.pid, number)
            elif number in HURRYING:
                self.is_hurried = True


def start(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    file_actions: FileActions,
    *,
    mask: Collection[int],
    in_new_session: bool,
) -> Command:
    """Start a command; descriptors that were handed to us are handed on.

    `mask` are the signals that it has blocked. No Python runs between fork and exec, since threads run already.

    Raises:
        CannotStart: if there is no such program, or it is none.
    """
    try:
        pid = os.posix_spawnp(
            arguments[0],
            list(arguments),
            environment,
            file_actions=file_actions,
            setsigmask=mask,
            setsigdef=PYTHON_IGNORES,
            setsid=in_new_session,
        )
    except (FileNotFoundError, NotADirectoryError) as error:
        raise CannotStart(_why_not_found(arguments[0]), Exit.NOT_FOUND) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise CannotStart(f"{arguments[0]}: cannot be executed: {reason}", Exit.NOT_EXECUTABLE) from error
    return Command(pid)


def _why_not_found(program: str) -> str:
    if shutil.which(program):
        return f"{program}: the interpreter that its first line names is not found"
    return f"{program}: command not found"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
