"""A worker that is killed with -9: what it said more than a second before is stored once the next one has run."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.faults.capture.cast import ReturningService, Store, counted, of_writer, working
from tests.faults.capture.worker import STATUS
from tests.processes import until

JOB = "job-that-is-killed"
HEIR = "job-of-the-next-process"
GRACE_S = 1.0


@pytest.mark.parametrize("is_up", [True, False], ids=["service up", "service down"])
async def test_what_a_killed_worker_said_is_stored_by_the_next(
    returning: ReturningService, store: Store, tmp_path: Path, is_up: bool
) -> None:
    victims = ["a", "b"]
    known: dict[str, int] = {}
    with (
        working(returning.url, tmp_path, "count_until_told", job_id=JOB, name="a", every_s=0.001) as one,
        working(returning.url, tmp_path, "count_until_told", job_id=JOB, name="b", every_s=0.001) as other,
    ):
        await until(lambda: one.said > 500 and other.said > 500)
        if not is_up:
            await returning.stop()
        began = time.monotonic()
        await until(lambda: min(one.said_before(began), other.said_before(began)) > 0 and time.monotonic() > began + 2)
        for name, worker in zip(victims, (one, other), strict=True):
            known[name] = worker.said_before(worker.kill() - GRACE_S)
    if not is_up:
        await returning.start()
    with working(returning.url, tmp_path, "count_until_told", job_id=HEIR, name="heir", every_s=0.01) as heir:
        await store.until_lines(JOB, sum(known.values()))
        heir.release()
        assert await heir.end() == STATUS, heir.log
    messages = await store.messages(JOB)
    for name in victims:
        stored = of_writer(messages, name)
        assert stored == counted(name, len(stored))
        assert len(stored) >= known[name] > 1_000
    assert len(messages) == sum(len(of_writer(messages, name)) for name in victims)
    assert await store.messages(HEIR) == counted("heir", heir.told("result"))
