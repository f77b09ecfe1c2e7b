"""Signals that reach us are meant for the command. A thread waits for them, since the copying may be held up."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

HANDED_ON = frozenset(
    {
        signal.SIGTERM,
        signal.SIGINT,
        signal.SIGHUP,
        signal.SIGQUIT,
        signal.SIGUSR1,
        signal.SIGUSR2,
        signal.SIGWINCH,
        signal.SIGTSTP,
        signal.SIGCONT,
    }
)
WAITED_FOR = HANDED_ON | {signal.SIGCHLD}
FROM_TERMINAL = frozenset({signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGWINCH})


class SignalTarget(Protocol):
    """Who is told of signals, in the thread that waits for them."""

    def hear(self, number: int, *, is_from_terminal: bool) -> None:
        """Hand a signal on. One from the terminal went to every process of our group already."""

    def suspend(self) -> None:
        """Stop the command, too: we stop next."""

    def resume(self) -> None:
        """Go on after a stop."""


def block() -> set[int]:
    """Keep signals for `listen`, in this thread and all that it starts. Gives what was blocked before."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, it would leave nobody to wait for
    return set(signal.pthread_sigmask(signal.SIG_BLOCK, WAITED_FOR))


def listen(target: SignalTarget, wake: Callable[[], None]) -> None:
    """Start the thread. `wake` is called when a child has changed and after each other signal."""
    threading.Thread(target=_listen, args=(target, wake), name="jobtail-signals", daemon=True).start()


def tell_group(number: int) -> None:
    """Send a signal to our whole group, as a terminal does, and take it for heard ourselves."""
    _told.add(number)
    os.killpg(os.getpgrp(), number)


_told: set[int] = set()
"""Signals of our own that are on their way back to us."""


def _listen(target: SignalTarget, wake: Callable[[], None]) -> None:
    while True:
        number, is_from_terminal = _next()
        if number in _told:
            _told.discard(number)
            continue
        # The command or its terminal may be gone by now.
        with suppress(OSError):
            if number == signal.SIGTSTP:
                _stop(target, is_from_terminal=is_from_terminal)
            elif number != signal.SIGCHLD:
                target.hear(number, is_from_terminal=is_from_terminal)
        wake()


def _stop(target: SignalTarget, *, is_from_terminal: bool) -> None:
    target.hear(signal.SIGTSTP, is_from_terminal=is_from_terminal)
    target.suspend()
    # By its default action, which spares a group that nobody could continue.
    signal.pthread_kill(threading.get_ident(), signal.SIGTSTP)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTSTP})
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTSTP})
    target.resume()


def _next() -> tuple[int, bool]:
    """Wait for a signal, and tell whether the kernel sent it on behalf of the terminal."""
    if hasattr(signal, "sigwaitinfo"):
        info = signal.sigwaitinfo(WAITED_FOR)
        return info.si_signo, info.si_code > 0
    number = signal.sigwait(WAITED_FOR)  # macOS does not tell
    return number, number in FROM_TERMINAL and _is_in_foreground()


def _is_in_foreground() -> bool:
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    finally:
        os.close(terminal)
