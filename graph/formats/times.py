"""Times as clients write them: RFC 3339 with an offset."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

_INFINITIES = {datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)}
"""What asyncpg stores as infinite, and reads back without a zone."""


def read_time(value: Any) -> datetime | None:
    """Read a time and turn it to UTC. None stands for what is no such time, one without an offset included."""
    with suppress(AttributeError, TypeError, ValueError, OverflowError):
        time = datetime.fromisoformat(value.upper())  # RFC 3339 has t and z in either case
        if time.tzinfo is not None and (time := time.astimezone(UTC)) not in _INFINITIES:
            return time
    return None
