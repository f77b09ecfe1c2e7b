"""From a worker's process through HTTP to durable, beside a plain INSERT of the same rows; and what it costs the job."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from statistics import median
from tempfile import TemporaryDirectory
from uuid import uuid4

from bench import storing
from bench.figures import Figure
from persistence.database import Database

LINES, BATCH = 100_000, 500
EMITTED, KEPT = 50_000, 1_000_000
NOWHERE = "http://127.0.0.1:9"
"""The port of the discard service, where nobody listens."""


async def measure(database: Database, service_port: int) -> list[Figure]:
    url = f"http://127.0.0.1:{service_port}"
    return [
        *[await _through(database, url, workers) for workers in (1, 4)],
        *await asyncio.to_thread(_cost, url),
        *await asyncio.to_thread(_memory),
    ]


async def _through(database: Database, url: str, workers: int) -> Figure:
    """Compare the medians of three turns each."""
    ours, plain = [], []
    for _ in range(3):
        plain.append(await storing.plain_rate(database, LINES, BATCH))
        spans = await asyncio.to_thread(_run, ["send"] * workers, url, LINES // workers)
        ours.append(LINES / (max(span["end"] for span in spans) - min(span["start"] for span in spans)))
    what = f"from {workers} worker{'s' if workers > 1 else ''} by HTTP to durable"
    return Figure(what=what, ours=median(ours), raw=median(plain), unit="rows/s")


def _cost(url: str) -> list[Figure]:
    (costs,) = _run(["emit"], url, EMITTED)
    return [
        Figure(what="cost of an emit in the job, median", ours=costs["median_us"], raw=None, unit="us"),
        Figure(what="cost of an emit in the job, p99", ours=costs["p99_us"], raw=None, unit="us"),
    ]


def _memory() -> list[Figure]:
    (kept,) = _run(["keep"], NOWHERE, KEPT)
    what = f"memory of {KEPT:,} lines with the service down"
    return [Figure(what=what, ours=kept["mb"], raw=None, unit="MB")]


def _run(ways: Sequence[str], url: str, count: int) -> list[dict[str, float]]:
    """Run workers side by side, let them begin together, and collect what they say."""
    with TemporaryDirectory(prefix="jobtail-bench-") as spool, ExitStack() as stack:
        workers = [stack.enter_context(_worker(way, url, spool, count)) for way in ways]
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n", "the worker did not start"
        with ThreadPoolExecutor(len(workers)) as pool:
            said = list(pool.map(lambda worker: worker.communicate("go\n")[0], workers))
    return [json.loads(words) for words in said]


def _worker(way: str, url: str, spool: str, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bench.worker", way, url, spool, f"JB_{uuid4()}", str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
