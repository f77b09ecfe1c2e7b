"""`jobtail run`: runs a command as if it stood alone, and captures what it prints."""

from __future__ import annotations

import os
import signal
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from jobtail.shell import signals
from jobtail.shell.capture_process import CaptureProcess
from jobtail.shell.command import CannotStart, Children, Command, Ending, FileActions, start
from jobtail.shell.command_job import CommandJob
from jobtail.shell.exits import say
from jobtail.shell.open_files import are_one
from jobtail.shell.pumps import Pump, Take, pump
from jobtail.shell.terminal import Keyboard, PseudoTerminal, Terminal

STDIN, STDOUT, STDERR = 0, 1, 2


def run(job: CommandJob, url: str, token: str | None, *, use_pty: bool | None) -> int:
    """Run the command to its end. Gives its exit status.

    Args:
        job: the command, and what job it is to be.
        url: where its lines go.
        token: lets them in there.
        use_pty: whether its output is a pseudo-terminal; None: where ours is a terminal.
    """
    _open_standard_streams()
    mask = signals.block()
    children, job = Children(), job.identified()
    capture = _capture(children, job, url, token)
    streams = _streams(capture, use_pty)
    with _waking() as (readable, wake):
        try:
            command = start(
                children,
                job.command,
                job.environment(url),
                streams.file_actions,
                mask=mask,
                in_new_session=streams.in_new_session,
            )
        except CannotStart as error:
            say(str(error))
            signals.listen(_Nobody(), wake)
            _finish(capture, str(error), readable, lambda: False)
            return error.status
        ending = _copy(command, streams, capture, readable, wake)
        _close_output()
        _finish(capture, ending.error, readable, lambda: command.is_hurried)
    ending.die_likewise()
    return ending.status


def _capture(children: Children, job: CommandJob, url: str, token: str | None) -> CaptureProcess | None:
    try:
        return CaptureProcess.start(children, job, url, token)
    except OSError as error:
        say(f"the output is not captured: {error.strerror}")
        return None


def _finish(capture: CaptureProcess | None, error: str | None, wake: int, is_hurried: Callable[[], bool]) -> None:
    if capture is not None:
        capture.finish(error, wake, is_hurried)


def _copy(
    command: Command, streams: _Pipes, capture: CaptureProcess | None, readable: int, wake: Callable[[], None]
) -> Ending:
    """Copy its output and hand signals on, until it ends."""
    signals.listen(streams.signal_target(command), wake)
    beside = [] if capture is None else [capture.pipe]
    try:
        pump(streams.outputs(), streams.keyboard(command), beside, readable, command)
    finally:
        streams.restore()
    ending = command.ending
    assert ending is not None, "the copying ends after the command"
    return ending


def _close_output() -> None:
    """Let whoever reads our output find its end now, though the capture still has work."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, STDOUT)
    os.close(nowhere)


class _Pipes:
    """Each stream of the command is a pipe; it stays in our process group and shares our terminal, if there is one."""

    in_new_session = False

    def __init__(self, capture: CaptureProcess | None) -> None:
        self.file_actions: FileActions = []
        self._capture = capture
        self._sources: list[tuple[int, int, str]] = []
        self._inner_ends: list[int] = []
        self._open()

    def _open(self) -> None:
        if are_one(STDOUT, STDERR):
            self._add_pipe(STDOUT, "output")
            self.file_actions.append((os.POSIX_SPAWN_DUP2, STDOUT, STDERR))
        else:
            self._add_pipe(STDOUT, "stdout")
            self._add_pipe(STDERR, "stderr")

    def _add_pipe(self, target: int, name: str) -> None:
        source, inner_end = os.pipe()
        self.file_actions.append((os.POSIX_SPAWN_DUP2, inner_end, target))
        self._inner_ends.append(inner_end)
        self._sources.append((source, target, name))

    def outputs(self) -> list[Pump]:
        """Leave the inner ends to the command, and copy from ours."""
        for inner_end in self._inner_ends:
            os.close(inner_end)
        return [Pump(source, target, self._take(name)) for source, target, name in self._sources]

    def _take(self, name: str) -> Take | None:
        return None if self._capture is None else partial(self._capture.pipe.send, name)

    def keyboard(self, command: Command) -> Pump | None:  # noqa: ARG002 - it reads the terminal itself
        return None

    def signal_target(self, command: Command) -> signals.SignalTarget:
        return _GroupMember(command)

    def restore(self) -> None:
        """Leave the user's terminal as it was found."""


class _Terminals(_Pipes):
    """The command has a session and a pseudo-terminal of its own; streams that were none of a terminal stay pipes."""

    in_new_session = True

    def _open(self) -> None:
        self._outer = Terminal.of_process() if os.isatty(STDOUT) else None
        self._inner = PseudoTerminal(self._outer)
        # The first terminal that a new session opens becomes its own.
        self.file_actions.append((os.POSIX_SPAWN_OPEN, STDOUT, self._inner.slave_name, os.O_RDWR, 0))
        if os.isatty(STDIN):
            self.file_actions.append((os.POSIX_SPAWN_DUP2, STDOUT, STDIN))
        self._sources.append((self._inner.master, STDOUT, "terminal"))
        if os.isatty(STDERR) or are_one(STDOUT, STDERR):
            self.file_actions.append((os.POSIX_SPAWN_DUP2, STDOUT, STDERR))
        else:
            self._add_pipe(STDERR, "stderr")

    def outputs(self) -> list[Pump]:
        self._inner.release_slave()
        return super().outputs()

    def keyboard(self, command: Command) -> Pump | None:
        return Keyboard(self._outer, self._inner, command.pid) if self._outer else None

    def signal_target(self, command: Command) -> signals.SignalTarget:
        return _SessionOwner(command, self._inner)

    def restore(self) -> None:
        if self._outer:
            self._outer.detach()


class _Nobody:
    """No command is there to hear a signal."""

    def hear(self, number: int, *, is_from_terminal: bool) -> None:
        pass

    def suspend(self) -> None:
        pass

    def resume(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class _GroupMember:
    """The command in our own process group: the terminal's signals reach it without us, stops and their end too."""

    command: Command

    def hear(self, number: int, *, is_from_terminal: bool) -> None:
        # A hang-up is told to the leader of a session alone.
        if not is_from_terminal or number == signal.SIGHUP or self.command.ending:
            self.command.signal(number)

    def suspend(self) -> None:
        pass

    def resume(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class _SessionOwner:
    """The command in a session of its own: no signal reaches it without us."""

    command: Command
    terminal: PseudoTerminal

    def hear(self, number: int, *, is_from_terminal: bool) -> None:
        if number == signal.SIGWINCH:
            self.terminal.resize()
        elif is_from_terminal and not self.command.ending:
            self.terminal.signal(number, self.command.pid)
        else:
            self.command.signal(number)

    def suspend(self) -> None:
        """Stop it by force: the kernel stops nobody politely whose session has no shell."""
        self.terminal.signal(signal.SIGSTOP, self.command.pid)
        if self.terminal.outer:
            self.terminal.outer.suspend()

    def resume(self) -> None:
        if self.terminal.outer:
            self.terminal.outer.resume()
        self.terminal.resize()
        self.terminal.signal(signal.SIGCONT, self.command.pid)


@contextmanager
def _waking() -> Iterator[tuple[int, Callable[[], None]]]:
    """Make a descriptor that becomes readable, and what makes it so."""
    readable, writable = os.pipe()
    os.set_blocking(writable, False)

    def wake() -> None:
        with suppress(BlockingIOError):  # full: it is readable
            os.write(writable, b"\0")

    yield readable, wake


def _streams(capture: CaptureProcess | None, use_pty: bool | None) -> _Pipes:  # noqa: FBT001 - None is the third answer
    if use_pty or (use_pty is None and os.isatty(STDOUT)):
        try:
            return _Terminals(capture)
        except (OSError, termios.error) as error:  # none is left, or /dev/pts is not there
            if use_pty:
                say(f"there is no pseudo-terminal, so the command prints to pipes: {error.args[-1]}")
    return _Pipes(capture)


def _open_standard_streams() -> None:
    """Put /dev/null where there is none of them, lest a pipe of ours get its number."""
    for descriptor in (STDIN, STDOUT, STDERR):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # noqa: FBT003
