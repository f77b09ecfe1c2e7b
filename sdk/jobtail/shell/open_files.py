"""Whether two descriptors are one open file, as after `2>&1`: what is written to either stands in one order."""

from __future__ import annotations

import fcntl
import os
import stat
import struct

_FAR_AWAY = 1 << 62
"""A place that no file reaches: nobody else locks it."""


def are_one(descriptor: int, other: int) -> bool:
    """Tell whether two descriptors share one file and one place in it. Two that only append to a file count as one."""
    if not os.path.sameopenfile(descriptor, other):
        return False
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        return True  # a pipe, a socket, a terminal has one order whoever writes to it
    if all(fcntl.fcntl(each, fcntl.F_GETFL) & os.O_APPEND for each in (descriptor, other)):
        return True
    return _have_one_lock(descriptor, other)


def _have_one_lock(descriptor: int, other: int) -> bool:
    """Lock a byte by one and look whether that is in the other one's way: such a lock belongs to the open file."""
    if not hasattr(fcntl, "F_OFD_SETLK"):
        return True
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _lock(fcntl.F_WRLCK))
    except OSError:
        return True
    try:
        found = fcntl.fcntl(other, fcntl.F_OFD_GETLK, _lock(fcntl.F_WRLCK))
        return bool(struct.unpack_from("h", found)[0] == fcntl.F_UNLCK)
    except OSError:
        return True
    finally:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _lock(fcntl.F_UNLCK))


def _lock(kind: int) -> bytes:
    """Make a `struct flock` for one byte."""
    return struct.pack("hhqqi4x", kind, os.SEEK_SET, _FAR_AWAY, 1, 0)
