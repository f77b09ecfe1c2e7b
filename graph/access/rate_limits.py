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
MOST_LIVE = 10_000
"""Websockets and event streams of all addresses."""
DOWNLOADS_OF_A_CALLER = 50
MOST_DOWNLOADS = 200


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


class Places:
    """Counts what lasts, such as downloads: of each caller so many at a time, and of all so many."""

    def __init__(self, of_one: int, of_all: int, *, too_many: str) -> None:
        """`too_many` says to one caller too many what to do; `{most}` and `{caller}` are filled in."""
        self._of_one = of_one
        self._of_all = of_all
        self._too_many = too_many
        self._open: Counter[Hashable] = Counter()

    @contextmanager
    def place(self, caller: Hashable) -> Iterator[None]:
        """Hold a place.

        Raises:
            TooMany: if there is none.
        """
        if self._open[caller] >= self._of_one:
            raise TooMany(self._too_many.format(most=f"{self._of_one:,}", caller=caller))
        if self._open.total() >= self._of_all:
            raise TooMany(f"{self._of_all:,} of them are open, the most that may be: try again in a moment")
        self._open[caller] += 1
        try:
            yield
        finally:
            self._open[caller] -= 1
            if not self._open[caller]:
                del self._open[caller]


def live_connections(of_an_address: int) -> Places:
    """Count the websockets and event streams of each address."""
    return Places(
        of_an_address,
        MOST_LIVE,
        too_many="{most} websockets and event streams are open from {caller}, the most that may be: close one, or raise "
        "JOBTAIL_MAX_CONNECTIONS_PER_ADDRESS; behind a proxy see JOBTAIL_TRUSTED_PROXIES",
    )


def downloads() -> Places:
    """Count the whole logs that each caller is being sent."""
    return Places(
        DOWNLOADS_OF_A_CALLER,
        MOST_DOWNLOADS,
        too_many="{most} downloads are running for this caller, the most that may: wait until one has ended",
    )
