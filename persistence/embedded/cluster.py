"""The cluster: the directory of PostgreSQL's files that the embedded server works on. It knows no process.

A cluster is whole or is not there: initdb runs in a directory beside its place, which is renamed when it is done.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from persistence.embedded.start_errors import OtherMajorVersion, UnusableDirectory


class Cluster:
    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def version(self) -> str:
        """The major version of the PostgreSQL that made it. Empty before it is made."""
        return _text_of(self.path / "PG_VERSION").strip()

    @property
    def state(self) -> str:
        """What its server says of itself. Empty when it has none."""
        return _text_of(self.path / "postmaster.pid")

    def check(self, major_version: str) -> None:
        """See whether a PostgreSQL of that version can work here.

        Raises:
            OtherMajorVersion: if another one's cluster is here.
            UnusableDirectory: if other files are.
        """
        found = self.version
        if not found and self.path.exists() and any(self.path.iterdir()):
            raise UnusableDirectory(self.path, "it holds files that are no PostgreSQL cluster")
        if found and found != major_version:
            raise OtherMajorVersion(self.path.parent, found, major_version)

    def new_directory(self) -> Path:
        """Make a directory to make the cluster in."""
        self._remove_half_made()
        return Path(tempfile.mkdtemp(prefix=self._new_prefix, dir=self.path.parent))

    def adopt(self, new: Path) -> None:
        """Put the cluster that was made in `new` in its place, for good."""
        new.rename(self.path)
        parent = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(parent)
        finally:
            os.close(parent)
        # An initdb whose owner was killed a moment ago may still have written while we removed its files before.
        self._remove_half_made()

    @property
    def _new_prefix(self) -> str:
        return f"{self.path.name}.new-"

    def _remove_half_made(self) -> None:
        for half_made in self.path.parent.glob(f"{self._new_prefix}*"):
            shutil.rmtree(half_made, ignore_errors=True)


def initdb_options(major_version: str) -> Sequence[str]:
    """Sort and fold by code point whatever the machine's locales are. The builtin provider came with 17."""
    options = ["--username=jobtail", "--auth-local=trust", "--auth-host=reject", "--encoding=UTF8", "--no-instructions"]
    builtin_since = 17
    if int(major_version) < builtin_since:
        return [*options, "--locale=C.UTF-8"]
    return [*options, "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]


def _text_of(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""
