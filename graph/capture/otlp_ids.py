"""The ids of traces and spans. One that is invalid is none: the specification has its record belong to no trace."""

from __future__ import annotations

from typing import Any

TRACE_BYTES = 16
SPAN_BYTES = 8


def id_of_bytes(identifier: bytes, length: int) -> str | None:
    """Write an id in hex; zeros mean that there is none."""
    return identifier.hex() if len(identifier) == length and any(identifier) else None


def id_of_hex(text: Any, length: int) -> str | None:
    try:
        return id_of_bytes(bytes.fromhex(text), length)
    except (TypeError, ValueError):
        return None
