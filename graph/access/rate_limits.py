"""Rate limits: requests of a token in time, and connections of an address at a time."""

from __future__ import annotations

import math
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager

from domain.errors import TooMany

BURST_S = 10
"""How many seconds' worth of requests may come at once, after a pause as long."""
MOST_KNOWN = 10_000
"""Callers that are remembered; the one that was not heard of for longest is forgotten first."""


class Rate:
    """A bucket for each caller, which each request takes from and time fills again."""

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._clock = clock
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def charge(self, caller: Hashable) -> None:
        """Count a request.

        Raises:
            TooMany: if it is one too many; it does not count then.
        """
        now, full = self._clock(), self._per_second * BURST_S
        left, at = self._buckets.get(caller, (full, now))
        left = min(full, left + (now - at) * self._per_second)
        is_let_in = left >= 1
        self._buckets[caller] = left - is_let_in, now
        self._buckets.move_to_end(caller)
        if len(self._buckets) > MOST_KNOWN:
            self._buckets.popitem(last=False)
        if not is_let_in:
            wait_s = (1 - left) / self._per_second
            raise TooMany(
                f"the token is used for more than {self._per_second:g} requests a second, the most that it may: wait "
                f"{wait_s:.3f} s, or raise JOBTAIL_MAX_REQUESTS_PER_SECOND",
                retry_after_s=math.ceil(wait_s),
            )


class LiveConnections:
    """Counts the websockets and event streams of each address."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: Counter[str] = Counter()

    @contextmanager
    def place(self, address: str) -> Iterator[None]:
        """Hold a place.

        Raises:
            TooMany: if there is none.
        """
        if self._open[address] >= self._most:
            raise TooMany(
                f"{self._most:,} websockets and event streams are open from {address}, the most that may be: close one, or "
                "raise JOBTAIL_MAX_CONNECTIONS_PER_ADDRESS; behind a proxy see JOBTAIL_TRUSTED_PROXIES"
            )
        self._open[address] += 1
        try:
            yield
        finally:
            self._open[address] -= 1
            if not self._open[address]:
                del self._open[address]
