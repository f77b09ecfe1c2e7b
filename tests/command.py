"""The command of the service, run by tests."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.conftest import ROOT

COMMAND = [sys.executable, "-c", "from graph.cli import main; main()"]


def run(*arguments: str, database_url: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DATABASE_URL": database_url, **settings}
    return subprocess.run(
        [*COMMAND, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
