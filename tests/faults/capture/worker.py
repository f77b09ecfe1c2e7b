"""The worker program: it runs a story in which jobs speak by the SDK, and tells on stdout what it has said so far.

The environment alone configures the SDK. Whatever the capture meets, a story ends with its own result and status.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any

import jobtail
from jobtail.job.session import current_job
from tests.faults.capture.awkward import AWKWARD

STATUS = 3
"""What a story ends with: no Python program ends so by accident."""
PATIENCE_S = 40.0
TOLD_EVERY = 20
SLOW_S = 0.1
"""Who speaks no oftener tells of every line."""


def count(job_id: str, name: str, lines: int, every_s: float = 0, padding: int = 0, hold_at: int = -1) -> Any:
    """Say `<name> <number>` from 0, one line every so many seconds, in a job that completes.

    At `hold_at` it waits until stdin ends.
    """
    with jobtail.job(job_id, handler_name="count") as emitter:
        for number in paced(lines, every_s):
            if number == hold_at:
                sys.stdin.read()
            emitter.emit_info(f"{name} {number}{'.' * padding}")
            told(number + 1, lines)
    return lines


def count_until_told(job_id: str, name: str, every_s: float) -> Any:
    """Say lines until stdin ends."""
    is_over = threading.Event()

    def listen() -> None:
        sys.stdin.read()
        is_over.set()

    threading.Thread(target=listen, daemon=True).start()
    with jobtail.job(job_id, handler_name="count") as emitter:
        for number in paced(sys.maxsize, every_s):
            if is_over.is_set():
                return number
            emitter.emit_info(f"{name} {number}")
            told(number + 1, number + 1 if every_s >= SLOW_S else 0)
    return None


def count_in_turn(job_ids: list[str], name: str, lines: int, every_s: float = 0) -> Any:
    """Say every line in each of several jobs that are open at once."""
    with ExitStack() as stack:
        emitters = [stack.enter_context(jobtail.job(job_id, handler_name="count")) for job_id in job_ids]
        for number in paced(lines, every_s):
            for emitter in emitters:
                emitter.emit_info(f"{name} {number}")
            told(number + 1, lines)
    return lines


def say_awkward(job_id: str) -> Any:
    """Say what is hard to carry."""
    with jobtail.job(job_id, handler_name="awkward"):
        job = current_job()
        assert job is not None
        for line in AWKWARD:
            job.say(line.message(), line.level, line.metadata() if line.metadata else None)
    return len(AWKWARD)


def fork(job_id: str, children: int, lines: int) -> Any:
    """Fork while two threads speak, again and again; every child speaks too, and ends as children of Celery do."""
    with jobtail.job(job_id, handler_name="fork") as emitter:
        beside = threading.Thread(target=_say, args=(emitter, "beside", lines * children, 0.001))
        beside.start()
        pids = []
        for child in range(children):
            _say(emitter, f"parent {child}", lines)
            if (pid := os.fork()) == 0:
                _say(emitter, f"child {child}", lines)
                os._exit(0 if is_stored(PATIENCE_S) else 1)
            pids.append(pid)
            tell("forked", child + 1)
        beside.join()
        return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]


def set_the_clock(job_id: str, lines: int, steps_s: list[float]) -> Any:
    """Say lines, set the clock after each, and tell between which two moments each was said. Needs `set_clock`."""
    from tests.faults.capture import set_clock

    moments = []
    with jobtail.job(job_id, handler_name="clock") as emitter:
        for number in paced(lines, 0.01):
            before = set_clock.now()
            emitter.emit_info(f"line {number}")
            moments.append((before.isoformat(), set_clock.now().isoformat()))
            told(number + 1, lines)
            set_clock.shift(steps_s[number % len(steps_s)])
    return moments


STORIES: dict[str, Callable[..., Any]] = {
    story.__name__: story for story in (count, count_until_told, count_in_turn, say_awkward, fork, set_the_clock)
}


def paced(lines: int, every_s: float) -> Iterator[int]:
    """Count from 0. A story that is behind its time does not wait."""
    began = time.monotonic()
    for number in range(lines):
        if (early_s := began + number * every_s - time.monotonic()) > 0:
            time.sleep(early_s)
        yield number


def is_stored(patience_s: float) -> bool:
    """Wait until the service has stored all. `flush` alone gives up at the first attempt that fails."""
    deadline = time.monotonic() + patience_s
    while not (is_all := jobtail.flush(deadline - time.monotonic())) and time.monotonic() < deadline:
        time.sleep(0.05)
    return is_all


def told(count: int, last: int = 0) -> None:
    """Report now and then how many lines were said."""
    if count % TOLD_EVERY == 0 or count == last:
        tell("said", count)


def tell(kind: str, value: Any) -> None:
    """Report to the test, with the machine's monotonic clock. One write, which no fork can double."""
    os.write(1, json.dumps([kind, value, time.monotonic()]).encode() + b"\n")


def main(story: str, arguments: str, *, file_bytes: int = 0, wait_s: float = 0, **options: Any) -> None:
    """Run a story, wait if asked to until all is stored, and leave the rest to the end of the process.

    Args:
        story: its name.
        arguments: of the story, as JSON.
        file_bytes: no file may grow beyond that: the disk is full then.
        wait_s: how long to wait for the service at the end.
        **options: those of `jobtail.configure`.
    """
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    if file_bytes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
    jobtail.configure(**options)
    result = STORIES[story](**json.loads(arguments))
    tell("result", result)
    if wait_s:
        tell("flushed", is_stored(wait_s))
    tell("stats", asdict(jobtail.stats()))
    sys.exit(STATUS)


def _say(emitter: Any, name: str, lines: int, every_s: float = 0) -> None:
    for number in paced(lines, every_s):
        emitter.emit_info(f"{name}: {number}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], **json.loads(sys.argv[3]))
