"""The command as a process: started with the streams that it would have had, and waited for."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock

from jobtail.shell.exits import Exit

PYTHON_IGNORES = (signal.SIGPIPE, signal.SIGXFSZ)
"""Python ignores them, and what is ignored stays so in a new program."""

SHELL = "/bin/sh"
LOOKED_THROUGH = 512
"""Bytes of a file that has no NUL among them if it is a script."""

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

    def die_likewise(self) -> None:
        """End by the signal that ended the command: a script around us stops by it, too. Returns where that cannot be."""
        if self.code >= 0:
            return
        with suppress(OSError, ValueError):  # a signal that cannot be caught has no action to restore
            resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
            signal.signal(-self.code, signal.SIG_DFL)
        signal.pthread_kill(threading.get_ident(), -self.code)  # not to the thread that waits for signals
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {-self.code})


class Children:
    """Our children, and as the first process of a container everybody's orphans, which are not kept as zombies."""

    def __init__(self) -> None:
        self._endings: dict[int, int | None] = {}
        self._lock = Lock()

    def add(self, pid: int) -> None:
        with self._lock:
            self._endings[pid] = None

    def ending(self, pid: int) -> int | None:
        """Tell how a child ended, as `subprocess` does; None: it runs."""
        with self._lock:
            with suppress(ChildProcessError):  # there is none any more
                while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                    if ended[0] in self._endings:
                        self._endings[ended[0]] = os.waitstatus_to_exitcode(ended[1])
            return self._endings[pid]

    def signal(self, pid: int, number: int) -> bool:
        """Send a signal, as long as the number is the child's own. Says whether it was."""
        with self._lock:
            is_there = self._endings[pid] is None
            if is_there:
                os.kill(pid, number)
            return is_there


@dataclass(slots=True)
class Command:
    """A started process."""

    children: Children
    pid: int
    is_hurried: bool = False
    """A signal came after its end: whoever is still here shall go."""

    @property
    def ending(self) -> Ending | None:
        code = self.children.ending(self.pid)
        return None if code is None else Ending(code)

    def signal(self, number: int) -> None:
        if not self.children.signal(self.pid, number) and number in HURRYING:
            self.is_hurried = True


def start(
    children: Children,
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

    def spawn(program: str, words: list[str]) -> int:
        return os.posix_spawnp(
            program,
            words,
            environment,
            file_actions=file_actions,
            setsigmask=mask,
            setsigdef=PYTHON_IGNORES,
            setsid=in_new_session,
        )

    try:
        pid = _spawned(spawn, arguments)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise CannotStart(_why_not_found(arguments[0]), Exit.NOT_FOUND) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise CannotStart(f"{arguments[0]}: cannot be executed: {reason}", Exit.NOT_EXECUTABLE) from error
    children.add(pid)
    return Command(children, pid)


def _spawned(spawn: Callable[[str, list[str]], int], arguments: Sequence[str]) -> int:
    """Start a program, or as shells do a script that does not say in its first line what reads it."""
    try:
        return spawn(arguments[0], list(arguments))
    except OSError as error:
        script = shutil.which(arguments[0]) if error.errno == errno.ENOEXEC else None
        if script is None or not _is_text(script):
            raise
        return spawn(SHELL, [SHELL, script, *arguments[1:]])


def _is_text(program: str) -> bool:
    with open(program, "rb") as file:  # noqa: PTH123 - no more than a name
        return b"\0" not in file.read(LOOKED_THROUGH)


def _why_not_found(program: str) -> str:
    if shutil.which(program):
        return f"{program}: the interpreter that its first line names is not found"
    return f"{program}: command not found"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
