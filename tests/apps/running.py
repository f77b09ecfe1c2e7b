"""Worker processes of the queues: started with their output in a file, waited for, and ended as their users end them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from tests.client import PATIENCE_S, Api
from tests.conftest import ROOT

T = TypeVar("T")
JOB = """
query ($jobId: String!) {
  job(jobId: $jobId) {
    jobId handlerName source status error metadata finishedAt
    parent { jobId }  children { nodes { jobId handlerName } }
    logs { nodes { stage taskId level message metadata executionId } }
  }
}
"""


def soon(look: Callable[[], T | None], *, timeout_s: float = PATIENCE_S) -> T:
    """Look until there is something, and give it."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError("it did not come about")
        time.sleep(0.05)


@contextmanager
def running(
    directory: Path, module: str, *arguments: str, ready: str, environment: Mapping[str, str], end: int = signal.SIGTERM
) -> Iterator[Path]:
    """Run `python -m module arguments` until it says that it is ready, and end it by a signal. Yields its output's file."""
    output = directory / f"{module}.{arguments[0] if arguments else ''}.log"
    whole = {**os.environ, "PYTHONPATH": str(ROOT), "JOBTAIL_SPOOL_DIR": str(directory / "spool"), **environment}
    with output.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments], cwd=directory, env=whole, stdout=stream, stderr=stream
        )
    try:
        soon(lambda: ready in output.read_text() or process.poll() is not None)
        assert process.poll() is None, output.read_text()
        yield output
    except BaseException:
        sys.stderr.write(output.read_text())
        raise
    finally:
        process.send_signal(end)
        try:
            process.wait(PATIENCE_S)
        finally:
            process.kill()
            process.wait()


def job_with(api: Api, job_id: str, is_so: Callable[[Any], bool]) -> Any:
    """Wait until a job is as it should be."""
    found: Any = None

    def look() -> Any:
        nonlocal found
        found = api.ask(JOB, jobId=job_id)["job"]
        return found if found is not None and is_so(found) else None

    try:
        return soon(look)
    except TimeoutError:
        raise AssertionError(f"the job is still {found}") from None


def finished(api: Api, job_id: str) -> Any:
    return job_with(api, job_id, lambda job: job["finishedAt"] is not None)


def said(job: Any) -> list[tuple[str, str | None, str, str]]:
    """Stage, task, level and first line of each line."""
    return [
        (line["stage"], line["taskId"], line["level"], line["message"].split("\n")[0]) for line in job["logs"]["nodes"]
    ]


def run_python(program: str, directory: Path, environment: dict[str, str]) -> None:
    """Run a program in an interpreter of its own."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=directory,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
