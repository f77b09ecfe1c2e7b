"""The end of a process: what is called before it goes by its own end, by SIGTERM, or as a child of multiprocessing."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

_LAST = -1000
"""The priority among multiprocessing's finalizers: after all that may still speak."""


class _Departure:
    """Registered once a process; a forked child inherits all but what multiprocessing forgets."""

    def __init__(self) -> None:
        self._calls: list[Callable[[], None]] = []
        self._knows_multiprocessing = False

    def expect(self, call: Callable[[], None]) -> None:
        if not self._calls:
            atexit.register(self.go)
            if hasattr(os, "register_at_fork"):
                os.register_at_fork(before=self._tell_multiprocessing)
        if call not in self._calls:
            self._calls.append(call)
        self._tell_multiprocessing()
        self._expect_in_child()
        self._listen()

    def go(self) -> None:
        """Leave, whatever is left to do: nothing may keep the process from its end."""
        for call in reversed(self._calls):
            with suppress(Exception):  # nobody is left to be told
                call()

    def _listen(self) -> None:
        """Hear SIGTERM where it would end the process unheard. A handler of the application's is left alone."""
        if threading.current_thread() is not threading.main_thread():
            return
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, self._on_sigterm)

    def _on_sigterm(self, number: int, frame: FrameType | None) -> None:
        del frame
        signal.signal(number, signal.SIG_DFL)  # a second one ends it at once
        self.go()
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
            util.Finalize(None, self.go, exitpriority=_LAST)


def _multiprocessing() -> Any:
    """Give its module, if the application uses it."""
    return sys.modules.get("multiprocessing.util")


_departure = _Departure()


def on_departure(call: Callable[[], None]) -> None:
    """Have something called before the process ends, before what was named earlier. It must not take long."""
    _departure.expect(call)
