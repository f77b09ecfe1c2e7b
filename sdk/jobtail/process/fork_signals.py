"""The signals around a fork: held back until the child can hear them.

Python forgets in a child which signals have come: one that came between the fork and that moment would be lost, where
without a handler of ours it would have ended the child.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterable


def hold_back_across_forks(numbers: Iterable[int]) -> None:
    """Block these signals in the forking thread, from before the fork until parent and child go on. Called once."""
    if not hasattr(signal, "pthread_sigmask") or not hasattr(os, "register_at_fork"):
        return
    held, former = frozenset(numbers), threading.local()

    def block() -> None:
        former.mask = signal.pthread_sigmask(signal.SIG_BLOCK, held)

    def unblock() -> None:
        mask, former.mask = getattr(former, "mask", None), None
        if mask is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    os.register_at_fork(before=block, after_in_parent=unblock, after_in_child=unblock)
