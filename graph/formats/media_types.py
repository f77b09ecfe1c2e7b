"""The choice of a media type: the best for the client among those that are offered."""

from __future__ import annotations

from functools import lru_cache

EVENT_STREAM = "text/event-stream"


@lru_cache(maxsize=50)
def takes(header: str, media_type: str) -> bool:
    """Tell whether an Accept header names a media type, and does not refuse it."""
    return accepted(header, ("", media_type)) == media_type


@lru_cache(maxsize=50)
def accepted(header: str, offered: tuple[str, ...]) -> str:
    """Choose by an Accept header; the first of the offered where it names none of them."""
    best, chosen = 0.0, offered[0]
    for part in header.split(","):
        media_type, *parameters = (each.strip().lower() for each in part.split(";"))
        liked = next((_weight(each[2:]) for each in parameters if each.startswith("q=")), 1.0)
        if media_type in offered and liked > best:
            best, chosen = liked, media_type
    return chosen


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
