"""The pipe to the capture: pieces of output in the order and with the time in which they were read.

It never holds up who copies: what the capture does not take at once waits here, within a bound.
"""

from __future__ import annotations

import fcntl
import os
import select
import struct
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO, NamedTuple

MOST_BYTES = 64 << 20
"""What may wait. Beyond it output is given up until half of it is free, and the log says so."""
PIPE_BYTES = 1 << 20
MOST_WRITTEN = 64

STREAMS = ("stdout", "stderr", "terminal", "output")
"""The last one is both streams where they are one file."""
END, GIVEN_UP = 254, 255

_HEADER = struct.Struct("=BdI")
_LOSS = struct.Struct("=BQQ")


class Piece(NamedTuple):
    """What was read of a stream at once."""

    stream: str
    at: float
    """Seconds since 1970."""
    data: bytes


class Loss(NamedTuple):
    """What was given up of a stream."""

    stream: str
    at: float
    byte_count: int
    line_ends: int


class End(NamedTuple):
    """The command ended, and how."""

    error: str | None


class CapturePipe:
    """The side of who copies: a `Mover`."""

    def __init__(self, descriptor: int, most_bytes: int = MOST_BYTES) -> None:
        os.set_blocking(descriptor, False)
        if hasattr(fcntl, "F_SETPIPE_SZ"):
            with suppress(OSError):  # more than this user's share
                fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self._descriptor = descriptor
        self._most_bytes = most_bytes
        self._waiting: deque[memoryview] = deque()
        self._bytes = 0
        self._is_begun = False
        """A part of the first one that waits is written."""
        self._lost: dict[str, tuple[int, int]] = {}
        self.is_broken = False
        """The capture has gone."""

    @property
    def interest(self) -> tuple[int, int] | None:
        return (self._descriptor, select.POLLOUT) if self._waiting else None

    def move(self) -> None:
        try:
            written = os.writev(self._descriptor, [*self._waiting][:MOST_WRITTEN])
        except BlockingIOError:
            return
        except OSError:
            self.is_broken = True
            self._waiting.clear()
            return
        self._bytes -= written
        while written:
            first = self._waiting.popleft()
            self._is_begun = written < len(first)
            if self._is_begun:
                self._waiting.appendleft(first[written:])
            written -= min(written, len(first))

    def send(self, stream: str, data: bytes) -> None:
        """Hand on what was read, now or when there is room."""
        if self.is_broken:
            return
        most = self._most_bytes // 2 if self._lost else self._most_bytes
        if self._bytes + len(data) > most:
            self._give_up(stream, len(data), data.count(b"\n"))
            return
        self._tell_losses()
        self._put(STREAMS.index(stream), data)

    def end(self, error: str | None) -> None:
        """Tell how the command ended."""
        self._tell_losses()
        self._put(END, b"" if error is None else error.encode("utf-8", "surrogateescape"))

    def hurry(self) -> None:
        """Give up what waits, but for the end."""
        kept: list[memoryview] = [self._waiting.popleft()] if self._is_begun else []
        pieces, self._waiting = self._waiting, deque(kept)
        self._bytes = sum(len(each) for each in kept)
        end: memoryview | None = None
        for piece in pieces:
            kind, _, length = _HEADER.unpack_from(piece)
            if kind == END:
                end = piece
            elif kind < len(STREAMS):
                self._give_up(STREAMS[kind], length, bytes(piece[_HEADER.size :]).count(b"\n"))
        self._tell_losses()
        if end is not None:
            self._push(end)

    def _give_up(self, stream: str, byte_count: int, line_ends: int) -> None:
        known_bytes, known_ends = self._lost.get(stream, (0, 0))
        self._lost[stream] = (known_bytes + byte_count, known_ends + line_ends)

    def _tell_losses(self) -> None:
        losses, self._lost = self._lost, {}
        for stream, (byte_count, line_ends) in losses.items():
            self._put(GIVEN_UP, _LOSS.pack(STREAMS.index(stream), byte_count, line_ends))

    def _put(self, kind: int, data: bytes) -> None:
        self._push(memoryview(_HEADER.pack(kind, time.time(), len(data)) + data))

    def _push(self, piece: memoryview) -> None:
        if not self.is_broken:
            was_empty = not self._waiting
            self._waiting.append(piece)
            self._bytes += len(piece)
            if was_empty:
                self.move()


def received(source: BinaryIO) -> Iterator[Piece | Loss | End]:
    """Read the other side, until it is closed."""
    while len(header := source.read(_HEADER.size)) == _HEADER.size:
        kind, at, length = _HEADER.unpack(header)
        data = source.read(length)
        if kind == END:
            yield End(data.decode("utf-8", "surrogateescape") or None)
        elif kind == GIVEN_UP:
            stream, byte_count, line_ends = _LOSS.unpack(data)
            yield Loss(STREAMS[stream], at, byte_count, line_ends)
        else:
            yield Piece(STREAMS[kind], at, data)
