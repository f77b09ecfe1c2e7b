"""The lock of the data directory: one owner at a time, in this process or any other."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from persistence.embedded.start_errors import DataDirectoryInUse


@contextlib.contextmanager
def sole_owner(directory: Path) -> Iterator[None]:
    """Hold the directory's lock, which the kernel frees when this process ends, however it ends."""
    descriptor = os.open(directory / "postgres.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode()
            raise DataDirectoryInUse(directory, int(holder) if holder.isdecimal() else None) from None
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        try:
            yield
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)
