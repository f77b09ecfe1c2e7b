"""The sizes of tables, partitions and handlers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """The lines of a week, or those of no week that has its own."""

    name: str
    since: datetime | None
    """Inclusive."""
    until: datetime | None
    """Exclusive."""
    size: int
    """In bytes, indexes included."""
    lines: int | None
    """Counted where the partition is small, else estimated, and None before it can be."""
    oldest: datetime | None
    """When the first of its lines was stored."""
    newest: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerStorage:
    handler_name: str
    jobs: int
    lines: int
    """All that were ever captured."""
    size: int
    """About how many bytes of the partitions are its lines."""


class Storage(Protocol):
    @property
    def warning_bytes(self) -> int | None:
        """From which size on the operator wants to be warned."""

    async def total_bytes(self) -> int:
        """Sum up all tables, indexes included."""

    async def partitions(self) -> Sequence[Partition]:
        """List the partitions, the oldest first."""

    async def handlers(self) -> Sequence[HandlerStorage]:
        """List the handlers, the largest first.

        Raises:
            OutOfTime: if there are too many jobs.
        """
