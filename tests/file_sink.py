"""A sink that several processes share: each event is a line of one file, appended in one write."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from jobtail import Batch, Event, client
from tests.conftest import ROOT

VARIABLE = "TEST_SINK_FILE"


class FileSink:
    """Takes `delay_s` for each batch."""

    def __init__(self, path: str, delay_s: float = 0.0) -> None:
        self.path = path
        self.delay_s = delay_s

    def send(self, batch: Batch) -> None:
        time.sleep(self.delay_s)
        text = "".join(
            json.dumps([str(batch.writer_id), n, os.getpid(), type(event).__name__, *_said(event)]) + "\n"
            for n, event in batch.events
        )
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            os.write(file, text.encode())
        finally:
            os.close(file)

    def flush(self, timeout_s: float) -> bool:
        return True

    def renew(self) -> None:
        pass

    def close(self) -> None:
        pass


def _said(event: Event) -> tuple[str | None, str | None, str | None]:
    return getattr(event, "message", None), getattr(event, "status", None), getattr(event, "error", None)


def capture_to_file(delay_s: float = 0.0) -> None:
    """Let the process capture to the file that the test named."""
    client.use(client.Client(FileSink(os.environ[VARIABLE], delay_s)))


@dataclass(frozen=True)
class Sent:
    """An event as the file has it."""

    writer_id: str
    n: int
    pid: int
    kind: str
    message: str | None
    status: str | None
    error: str | None


def read(path: Path) -> list[Sent]:
    return [Sent(*json.loads(line)) for line in path.read_text("utf-8").splitlines()]


def ends(path: Path) -> list[tuple[str | None, str | None]]:
    """Tell how jobs ended: their status and their error."""
    return [(sent.status, sent.error) for sent in read(path) if sent.kind == "JobFinished"]


def messages(path: Path) -> list[str]:
    return [sent.message for sent in read(path) if sent.message is not None]


def start(program: str, path: Path, **environment: str) -> subprocess.Popen[str]:
    """Start a program in an interpreter of its own."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", program],
        cwd=ROOT,
        env={**os.environ, VARIABLE: str(path), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(program: str, path: Path, *, status: int = 0, patience_s: float = 60, **environment: str) -> str:
    """Run a program to its end, and tell what it printed."""
    process = start(program, path, **environment)
    try:
        said, complained = process.communicate(timeout=patience_s)
    finally:
        process.kill()
    assert process.returncode == status, (process.returncode, complained)
    if status == 0:
        assert complained == ""
    return said
