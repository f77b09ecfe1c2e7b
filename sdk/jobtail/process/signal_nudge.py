"""The nudge of the main thread, so that it hears a signal which comes just as it begins to wait.

Python calls a handler between two steps of its main thread. After its last look for signals a thread that is about to
sleep gives the interpreter's lock away, for which ours compete: a signal that comes then would wait for the sleep's end.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from contextvars import Context
from importlib.util import find_spec
from types import FrameType

PAUSES_S = (0.05, 0.2, 1.0, 5.0)


def nudge_main_thread_at(numbers: Iterable[int]) -> None:
    """Have the main thread look for signals soon after one of these came. Called in the main thread, once.

    Nothing happens where somebody else is told of signals, or warns of whoever is: trio does.
    """
    if not hasattr(signal, "SIGURG") or signal.getsignal(signal.SIGURG) is not signal.SIG_DFL or find_spec("trio"):
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    former = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    if former != -1:
        signal.set_wakeup_fd(former)
        os.close(reading)
        os.close(writing)
        return
    signal.signal(signal.SIGURG, _nothing)  # which ends a wait and harms nobody: by itself the signal means nothing

    ends = [reading, writing]

    def forget() -> None:
        """Be a child, whose signals are no business of its parent's. Its own children find nothing left to close."""
        with suppress(ValueError):
            if ends and (present := signal.set_wakeup_fd(-1)) != writing:
                signal.set_wakeup_fd(present)
        while ends:
            os.close(ends.pop())

    os.register_at_fork(after_in_child=forget)
    args = (_nudge, reading, frozenset(numbers))
    threading.Thread(target=Context().run, args=args, name="jobtail-signals", daemon=True).start()


def _nudge(reading: int, numbers: frozenset[int]) -> None:
    main = threading.main_thread().ident
    with suppress(OSError):
        while heard := os.read(reading, 4096):
            for pause_s in PAUSES_S if main is not None and numbers & set(heard) else ():
                time.sleep(pause_s)
                signal.pthread_kill(main or 0, signal.SIGURG)


def _nothing(number: int, frame: FrameType | None) -> None:
    del number, frame
