"""Stands in for sys.stdout or sys.stderr: passes on what is written, at once and unchanged, and lets it be heard."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

Hear = Callable[[str | bytes], None]


class Tee:
    """A stream of texts or bytes. Whatever is not said here is the stream's own.

    Once it is released it is nothing but the stream: somebody may still hold it.
    """

    def __init__(self, stream: Any, hear: Hear, *, number: int | None, catch_up: Callable[[], None]) -> None:
        """Stand in for a stream.

        Args:
            stream: what was there.
            hear: takes what was written.
            number: the descriptor that a child process is to be given; without it the stream's own.
            catch_up: is called before each write: what children wrote comes first.
        """
        self.stream = stream
        self._hear: Hear | None = hear
        self._number = number
        self._catch_up = catch_up

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def __repr__(self) -> str:
        return f"<Tee of {self.stream!r}>"

    @property
    def buffer(self) -> Tee:
        return Tee(self.stream.buffer, self._heard, number=self._number, catch_up=self._catch_up)

    def release(self) -> None:
        """Be nothing but the stream from now on."""
        self._hear = self._number = None

    def write(self, said: Any) -> Any:
        if self._hear is not None:
            self._catch_up()
        try:
            return self.stream.write(said)
        finally:
            self._heard(said)

    def writelines(self, lines: Iterable[Any]) -> None:
        for line in lines:
            self.write(line)

    def fileno(self) -> int:
        return int(self.stream.fileno()) if self._number is None else self._number

    def _heard(self, said: Any) -> None:
        hear = self._hear
        if hear is None:
            return
        if isinstance(said, str):
            hear(said)
        elif isinstance(said, bytes | bytearray | memoryview):
            hear(bytes(said))
