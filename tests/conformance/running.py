"""Runs the scripts of this folder by Node, which `make test` finds or installs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
PATIENCE_S = 60


def node(script: str, *arguments: str) -> str:
    """Run a script and give what it printed."""
    program = shutil.which("node")
    assert program is not None, "Node is missing; `make test` brings it"
    command = [program, str(HERE / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
