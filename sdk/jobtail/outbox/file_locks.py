"""File locks of writers: a writer's lock is held by the process that sends its spooled rows, and freed by its death."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


@dataclass(slots=True)
class FileLock:
    """A lock that is held. flock belongs to the open file: a forked child shares it until it closes its copy."""

    path: Path
    _descriptor: int

    @classmethod
    def take(cls, path: Path) -> Self | None:
        """Take the lock, or None while somebody holds it.

        Raises:
            OSError: if the file can't be made.
        """
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(descriptor)
            # Whoever held it before may have removed the file between our opening and locking it.
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return cls(path, descriptor)
        except (BlockingIOError, PermissionError, FileNotFoundError):
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        return None

    def release(self) -> None:
        """Remove the file and free the lock, in this order where the system allows it."""
        with suppress(OSError):
            self.path.unlink()
        self.forget()
        if sys.platform == "win32":
            with suppress(OSError):
                self.path.unlink()

    def forget(self) -> None:
        """Close the file, which in a forked child leaves the lock with the parent."""
        with suppress(OSError):
            os.close(self._descriptor)
