"""Python's own standard streams, moved to another descriptor for a while, whoever holds them."""

from __future__ import annotations

import io
import sys
from typing import Any, Self


class MovedStream:
    """A standard stream's file, which writes to another descriptor until it is moved back.

    The stream itself stays the same object, with its buffers: loggers and wrappers that hold it notice nothing.
    """

    def __init__(self, raw: io.FileIO, number: int) -> None:
        self._raw = raw
        self._former = raw.fileno()
        self._move(number)

    @classmethod
    def all_of(cls, number: int, target: int) -> list[Self]:
        """Move all standard streams that write to a descriptor."""
        streams = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
        raws = {id(raw): raw for raw in map(_raw_of, streams) if raw is not None and raw.fileno() == number}
        return [cls(raw, target) for raw in raws.values()]

    def is_of(self, stream: Any) -> bool:
        return _raw_of(stream) is self._raw

    def back(self) -> None:
        """Let it write to its former descriptor, unless it was closed meanwhile."""
        if not self._raw.closed:
            self._move(self._former)

    def _move(self, number: int) -> None:
        name = self._raw.name
        # A file that does not own its descriptor can be made again in its place.
        io.FileIO.__init__(self._raw, number, "wb", closefd=False)
        self._raw.name = name


def number_of(stream: Any) -> int:
    """Give the descriptor that a stream writes to, or -1."""
    try:
        return int(stream.fileno())
    except Exception:  # noqa: BLE001 - closed, or no file at all
        return -1


def _raw_of(stream: Any) -> io.FileIO | None:
    """Give the file of a stream that was made by Python itself: it does not own its descriptor."""
    if not isinstance(stream, io.TextIOWrapper) or stream.closed:
        return None
    raw = getattr(stream.buffer, "raw", stream.buffer)
    return raw if type(raw) is io.FileIO and not raw.closed and not raw.closefd else None
