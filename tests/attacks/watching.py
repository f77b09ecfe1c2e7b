"""A service process under watch: how much memory it took at most meanwhile, and how long its event loop answered nobody."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.client import PATIENCE_S
from tests.conftest import Service

MIB = 1024 * 1024


@dataclass(slots=True)
class Watched:
    grown_bytes: int = 0
    silent_s: float = 0
    """The longest that `/healthz` was waited for."""


@contextmanager
def watched(service: Service) -> Iterator[Watched]:
    """Watch a service for as long as the context lasts; the figures stand at its end."""
    process = Path("/proc") / str(service.process.pid)
    (process / "clear_refs").write_text("5")  # begin the peak anew
    before, seen, is_over = _memory(process, "VmRSS"), Watched(), threading.Event()
    asking = threading.Thread(target=_ask, args=[f"{service.url}/healthz", seen, is_over])
    asking.start()
    try:
        yield seen
    finally:
        is_over.set()
        asking.join()
        seen.grown_bytes = _memory(process, "VmHWM") - before


def _ask(url: str, seen: Watched, is_over: threading.Event) -> None:
    with httpx.Client(timeout=PATIENCE_S) as http:
        while not is_over.wait(0.02):
            begun = time.monotonic()
            http.get(url)
            seen.silent_s = max(seen.silent_s, time.monotonic() - begun)


def _memory(process: Path, name: str) -> int:
    lines = (process / "status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))
