"""The end of a process: what is called before it goes, by its own end, by a signal, by os._exit, or in multiprocessing."""

from __future__ import annotations

import atexit
import functools
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from jobtail.process.fork_signals import hold_back_across_forks
from jobtail.process.signal_nudge import nudge_main_thread_at

LeaveCall = Callable[[str], None]
"""Is told why the process ends."""

ENDED = "the process ended before the job did"
_LAST = -1000
"""The priority among multiprocessing's finalizers: after all that may still speak."""
_DEADLY = ("SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGXCPU")
"""Signals that end a process which has no handler for them. Python itself makes an exception of SIGINT."""


class _Departure:
    """Registered once a process; a forked child inherits all but what multiprocessing forgets."""

    def __init__(self) -> None:
        self._calls: list[LeaveCall] = []
        self._knows_multiprocessing = False
        self._listens = False

    def expect(self, call: LeaveCall) -> None:
        self._listen()
        if call in self._calls:
            return
        if not self._calls:
            atexit.register(self.go, ENDED)
            _before_exit(self.go)
            if hasattr(os, "register_at_fork"):
                os.register_at_fork(before=self._tell_multiprocessing)
        self._calls.append(call)
        self._tell_multiprocessing()
        self._expect_in_child()

    def go(self, reason: str) -> None:
        """Leave, whatever is left to do: nothing may keep the process from its end."""
        for call in reversed(self._calls):
            with suppress(Exception):  # nobody is left to be told
                call(reason)

    def _listen(self) -> None:
        """Hear the signals that would end the process unheard, if only in a moment: the main thread alone can."""
        if self._listens:
            return
        self._listens = True
        if threading.current_thread() is threading.main_thread():
            self._listen_here()
        else:
            _ask_main_thread(self._listen_here)

    def _listen_here(self) -> None:
        """Leave a handler of the application's alone."""
        heard: list[int] = []
        for number in (getattr(signal, name) for name in _DEADLY if hasattr(signal, name)):
            if signal.getsignal(number) is signal.SIG_DFL and not _is_caught(number):
                with suppress(ValueError):  # in an interpreter within the interpreter nobody can
                    signal.signal(number, self._on_signal)
                    heard.append(number)
        if heard:
            hold_back_across_forks(heard)
            with suppress(OSError, RuntimeError, ValueError):  # no descriptor or no thread is left
                nudge_main_thread_at(heard)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del frame
        signal.signal(number, signal.SIG_DFL)  # a second one ends it at once
        self.go(f"killed by {signal.Signals(number).name}")
        os.kill(os.getpid(), number)

    def _tell_multiprocessing(self) -> None:
        """Its forked children end by os._exit, and forget on their start what was to be done at their end."""
        util = _multiprocessing()
        if util is not None and not self._knows_multiprocessing:
            self._knows_multiprocessing = True
            util.register_after_fork(self, _Departure._expect_in_child)

    def _expect_in_child(self) -> None:
        util = _multiprocessing()
        process = sys.modules.get("multiprocessing.process")
        if util is not None and process is not None and process.parent_process() is not None:
            util.Finalize(None, self.go, args=(ENDED,), exitpriority=_LAST)


def _before_exit(go: LeaveCall) -> None:
    """Have os._exit leave first: workers of queues end their processes by it, and it asks nobody."""
    leave_at_once = os._exit

    @functools.wraps(leave_at_once)
    def _exit(status: int) -> NoReturn:
        with suppress(Exception):
            go(f"the process left by os._exit({status!r})")
        leave_at_once(status)

    os._exit = _exit


def _ask_main_thread(call: Callable[[], None]) -> None:
    """Have the main thread call something between two of its steps, as it calls the handlers of signals."""
    with suppress(Exception):  # only CPython does so
        import ctypes  # noqa: PLC0415 - only where jobs are begun in other threads

        def called(_: Any) -> int:
            with suppress(Exception):
                call()
            return 0

        pending = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(called)
        _asked.append(pending)
        ctypes.pythonapi.Py_AddPendingCall(pending, None)


_asked: list[Any] = []
"""What C code holds no reference to."""


def _is_caught(number: int) -> bool:
    """Tell whether a handler is there that is none of Python's, as uWSGI's or faulthandler's. Linux says so."""
    with suppress(OSError, ValueError):
        for line in Path("/proc/self/status").read_text("ascii").splitlines():
            if line.startswith("SigCgt:"):
                return bool(int(line.split()[1], 16) >> (number - 1) & 1)
    return False


def _multiprocessing() -> Any:
    """Give its module, if the application uses it."""
    return sys.modules.get("multiprocessing.util")


_departure = _Departure()


def is_ending() -> bool:
    """Tell whether the interpreter ends: its exit handlers are called when the main thread is over."""
    return not threading.main_thread().is_alive()


def on_departure(call: LeaveCall) -> None:
    """Have something called before the process ends, before what was named earlier. It must not take long."""
    _departure.expect(call)
