"""The account that the embedded server runs as, and what that account can reach.

PostgreSQL refuses to run as root, and root's files are closed to whoever runs it instead.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from persistence.embedded.start_errors import NoAccount, UnusableDirectory

_LINUX = sys.platform == "linux"


@dataclass(frozen=True, slots=True)
class Account:
    """Whom the server runs as, where that is not the owner."""

    uid: int
    gid: int

    def can_enter(self, path: Path) -> bool:
        return all(self._may_execute(part) for part in (path, *path.parents))

    def _may_execute(self, path: Path) -> bool:
        status = path.stat()
        shift = 6 if status.st_uid == self.uid else 3 if status.st_gid == self.gid else 0
        return bool(status.st_mode >> shift & 0o1)


def server_account(cluster: Path) -> Account | None:
    """Return whom the server runs as: None for the owner itself, or whom root hands it to.

    Raises:
        NoAccount: if there is nobody.
        UnusableDirectory: if that account cannot reach the data.
    """
    if os.geteuid() != 0:
        return None
    account = _owner_of(cluster) or _nobody()
    if not _LINUX and not account.can_enter(cluster.parent):
        raise UnusableDirectory(cluster.parent, f"account {account.uid} may not enter all of its parents")
    return account


def _owner_of(cluster: Path) -> Account | None:
    if cluster.exists() and (status := cluster.stat()).st_uid != 0:
        return Account(status.st_uid, status.st_gid)
    return None


def _nobody() -> Account:
    """Return the account with no rights."""
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise NoAccount from None
    return Account(nobody.pw_uid, nobody.pw_gid)


@contextlib.contextmanager
def reachable(directory: Path, account: Account | None) -> Iterator[tuple[str, Sequence[int]]]:
    """Name the directory so that the account reaches it, with the descriptors that its process inherits for that.

    Where root's home holds the data, no other account can walk the path; an inherited descriptor needs no walk.
    """
    if account is None or not _LINUX:
        yield str(directory), ()
        return
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}", (descriptor,)
    finally:
        os.close(descriptor)
