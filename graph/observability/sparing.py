"""Messages of the service's own log that anybody may cause: each kind is let through now and then, and the others are counted."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

EVERY_S = 60.0
MOST_KINDS = 100
"""That are remembered; the oldest is forgotten first."""


class Sparing:
    def __init__(self, *, every_s: float = EVERY_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._every_s = every_s
        self._clock = clock
        self._kinds: OrderedDict[Hashable, tuple[float, int]] = OrderedDict()

    def look(self, kind: Hashable) -> int | None:
        """Tell how many of a kind were held back since the last that passed, None if this one is held back, too."""
        now = self._clock()
        last, held_back = self._kinds.get(kind, (now - self._every_s, 0))
        if now - last < self._every_s:
            self._kinds[kind] = last, held_back + 1
            return None
        self._kinds[kind] = now, 0
        self._kinds.move_to_end(kind)
        if len(self._kinds) > MOST_KINDS:
            self._kinds.popitem(last=False)
        return held_back
