"""The command `jobtail` in a process of its own, at pipes or at a real terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from tests.client import PATIENCE_S

LINE = re.compile(r"\d\d:\d\d:\d\d\.\d{3}  (\w+) +(\S+)  (.*)")
"""A line as the shell prints it."""

JOBTAIL = (sys.executable, "-m", "jobtail")
SHELL = ("bash", "--norc", "--noprofile", "--noediting", "-i")
ENDED = b""


def environment(url: str, **more: str) -> dict[str, str]:
    """Name the service, and nothing else that the command would heed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JOBTAIL_", "NO_COLOR"))}
    return {**kept, "JOBTAIL_URL": url, "TERM": "xterm-256color", "PS1": "$ ", **more}


def jobtail(url: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command to its end, at pipes."""
    return subprocess.run(
        [*JOBTAIL, *arguments],
        env=environment(url, **settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )


@contextmanager
def running(
    url: str, *arguments: str, stdin: int | IO[Any] | None = subprocess.DEVNULL, **settings: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run the command beside the test, at pipes."""
    process = subprocess.Popen(
        [*JOBTAIL, *arguments],
        env=environment(url, **settings),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def read_until(descriptor: int, is_enough: Callable[[bytes], object]) -> bytes:
    """Read what comes until it is enough. `ENDED` by its end."""
    heard = b""
    deadline = time.monotonic() + PATIENCE_S
    while not is_enough(heard):
        ready, _, _ = select.select([descriptor], [], [], max(deadline - time.monotonic(), 0))
        assert ready, f"heard only {heard!r}"
        try:
            data = os.read(descriptor, 1 << 16)
        except OSError:  # the other side of a pseudo-terminal is gone
            data = ENDED
        assert data != ENDED, f"it ended after {heard!r}"
        heard += data
    return heard


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


class Screen:
    """A process at a terminal, and who sits there: types, reads, resizes."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process = process
        self.seen = b""
        self._master = master
        self._read = 0

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def see(self, text: str) -> bytes:
        """Wait until it appears behind what was seen before; gives all that came up to its end."""
        wanted = text.encode()
        if wanted not in self.seen[self._read :]:
            before = self.seen[self._read :]
            self.seen += read_until(self._master, lambda heard: wanted in before + heard)
        end = self.seen.index(wanted, self._read) + len(wanted)
        part, self._read = self.seen[self._read : end], end
        return part

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    @property
    def is_raw(self) -> bool:
        return not termios.tcgetattr(self._master)[3] & termios.ICANON

    def ended(self) -> int:
        """Read to the end, and tell the exit status."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            ready, _, _ = select.select([self._master], [], [], 0.05)
            try:
                data = os.read(self._master, 1 << 16) if ready else b""
            except OSError:  # nobody has the terminal any more
                break
            self.seen += data
            if not data and self.process.poll() is not None:
                break
        return self.process.wait(PATIENCE_S)


@contextmanager
def at_terminal(url: str, command: Sequence[str], *, stderr: Path | None = None, **settings: str) -> Iterator[Screen]:
    """Run a program at a terminal of 30 rows and 100 columns, which is its controlling one."""
    master, slave = pty.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    with open(stderr or os.devnull, "wb") as errors:  # noqa: PTH123 - either kind of name
        process = subprocess.Popen(
            list(command),
            env=environment(url, **settings),
            stdin=slave,
            stdout=slave,
            stderr=errors if stderr else slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(1, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - it does nothing else
        )
    os.close(slave)
    try:
        yield Screen(process, master)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.wait()
        os.close(master)
