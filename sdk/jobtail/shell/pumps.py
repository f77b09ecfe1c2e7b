"""Copies streams as bytes come, in the order in which they were read, each as fast as its own target takes it."""

from __future__ import annotations

import errno
import os
import select
import stat
import time
from collections.abc import Callable, Sequence

from jobtail.shell.exits import say

READ_BYTES = 1 << 16
LAST_READ_BYTES = 1 << 20
"""More than a pipe holds."""
GRACE_S = 2.0
"""How long we wait for output of processes that the command has left behind."""
LOOK_EVERY_S = 0.5

Take = Callable[[bytes], None]


class Pump:
    """One stream. What was read is written before more is read, so a slow target slows its own source only."""

    def __init__(self, source: int, target: int, take: Take | None = None) -> None:
        self.source = source
        self.is_open = True
        self._target = target
        self._take = take
        self._pending = memoryview(b"")
        # A pipe that is ready takes this much at once; more could block the other streams.
        self._write_bytes = READ_BYTES if stat.S_ISREG(os.fstat(target).st_mode) else select.PIPE_BUF

    @property
    def interest(self) -> tuple[int, int] | None:
        """Name the descriptor and the event that it waits for."""
        if not self.is_open:
            return None
        return (self._target, select.POLLOUT) if self._pending else (self.source, select.POLLIN)

    def move(self) -> None:
        """Do what `interest` waited for."""
        try:
            if self._pending:
                written = os.write(self._target, self._pending[: self._write_bytes])
                self._pending = self._pending[written:]
            else:
                self._read(READ_BYTES)
        except BlockingIOError:
            pass
        except OSError as error:
            self.close()
            if error.errno not in {errno.EIO, errno.EPIPE}:
                say(f"the command's output cannot be written: {error.strerror}")

    def finish(self) -> None:
        """Copy what the source holds by now, and end."""
        if self.is_open and not self._pending and _wait_for(self.source, select.POLLIN, 0):
            try:
                self._read(LAST_READ_BYTES)
            except OSError:
                self.close()
        while self.is_open and self._pending:
            _wait_for(self._target, select.POLLOUT)
            self.move()
        self.close()

    def close(self) -> None:
        """Let go of the source: who writes there finds a closed pipe, as it would have found the target."""
        if self.is_open:
            self.is_open = False
            os.close(self.source)

    def _read(self, size: int) -> None:
        data = os.read(self.source, size)  # a pseudo-terminal without a program ends by EIO
        if not data:
            self.close()
            return
        if self._take is not None:
            self._take(data)
        self._pending = memoryview(data)


def pump(outputs: Sequence[Pump], keyboard: Pump | None, wake: int, has_ended: Callable[[], bool]) -> None:
    """Copy until the command has ended and so have its outputs, or its remaining writers had their grace.

    `wake` is a descriptor that is readable when `has_ended` may have changed.
    """
    deadline: float | None = None
    while deadline is None or any(output.is_open for output in outputs):
        if deadline is None and has_ended():
            deadline = time.monotonic() + GRACE_S
            keyboard = None
            continue
        if deadline is not None and time.monotonic() >= deadline:
            break
        pumps = [*outputs, keyboard] if keyboard else list(outputs)
        _move_ready(pumps, wake, LOOK_EVERY_S if deadline is None else max(deadline - time.monotonic(), 0))
    for output in outputs:
        output.finish()


def _move_ready(pumps: Sequence[Pump], wake: int, timeout_s: float) -> None:
    poll = select.poll()
    poll.register(wake, select.POLLIN)
    waiting: dict[int, Pump] = {}
    for each in pumps:
        if each.interest is not None:
            descriptor, event = each.interest
            waiting[descriptor] = each
            poll.register(descriptor, event)
    for descriptor, _ in poll.poll(timeout_s * 1000):
        if descriptor == wake:
            os.read(wake, READ_BYTES)
        else:
            waiting[descriptor].move()


def _wait_for(descriptor: int, event: int, timeout_ms: int | None = None) -> bool:
    poll = select.poll()
    poll.register(descriptor, event)
    return bool(poll.poll(timeout_ms))
