"""The fork hooks: what a child makes anew, since it has the memory of its parent and none of its threads."""

from __future__ import annotations

import os
from contextvars import Context
from threading import RLock
from types import TracebackType
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

    def renew_locks(self) -> None:
        """Make its locks anew, in the child, and do nothing else: others still have those of the parent."""

    def renew(self) -> None:
        """Begin anew, in the child, when all locks are: no thread, none of the parent's work."""


class Forks:
    """All that lives. Guarded by a lock that is held across the fork as well."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.is_under_way = False
        """From before the fork until this side of it may go on."""
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
                os.register_at_fork(before=self._hold, after_in_parent=self._release, after_in_child=self.renew)

    def renew(self) -> None:
        """Begin anew in the child, once: somebody else's hook may have captured before ours was called."""
        if self.pid == os.getpid():
            return
        self.pid, self.is_under_way = os.getpid(), False
        self._guard, self._held = RLock(), []
        living = list(self._living)
        for thing in living:
            thing.renew_locks()
        # In no job's context: what libraries log meanwhile belongs to nobody.
        Context().run(self._renew_all, living)

    def _renew_all(self, living: list[Forkable]) -> None:
        for thing in living:
            thing.renew()

    def _hold(self) -> None:
        self.is_under_way = True
        self._holds_guard = self._guard.acquire(timeout=HOLD_S)
        self._held = [thing for thing in list(self._living) if thing.hold(HOLD_S)]

    def _release(self) -> None:
        self.is_under_way = False
        held, self._held = self._held, []
        for thing in held:
            thing.release()
        if self._holds_guard:
            self._guard.release()


forks = Forks()
"""Those of this process."""


def renew_after_fork(thing: Forkable) -> None:
    """Let something begin anew in every forked process, for as long as it lives."""
    forks.add(thing)


def notice_fork() -> None:
    """Begin anew if this is a forked process that Python's hooks were not called in: uWSGI forks so."""
    if os.getpid() != forks.pid:
        forks.renew()


class ForkedLock:
    """A reentrant lock that no forked process finds taken."""

    def __init__(self) -> None:
        self._lock = RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._lock.release()

    def hold(self, timeout_s: float) -> bool:
        return self._lock.acquire(timeout=timeout_s)

    def release(self) -> None:
        self._lock.release()

    def renew_locks(self) -> None:
        self._lock = RLock()

    def renew(self) -> None:
        """Do nothing: what it guards stays as it is."""
