"""The admission of batches: a bounded number is parsed and stored at a time, and a further one is refused at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.exceptions import HTTPException

RETRY_AFTER_S = 1


class Admission:
    """For one event loop: counts, without locks, places and the bytes that they hold."""

    def __init__(self, places: int, max_bytes: int) -> None:
        self.taken = 0
        self.held_bytes = 0
        self._places = places
        self._max_bytes = max_bytes

    @contextmanager
    def place(self) -> Iterator[Share]:
        """Hold a place.

        Raises:
            HTTPException: 429 if there is none.
        """
        if self.taken >= self._places:
            raise _busy(f"{self._places} batches are being stored")
        self.taken += 1
        place = Share(self)
        try:
            yield place
        finally:
            self.taken -= 1
            self.held_bytes -= place.held_bytes

    def reserve(self, count: int) -> None:
        if self.held_bytes + count > self._max_bytes:
            raise _busy(f"batches of {self._max_bytes} bytes are being stored")
        self.held_bytes += count


class Share:
    """One batch's share."""

    def __init__(self, admission: Admission) -> None:
        self.held_bytes = 0
        self._admission = admission

    def hold(self, count: int) -> None:
        """Account for bytes until the place is given up.

        Raises:
            HTTPException: 429 if all batches together hold too much.
        """
        self._admission.reserve(count)
        self.held_bytes += count


def _busy(why: str) -> HTTPException:
    return HTTPException(429, f"{why} now: try again in a moment", {"Retry-After": str(RETRY_AFTER_S)})
