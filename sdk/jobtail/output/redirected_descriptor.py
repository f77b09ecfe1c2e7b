"""A descriptor of this process that leads into a pipe, so that what child processes write there can be heard.

Everything goes on to where the descriptor led before, at once and unchanged.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from threading import TIMEOUT_MAX, Lock, RLock, Thread
from typing import Any

from jobtail.current import outside
from jobtail.output.standard_streams import MovedStream

FIRST_FREE = 3
"""Descriptors below are standard streams: a closed one must not come to be one of ours."""
CHUNK = 1 << 16
MOST_AT_ONCE = 1 << 16
"""As much as a pipe holds: what was in it is read, and a child that never stops does not keep us."""


class Descriptor:
    """Leads a descriptor into a pipe from now on, until `restore`. POSIX only.

    Python's own streams write to where it led, past the pipe. A thread passes on what comes; whoever prints calls `pump`
    before, so that it comes after what children wrote until then. The thread goes on after `restore` for as long as a
    child holds the pipe.
    """

    def __init__(self, number: int, hear: Callable[[bytes], None]) -> None:
        """Redirect a descriptor.

        Raises:
            OSError: if it is closed, or there is no free one.
            RuntimeError: if no thread can be started.
        """
        self.number = number
        self._hear = hear
        # Reentrant: a signal handler may print in the middle of a print. Nothing of others is called under it.
        self._lock = RLock()
        self._telling = Lock()
        self._heard: deque[bytes] = deque()
        self._is_open = True
        self._saved = _duplicate(number)
        try:
            self._reading, writing = _pipe()
        except BaseException:
            os.close(self._saved)
            raise
        self._pipe = _identity(self._reading)
        self._moved: list[MovedStream] = []
        try:
            Thread(target=self._run, name=f"jobtail-output-{number}", daemon=True).start()
            self._moved = MovedStream.all_of(number, self._saved)
            os.dup2(writing, number)
        finally:
            os.close(writing)

    def is_past_pipe(self, stream: Any) -> bool:
        """Tell whether what is written to a stream of Python's does not come through the pipe."""
        return any(moved.is_of(stream) for moved in self._moved)

    def pump(self, timeout_s: float = 0) -> bool:
        """Pass on what is in the pipe, and wait so long until it is heard. False once nobody can write to it any more."""
        with self._lock:
            goes_on = self._read()
        self._tell(timeout_s)
        return goes_on

    def drain(self, timeout_s: float) -> None:
        """Pass on what is in the pipe, and wait until it is heard, for at most so long."""
        if self._lock.acquire(timeout=timeout_s):
            try:
                self._read()
            finally:
                self._lock.release()
        self._tell(timeout_s)

    def restore(self) -> None:
        """Lead the descriptor to where it led before, unless somebody has led it elsewhere meanwhile."""
        with self._lock:
            if self._is_open and _identity(self.number) == self._pipe:
                os.dup2(self._saved, self.number)
            self._move_back()

    def renew_locks(self) -> None:
        self._lock, self._telling = RLock(), Lock()

    def forget(self) -> None:
        """Close what a forked child has of this. Its descriptor still leads into the pipe of its parent."""
        self._move_back()
        self._close()

    def _move_back(self) -> None:
        for moved in self._moved:
            moved.back()
        self._moved = []

    def _run(self) -> None:
        from select import POLLIN, poll  # noqa: PLC0415 - POSIX only

        waiting = poll()
        waiting.register(self._reading, POLLIN)
        with outside():
            while True:
                waiting.poll()
                # It reads on when what it read was heard: a child that is faster waits, and no memory fills.
                if not self.pump(TIMEOUT_MAX):
                    break
        with self._lock:
            self._close()

    def _read(self) -> bool:
        left = MOST_AT_ONCE
        while left > 0 and self._is_open:
            try:
                data = os.read(self._reading, CHUNK)
            except BlockingIOError:
                return True
            except OSError:
                return False
            if not data:
                return False
            left -= len(data)
            self._heard.append(data)
            try:
                _write_all(self._saved, data)
            except OSError:
                continue  # the terminal is gone; what is said is heard all the same
        return self._is_open

    def _tell(self, timeout_s: float) -> None:
        """Let the data be heard in their order, by one thread at a time, with no lock that a print may wait for.

        With a timeout also what another thread is telling has been heard afterwards.
        """
        while (self._heard or timeout_s) and self._telling.acquire(bool(timeout_s), timeout_s or -1):
            try:
                while self._heard:
                    self._hear(self._heard.popleft())
            finally:
                self._telling.release()
            if not self._heard:
                return

    def _close(self) -> None:
        if self._is_open:
            self._is_open = False
            os.close(self._reading)
            os.close(self._saved)


def _duplicate(number: int) -> int:
    import fcntl  # noqa: PLC0415 - POSIX only

    return fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, FIRST_FREE)


def _pipe() -> tuple[int, int]:
    ends = os.pipe()
    try:
        reading, writing = map(_duplicate, ends)
    finally:
        for end in ends:
            os.close(end)
    os.set_blocking(reading, False)
    return reading, writing


def _identity(number: int) -> tuple[int, int] | None:
    try:
        found = os.fstat(number)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _write_all(number: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(number, left) :]
        except BlockingIOError:
            _wait_until_writable(number)


def _wait_until_writable(number: int) -> None:
    from select import POLLOUT, poll  # noqa: PLC0415 - POSIX only

    waiting = poll()
    waiting.register(number, POLLOUT)
    waiting.poll()
