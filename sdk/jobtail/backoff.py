"""The pauses between attempts: doubling, bounded, and scattered so that processes do not come back in step."""

from __future__ import annotations

import random
import time
from threading import Condition

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
LONGEST_NAMED_S = 60.0
"""A service that asks for a longer pause is asked again after this one."""


class Backoff:
    """How long the next pause is, by how many failures came one after the other."""

    def __init__(self, first_s: float = FIRST_PAUSE_S, longest_s: float = LONGEST_PAUSE_S) -> None:
        self.failures = 0
        self._first_s = first_s
        self._longest_s = longest_s

    def reset(self) -> None:
        self.failures = 0

    def next_s(self, named_s: float | None = None) -> float:
        """Count a failure and give the pause after it. One that the other side has named is kept, within bounds."""
        self.failures += 1
        if named_s is not None:
            return min(max(named_s, self._first_s), LONGEST_NAMED_S)
        longest_s = min(self._first_s * 2.0 ** min(self.failures - 1, 30), self._longest_s)
        return longest_s * random.uniform(0.5, 1)  # noqa: S311 - no secret depends on it


class Attempts:
    """The attempts of one thread, with pauses between; others hurry and stop it.

    `changed` is notified whenever the thread should look up from a pause.
    """

    def __init__(
        self, changed: Condition, *, first_pause_s: float = FIRST_PAUSE_S, longest_pause_s: float = LONGEST_PAUSE_S
    ) -> None:
        self.is_stopped = False
        self.named_pause_until = 0.0
        """The other side asked for a pause until then, by the monotonic clock."""
        self._changed = changed
        self._backoff = Backoff(first_pause_s, longest_pause_s)
        self._hurries = self._seen_hurries = 0

    def hurry(self) -> None:
        """End the pause, unless the other side named it: somebody waits."""
        with self._changed:
            self._hurries += 1
            self._changed.notify_all()

    def stop(self) -> None:
        """Let the attempt in flight be the last one."""
        with self._changed:
            self.is_stopped = True
            self._changed.notify_all()

    def begin(self) -> None:
        """Begin an attempt: who hurries from now on does not want to wait if it fails."""
        self._seen_hurries = self._hurries

    def succeed(self) -> None:
        """Let the next pause be a first one."""
        self._backoff.reset()

    def pause(self, named_s: float | None) -> None:
        """Wait after a failure."""
        deadline = time.monotonic() + self._backoff.next_s(named_s)
        with self._changed:
            self.named_pause_until = deadline if named_s is not None else 0.0
            self._changed.notify_all()
            while not self.is_stopped and (left_s := deadline - time.monotonic()) > 0:
                if named_s is None and self._hurries != self._seen_hurries:
                    self._backoff.reset()
                    return
                self._changed.wait(left_s)
