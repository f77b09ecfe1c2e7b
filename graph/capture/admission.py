"""Places for the batches that are parsed and stored at one time, and the memory that they take. Others wait outside."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from starlette.exceptions import HTTPException

from domain.errors import TooMany
from graph.access.shares import Shares

RETRY_AFTER_S = 1
OF_ONE = 3 / 4
"""Of the memory, what one caller may have: others always find some."""


class Admission:
    """For one event loop: counts, without locks, places, and the bytes that batches take as they are read."""

    def __init__(self, places: int, max_bytes: int) -> None:
        self.taken = 0
        self._places = places
        self._most_of_one = int(max_bytes * OF_ONE)
        self._shares = Shares(of_one=self._most_of_one, of_all=max_bytes, what="batches that are being stored")

    @property
    def held_bytes(self) -> int:
        return self._shares.held

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place for a batch that has arrived.

        Raises:
            HTTPException: 429 if there is none.
        """
        if self.taken >= self._places:
            message = f"{self._places} batches are being stored now: try again in a moment"
            raise HTTPException(429, message, {"Retry-After": str(RETRY_AFTER_S)})
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1

    @contextmanager
    def share(self, caller: Hashable) -> Iterator[Share]:
        """Account for what a batch takes from its first byte on, until it is stored."""
        share = Share(caller, self._shares, self._most_of_one)
        try:
            yield share
        finally:
            self._shares.release(caller, share.held_bytes)


class Share:
    """What one batch takes."""

    def __init__(self, caller: Hashable, shares: Shares, most: int) -> None:
        self.held_bytes = 0
        self._caller = caller
        self._shares = shares
        self._most = most

    def hold(self, count: int) -> None:
        """Account for more.

        Raises:
            HTTPException: 413 if no batch may take so much, 429 if all together take too much now.
        """
        if self.held_bytes + count > self._most:
            raise HTTPException(413, f"the batch takes more than {self._most:,} bytes of memory: send less at a time")
        try:
            self._shares.hold(self._caller, count)
        except TooMany as error:
            raise HTTPException(429, str(error), {"Retry-After": str(RETRY_AFTER_S)}) from None
        self.held_bytes += count
