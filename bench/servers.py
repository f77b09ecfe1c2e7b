"""The service and the bare endpoint, each in a process of its own, as they would run."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.error import URLError
from urllib.request import urlopen

START_S = 30
ROOM = {"JOBTAIL_MAX_CONNECTIONS_PER_ADDRESS": "10000"}
"""All viewers come from one address."""


@contextmanager
def service(database_url: str) -> Iterator[tuple[int, int]]:
    """Run the service; yields its port and its process id."""
    with _process(["graph.cli", "serve"], database_url) as served:
        yield served


@contextmanager
def storing_service(database_url: str) -> Iterator[int]:
    """Run a service that stores lines itself for who follows them; yields its port."""
    with _process(["bench.near"], database_url) as (port, _):
        yield port


@contextmanager
def bare(database_url: str) -> Iterator[int]:
    """Run the bare endpoint; yields its port."""
    with _process(["bench.bare"], database_url) as (port, _):
        yield port


@contextmanager
def _process(module: list[str], database_url: str) -> Iterator[tuple[int, int]]:
    port = _free_port()
    environment = {**os.environ, "DATABASE_URL": database_url, "JOBTAIL_PORT": str(port), **ROOM}
    name, *arguments = module
    code = f"import sys; sys.argv[0] = {name!r}; from {name} import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments], env=environment, stdout=subprocess.DEVNULL
    ) as process:
        try:
            _wait_until_ready(f"http://127.0.0.1:{port}/healthz", process)
            yield port, process.pid
        finally:
            process.kill()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urlopen(url, timeout=1):
                return
        except (URLError, TimeoutError):
            time.sleep(0.05)
    raise SystemExit(f"{url} did not answer within {START_S} s")
