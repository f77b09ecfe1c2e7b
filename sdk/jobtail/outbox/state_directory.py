"""The user's state directory, in which lines wait while the service is unreachable."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path


def state_directory() -> Path:
    """Find and make the directory: under $XDG_STATE_HOME or ~/.local/state, else among the temporary files.

    Raises:
        OSError: if none of them can be made.
    """
    try:
        return _made(_state_home() / "jobtail")
    except (OSError, RuntimeError):  # without a home, or read-only
        return _made(Path(tempfile.gettempdir()) / f"jobtail-{_user()}")


def _state_home() -> Path:
    named = os.environ.get("XDG_STATE_HOME")
    return Path(named) if named and Path(named).is_absolute() else Path.home() / ".local" / "state"


def _user() -> str:
    return str(os.getuid()) if hasattr(os, "getuid") else "user"


def _made(directory: Path) -> Path:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = directory.lstat()
    # Among the temporary files somebody else may have made it before us, to read along.
    if not stat.S_ISDIR(found.st_mode) or (hasattr(os, "getuid") and found.st_uid not in {0, os.getuid()}):
        raise PermissionError(f"{directory} is not ours")
    if not os.access(directory, os.W_OK | os.X_OK):
        raise PermissionError(f"{directory} cannot be written")
    return directory
