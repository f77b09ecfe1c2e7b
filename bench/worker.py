"""A worker in a process of its own, told what to do by its arguments: emits lines, and says as JSON how it went."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import psutil  # type: ignore[import-untyped] # its stubs are a package of their own

import jobtail

MESSAGE = "Scored candidate for requirement {}: 0.{:02} of 1, evidence found in the resume, 12 of 14 terms"
PATIENCE_S = 300.0


def send(emitter: Any, count: int) -> dict[str, float]:
    """Emit as fast as it goes; ends when the service has stored all of it. `seconds` from the first line to then."""
    start = time.perf_counter()
    for number in range(count):
        emitter.emit_info(MESSAGE.format(number % 20, number % 97))
    if not jobtail.flush(PATIENCE_S):
        raise SystemExit(f"not all was stored: {jobtail.stats()}")
    return {"start": start, "end": time.perf_counter()}


def emit(emitter: Any, count: int) -> dict[str, float]:
    """Emit with short pauses, as a job that works in between. Microseconds a line, at the median and at 99 %."""
    costs = []
    for number in range(count):
        message = MESSAGE.format(number % 20, number % 97)
        start = time.perf_counter_ns()
        emitter.emit_info(message)
        costs.append(time.perf_counter_ns() - start)
        if number % 20 == 0:
            time.sleep(0.001)
    costs.sort()
    return {"median_us": costs[count // 2] / 1e3, "p99_us": costs[count * 99 // 100] / 1e3}


def keep(emitter: Any, count: int) -> dict[str, float]:
    """Emit while there is no service. Megabytes of memory at the worst, beyond those before the first line."""
    process = psutil.Process()
    before = most = process.memory_info().rss
    for number in range(count):
        emitter.emit_info(MESSAGE.format(number % 20, number % 97))
        if number % 10_000 == 0:
            most = max(most, process.memory_info().rss)
    return {"mb": (max(most, process.memory_info().rss) - before) / 1e6, "dropped": jobtail.stats().dropped}


WAYS = {"send": send, "emit": emit, "keep": keep}


def main() -> None:
    way, url, spool_dir, job_id, count = sys.argv[1:]
    jobtail.configure(url, spool_dir=spool_dir, flush_s=1)
    with jobtail.job(job_id, handler_name="bench") as emitter:
        emitter.emit_stage("score_candidates", "Begins")
        jobtail.flush(5)
        print("ready", flush=True)
        sys.stdin.readline()
        print(json.dumps(WAYS[way](emitter, int(count))), flush=True)


if __name__ == "__main__":
    main()
