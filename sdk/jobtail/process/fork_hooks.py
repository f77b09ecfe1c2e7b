"""Fork hooks, which rebuild what a forked process lacks: it has the memory of its parent, and none of its threads."""

from __future__ import annotations

import os
from threading import RLock
from typing import Protocol
from weakref import WeakSet

HOLD_S = 1.0
"""How long a fork waits for a lock. What is renewed does not depend on it: nothing of the old state is read."""


class Forkable(Protocol):
    """Something with locks and threads that goes on in a forked process."""

    def hold(self, timeout_s: float) -> bool:
        """Take the lock, so that nothing changes while the process forks."""

    def release(self) -> None:
        """Give the lock back, in the parent."""

    def renew(self) -> None:
        """Begin anew, in the child: no thread, no lock held, none of the parent's work."""


class _Forks:
    """All that lives. Guarded by a lock that is held across the fork as well."""

    def __init__(self) -> None:
        self._living: WeakSet[Forkable] = WeakSet()
        self._held: list[Forkable] = []
        self._guard = RLock()
        self._holds_guard = False
        self._is_registered = False

    def add(self, thing: Forkable) -> None:
        with self._guard:
            self._living.add(thing)
            if not self._is_registered and hasattr(os, "register_at_fork"):
                self._is_registered = True
                os.register_at_fork(before=self._hold, after_in_parent=self._release, after_in_child=self._renew)

    def _hold(self) -> None:
        self._holds_guard = self._guard.acquire(timeout=HOLD_S)
        self._held = [thing for thing in self._living if thing.hold(HOLD_S)]

    def _release(self) -> None:
        held, self._held = self._held, []
        for thing in held:
            thing.release()
        if self._holds_guard:
            self._guard.release()

    def _renew(self) -> None:
        self._guard, self._held = RLock(), []
        for thing in list(self._living):
            thing.renew()


_forks = _Forks()


def renew_after_fork(thing: Forkable) -> None:
    """Let something begin anew in every forked process, for as long as it lives."""
    _forks.add(thing)
