"""The log file of the embedded server: what it said last goes into our errors, and it stays small."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

_LIMIT_BYTES = 16 * 1024 * 1024
_QUOTED_BYTES = 8_192
_PROGRESS = b"in progress, elapsed time"
"""What PostgreSQL says every ten seconds while it reads what a crash left."""


class ServerLog:
    """Kept from one start to the next: it tells why the last server ended."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._begun = 0
        self._heard = 0

    def begin(self) -> None:
        """Take what is said from now on for that of one start."""
        self._begun = self._heard = self._size()

    def last_lines(self, *, count: int = 12) -> Sequence[str]:
        """Read the last lines of this start."""
        said = self._since(max(self._begun, self._size() - _QUOTED_BYTES))
        return said.decode(errors="replace").splitlines()[-count:]

    def tells_of_progress(self) -> bool:
        """Tell whether the server has said, since this was asked before, that it is recovering."""
        said = self._since(self._heard)
        self._heard += len(said)
        return _PROGRESS in said

    def bound(self) -> None:
        """Empty it when it has grown too large. The server appends, so it goes on at the start."""
        if self._size() > _LIMIT_BYTES:
            os.truncate(self.path, 0)
            self.begin()

    def _since(self, place: int) -> bytes:
        try:
            with self.path.open("rb") as file:
                file.seek(place)
                return file.read()
        except FileNotFoundError:
            return b""

    def _size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0
