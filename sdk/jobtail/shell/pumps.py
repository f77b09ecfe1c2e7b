"""Copies streams as bytes come, in the order in which they were read, each as fast as its own target takes it."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import stat
import struct
import termios
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from jobtail.shell.exits import say

READ_BYTES = 1 << 16
GRACE_S = 2.0
"""How long we wait for output of processes that the command has left behind."""
LOOK_EVERY_S = 0.5
TERMINAL_BYTES = 1 << 20
"""More than a pseudo-terminal holds, which does not tell how much that is."""
TERMINAL_S = 0.25
"""How long what a pseudo-terminal holds may be on its way to us."""

Take = Callable[[bytes], None]


class Mover(Protocol):
    """One that moves bytes whenever a descriptor is ready for it."""

    @property
    def interest(self) -> tuple[int, int] | None:
        """Name the descriptor and the event that it waits for."""

    def move(self) -> None:
        """Do what `interest` waited for."""


class Ended(Protocol):
    """The command: `jobtail.shell.command.Command`."""

    is_hurried: bool

    @property
    def ending(self) -> object | None: ...


class Pump:
    """One stream. What was read is written before more is read, so a slow target slows its own source only."""

    def __init__(self, source: int, target: int, take: Take | None = None) -> None:
        self.source = source
        self.is_open = True
        self._target = target
        self._take = take
        self._pending = memoryview(b"")
        self._owed: int | None = None
        """Bytes that were in the source when the command ended, and are still to be read; None: it runs."""
        # A pipe that is ready takes this much at once; more could block the other streams.
        self._write_bytes = READ_BYTES if stat.S_ISREG(os.fstat(target).st_mode) else select.PIPE_BUF

    @property
    def interest(self) -> tuple[int, int] | None:
        if not self.is_open:
            return None
        return (self._target, select.POLLOUT) if self._pending else (self.source, select.POLLIN)

    def move(self) -> None:
        try:
            if self._pending:
                written = os.write(self._target, self._pending[: self._write_bytes])
                self._pending = self._pending[written:]
            else:
                self._read()
        except BlockingIOError:
            pass
        except OSError as error:
            self.close()
            if error.errno not in {errno.EIO, errno.EPIPE}:
                say(f"the command's output cannot be written: {error.strerror}")

    def note_end(self) -> None:
        """Note that the command has ended: what the source holds now was written by it, and is copied however long it takes."""
        if self.is_open:
            self._owed = TERMINAL_BYTES if os.isatty(self.source) else _held(self.source)

    def leave(self) -> None:
        """End, where all that the command has written is copied: its grace is over."""
        if self.is_open and not self._pending and not self._is_owed():
            self.close()

    def _is_owed(self) -> bool:
        return bool(self._owed) and _is_readable(self.source, TERMINAL_S)

    def close(self) -> None:
        """Let go of the source: who writes there finds a closed pipe, as it would have found the target."""
        if self.is_open:
            self.is_open = False
            os.close(self.source)

    def _read(self) -> None:
        data = os.read(self.source, READ_BYTES)  # a pseudo-terminal without a program ends by EIO
        if not data:
            self.close()
            return
        if self._owed is not None:
            self._owed = max(self._owed - len(data), 0)
        if self._take is not None:
            self._take(data)
        self._pending = memoryview(data)


def pump(outputs: Sequence[Pump], keyboard: Pump | None, beside: Sequence[Mover], wake: int, command: Ended) -> None:
    """Copy until the command has ended and so have its outputs, or its remaining writers had their grace.

    `wake` is a descriptor that is readable when something about the command has changed. Those `beside` move, too.
    """
    deadline: float | None = None
    while deadline is None or any(output.is_open for output in outputs):
        if deadline is None and command.ending is not None:
            deadline = time.monotonic() + GRACE_S
            keyboard = None
            for output in outputs:
                output.note_end()
            continue
        is_over = deadline is not None and time.monotonic() >= deadline
        for output in outputs:
            if command.is_hurried:
                output.close()
            elif is_over:
                output.leave()
        wait_s = LOOK_EVERY_S if deadline is None or is_over else deadline - time.monotonic()
        move_ready([*outputs, *beside, *([keyboard] if keyboard else [])], wake, max(wait_s, 0))


def move_ready(movers: Sequence[Mover], wake: int, timeout_s: float) -> None:
    """Let those move whose descriptors are ready, or become so within a time."""
    poll = select.poll()
    poll.register(wake, select.POLLIN)
    waiting: dict[int, Mover] = {}
    for each in movers:
        if (interest := each.interest) is not None:
            descriptor, event = interest
            waiting[descriptor] = each
            poll.register(descriptor, event)
    for descriptor, _ in poll.poll(timeout_s * 1000):
        if descriptor == wake:
            os.read(wake, READ_BYTES)
        else:
            waiting[descriptor].move()


def _held(pipe: int) -> int:
    """Tell how many bytes a pipe holds."""
    (held,) = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(struct.calcsize("i"))))
    return int(held)


def _is_readable(descriptor: int, timeout_s: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(timeout_s * 1000))
