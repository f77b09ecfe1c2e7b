"""A short directory in the system's temporary one, for what the data directory cannot hold.

A link in the data directory names it, so that the next owner can remove what a killed one left.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from persistence.embedded.server_account import Account

_SOCKET_PATH_LIMIT = 103
"""Bytes: 107 on Linux, 103 on macOS."""


_ALIAS = "s"


class PrivateDirectory:
    """Made when it is needed first, and removed by whoever holds its record."""

    def __init__(self, record: Path, account: Account | None) -> None:
        self._record = record
        self._account = account

    def path(self) -> Path:
        """Return the directory, which the server's account can pass through."""
        if self._record.is_symlink():
            return self._record.readlink()
        path = Path(tempfile.mkdtemp(prefix="jobtail-", dir=self._parent()))
        self._record.symlink_to(path)
        if self._account:
            path.chmod(0o711)
        return path

    def short_alias(self, directory: Path, socket: str) -> Path:
        """Return a path of the directory by which a socket in it fits an address, and a URL's list of hosts."""
        if len(os.fsencode(directory / socket)) <= _SOCKET_PATH_LIMIT and _fits_url(directory):
            return directory
        alias = self.path() / _ALIAS
        alias.symlink_to(directory)
        return alias

    @property
    def alias(self) -> Path | None:
        """What `short_alias` made, of this process or another, if it had to."""
        alias = self._record / _ALIAS
        return alias.parent.resolve() / _ALIAS if alias.is_symlink() else None

    def remove(self) -> None:
        if not self._record.is_symlink():
            return
        path = self._record.readlink()
        if path.name.startswith("jobtail-") and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        self._record.unlink()

    def _parent(self) -> Path:
        usual = Path(tempfile.gettempdir())
        fits = len(os.fsencode(usual)) < _SOCKET_PATH_LIMIT // 2 and _fits_url(usual)
        return usual if fits and (self._account is None or self._account.can_enter(usual)) else Path("/tmp")  # noqa: S108 - mkdtemp makes a private directory there


def _fits_url(path: Path) -> bool:
    return not set(str(path)) & set(",:")
