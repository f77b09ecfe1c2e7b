"""Cursors and node ids: opaque strings for clients, a kind and its key for us."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from domain.errors import InvalidInput
from domain.logs import UNSTORABLE

_write = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""Made once: json.dumps makes an encoder a call."""


def encode(kind: str, *key: str | int) -> str:
    text = _write([kind, *key])
    return base64.urlsafe_b64encode(text.encode("utf-8", "surrogatepass")).decode().rstrip("=")


def decode(cursor: str, *, what: str = "cursor") -> tuple[str, list[Any]]:
    """Take an opaque string apart into its kind and key.

    Raises:
        InvalidInput: if it was not made by `encode`.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        parts = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        parts = None
    match parts:
        case [str() as kind, *key] if all(map(_is_key, key)):
            return kind, key
        case _:
            raise InvalidInput(f"{cursor[:80]!r} is not a {what} of this API; pass one back as you received it")


def _is_key(part: Any) -> bool:
    """Tell whether `encode` may have been given it: a text that can be stored, or a number that a line may have."""
    if isinstance(part, str):
        return UNSTORABLE.search(part) is None
    return type(part) is int and abs(part) < 2**53


def log_cursor(job_id: str, seq: int) -> str:
    """Name a line: the cursor of its edge, of a subscription, and of a permalink."""
    return encode("log", job_id, seq)


def log_seq(cursor: str, job_id: str) -> int:
    """Read the seq of a line's cursor.

    Raises:
        InvalidInput: if it is no cursor, or one of another kind or job.
    """
    match decode(cursor):
        case ("log", [str() as other, int() as seq]) if other == job_id and seq >= 0:
            return seq
        case ("log", [str() as other, int()]) if other != job_id:
            raise InvalidInput(f"this cursor belongs to the log of job {other!r}, not to {job_id!r}")
        case _:
            raise InvalidInput(f"{cursor[:80]!r} is not a cursor of a log")
