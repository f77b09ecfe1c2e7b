"""Orphans: the processes of an earlier server of a cluster, whose owner or postmaster was killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from persistence.embedded.server_process import STOP_REQUESTS

_LINUX = sys.platform == "linux"
_LOOK_S = 0.02


async def end_orphans(cluster: Path, timeout_s: float) -> Sequence[int]:
    """End the processes of an earlier server of a cluster that the caller owns; those that did not end in time."""
    state = cluster / "postmaster.pid"
    try:
        number = state.read_text().partition("\n")[0].strip()
    except FileNotFoundError:
        return ()
    postmaster = int(number) if number.isdecimal() else 0  # a machine that lost its power may leave an empty file
    deadline = time.monotonic() + timeout_s
    orphans = server_processes(cluster, postmaster)
    for request, patience_s in (*STOP_REQUESTS, (signal.SIGKILL, timeout_s)):
        if not orphans or time.monotonic() >= deadline:
            break
        _ask(orphans, request, postmaster)
        next_at = min(time.monotonic() + patience_s, deadline)
        while orphans and time.monotonic() < next_at:
            await asyncio.sleep(_LOOK_S)
            orphans = server_processes(cluster, postmaster)
    if _LINUX and not orphans:
        # Every process of that cluster is gone. PostgreSQL would stop at an empty file, and at a number that is some
        # other program's by now (a container counts from 1 again).
        state.unlink(missing_ok=True)
    return orphans


def _ask(orphans: Sequence[int], request: signal.Signals, postmaster: int) -> None:
    for pid in orphans:
        # A child takes SIGINT for "cancel the statement": it ends by itself when its postmaster is gone.
        if request != signal.SIGINT or pid == postmaster:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, request)


def server_processes(cluster: Path, postmaster: int) -> Sequence[int]:
    """List the live processes of the cluster's server. PostgreSQL works in its data directory."""
    if not _LINUX:
        said = subprocess.run(  # noqa: S603
            ["/bin/ps", "-p", str(postmaster), "-o", "command="],
            check=False,
            capture_output=True,
            text=True,
            timeout=10,
        )
        return [postmaster] if str(cluster) in said.stdout else []
    return [
        int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal() and _works_in(entry, cluster)
    ]


def _works_in(process: Path, cluster: Path) -> bool:
    try:
        return (process / "comm").read_text().strip() == "postgres" and (process / "cwd").samefile(cluster)
    except OSError:
        return False
