"""The user's terminal, and the pseudo-terminal that the command sees in its place."""

from __future__ import annotations

import fcntl
import os
import signal
import struct
import termios
import tty
from contextlib import suppress
from typing import Any

from jobtail.shell import signals
from jobtail.shell.pumps import Pump

USUAL_SIZE = struct.pack("HHHH", 24, 80, 0, 0)
"""Of a pseudo-terminal where there is no terminal: rows and columns."""
OUTPUT_FLAGS, LOCAL_FLAGS, CONTROL_CHARACTERS = 1, 3, 6
SIGNAL_KEYS = ((termios.VINTR, signal.SIGINT), (termios.VQUIT, signal.SIGQUIT), (termios.VSUSP, signal.SIGTSTP))


class Terminal:
    """The terminal that we were started from. While we are in its foreground it is raw, and its keys are handed on."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.modes: list[Any] = termios.tcgetattr(descriptor)
        self.is_attached = False
        self._is_held = False

    @classmethod
    def of_process(cls) -> Terminal | None:
        try:
            return cls(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
        except (OSError, termios.error):
            return None

    @property
    def size(self) -> bytes:
        return fcntl.ioctl(self.descriptor, termios.TIOCGWINSZ, bytes(len(USUAL_SIZE)))

    def attach(self) -> None:
        """Make it raw, if we are in the foreground: a background job that does so is stopped."""
        if not self.is_attached and not self._is_held and self._is_ours():
            self.modes = termios.tcgetattr(self.descriptor)
            tty.setraw(self.descriptor, termios.TCSANOW)
            self.is_attached = True

    def suspend(self) -> None:
        """Give it back until we go on after a stop."""
        self._is_held = True
        self.detach()

    def resume(self) -> None:
        self._is_held = False
        self.attach()

    def detach(self) -> None:
        """Give it back as it was."""
        if self.is_attached:
            self.is_attached = False
            with suppress(termios.error):  # it may be gone
                termios.tcsetattr(self.descriptor, termios.TCSADRAIN, self.modes)

    def _is_ours(self) -> bool:
        try:
            return os.tcgetpgrp(self.descriptor) == os.getpgrp()
        except OSError:
            return False


class PseudoTerminal:
    """A pair: we hold the master, the command opens the slave by its name."""

    def __init__(self, outer: Terminal | None) -> None:
        self.outer = outer
        self.master, slave = os.openpty()
        self.slave_name = os.ttyname(slave)
        os.close(os.open(self.slave_name, os.O_RDWR | os.O_NOCTTY))  # else the command could not
        self._slave: int | None = slave
        termios.tcsetattr(slave, termios.TCSANOW, outer.modes if outer else _unchanging(termios.tcgetattr(slave)))
        self.resize()

    def resize(self) -> None:
        """Take over the size of the outer terminal; the kernel tells the command."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, self.outer.size if self.outer else USUAL_SIZE)

    def release_slave(self) -> None:
        """Leave the slave to the command: it ends when nobody has it open."""
        if self._slave is not None:
            os.close(self._slave)
            self._slave = None

    def signal(self, number: int, command: int) -> None:
        """Send a signal to all of the command's foreground, as a terminal does."""
        with suppress(ProcessLookupError):
            os.killpg(self.foreground or command, number)

    @property
    def foreground(self) -> int:
        try:
            return os.tcgetpgrp(self.master)
        except OSError:
            return 0

    def signals_of(self, keys: bytes) -> list[int]:
        """Tell the signals that keys stand for, unless the command has asked to get them as mere keys."""
        modes = termios.tcgetattr(self.master)
        if not modes[LOCAL_FLAGS] & termios.ISIG:
            return []
        return [number for character, number in SIGNAL_KEYS if modes[CONTROL_CHARACTERS][character] in keys]


class Keyboard(Pump):
    """Hands keys on while the outer terminal is ours."""

    def __init__(self, outer: Terminal, inner: PseudoTerminal, command: int) -> None:
        super().__init__(os.dup(outer.descriptor), os.dup(inner.master), self._look_for_signals)
        self._outer = outer
        self._inner = inner
        self._command = command

    @property
    def interest(self) -> tuple[int, int] | None:
        self._outer.attach()
        return super().interest if self._outer.is_attached else None

    def _look_for_signals(self, keys: bytes) -> None:
        """Send the signal of a key such as Ctrl-C to our group, too, as the terminal would if it were not raw.

        So the others of a pipeline hear it, and a script around us. Where the command has a shell of its own within,
        keys are meant for what runs there. Ctrl-Z is heard by us as well: the kernel stops nobody by it whose session
        has no shell to continue it.
        """
        if self._inner.foreground != self._command:
            return
        for number in self._inner.signals_of(keys):
            if number == signal.SIGTSTP:
                os.killpg(os.getpgrp(), number)
            else:
                signals.tell_group(number)


def _unchanging(modes: list[Any]) -> list[Any]:
    """Let output through as it is: no terminal will undo what a pseudo-terminal adds."""
    modes[OUTPUT_FLAGS] &= ~termios.OPOST
    return modes
