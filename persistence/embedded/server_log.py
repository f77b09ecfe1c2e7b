"""The log file of the embedded server: what it said last goes into our errors, and it stays small."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

_LIMIT_BYTES = 16 * 1024 * 1024


class ServerLog:
    def __init__(self, path: Path) -> None:
        self.path = path

    def last_lines(self, *, count: int = 12) -> Sequence[str]:
        try:
            with self.path.open("rb") as file:
                file.seek(max(0, self.path.stat().st_size - 8_192))
                return file.read().decode(errors="replace").splitlines()[-count:]
        except FileNotFoundError:
            return []

    def bound(self) -> None:
        """Empty it when it has grown too large. The server appends, so it goes on at the start."""
        if self.path.exists() and self.path.stat().st_size > _LIMIT_BYTES:
            os.truncate(self.path, 0)
