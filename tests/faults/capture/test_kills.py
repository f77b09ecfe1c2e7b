"""A worker that is killed, or ends while the service is away: the next process of its spool directory sends the rest."""

from __future__ import annotations

import signal
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.capture.cast import ReturningService, Store, Worker, counted, of_writer, working
from tests.faults.capture.worker import STATUS
from tests.processes import until

pytestmark = pytest.mark.timeout(150)

JOB = "job-that-is-killed"
HEIR = "job-of-the-next-process"
GRACE_S = 1.0
"""What was said less than that before a kill -9 may be lost."""


def counting(
    stack: ExitStack, service: ReturningService, directory: Path, job_id: str, name: str, every_s: float = 0.001
) -> Worker:
    """Start a worker that says lines until it is told to stop."""
    story = working(service.url, directory, "count_until_told", job_id=job_id, name=name, every_s=every_s)
    return stack.enter_context(story)


async def inherited(stack: ExitStack, service: ReturningService, store: Store, directory: Path, lines: int) -> None:
    """Run two more processes at once until so many lines are stored, and see that they lost none of their own."""
    heirs = {name: counting(stack, service, directory, HEIR, name) for name in ("x", "y")}
    await store.until_lines(JOB, lines)
    for heir in heirs.values():
        heir.release()
        assert await heir.end() == STATUS, heir.log
    messages = await store.messages(HEIR)
    for name, heir in heirs.items():
        assert of_writer(messages, name) == counted(name, heir.told("result"))


@pytest.mark.parametrize("service_is", ["up", "down", "hanging"])
async def test_what_a_killed_worker_said_is_stored_by_the_next(
    returning: ReturningService, store: Store, tmp_path: Path, service_is: str
) -> None:
    with ExitStack() as stack:
        victims = {name: counting(stack, returning, tmp_path, JOB, name) for name in ("a", "b")}
        victims["slow"] = counting(stack, returning, tmp_path, JOB, "slow", every_s=0.6)
        await until(lambda: all(victim.said >= (2 if name == "slow" else 500) for name, victim in victims.items()))
        if service_is == "down":
            await returning.stop()
        hanging = stack.enter_context(ExitStack())
        if service_is == "hanging":
            hanging.enter_context(returning.hanging())
        killed_at = time.monotonic() + 2
        await until(lambda: time.monotonic() > killed_at)
        known = {name: victim.said_before(victim.kill() - GRACE_S) for name, victim in victims.items()}
        if service_is == "down":
            between = counting(stack, returning, tmp_path, "job-of-an-heir-that-is-killed-too", "heir")
            await until(lambda: between.said > 100)
            between.kill()
            await returning.start()
        hanging.close()
        await inherited(stack, returning, store, tmp_path, sum(known.values()))
    messages = await store.messages(JOB)
    for name, said in known.items():
        stored = of_writer(messages, name)
        assert stored == counted(name, len(stored))
        assert len(stored) >= said > (2 if name == "slow" else 1_000)
    assert len(messages) == sum(len(of_writer(messages, name)) for name in victims)


@pytest.mark.parametrize("is_told", [True, False], ids=["by itself", "by SIGTERM"])
async def test_a_worker_that_ends_while_the_service_is_away_leaves_all_to_the_next(
    absent: ReturningService, store: Store, tmp_path: Path, is_told: bool
) -> None:
    with ExitStack() as stack:
        worker = counting(stack, absent, tmp_path, JOB, "a")
        await until(lambda: worker.said >= 500)
        if is_told:
            worker.release()
        else:
            worker.process.terminate()
        status = await worker.end(patience_s=20)
        assert status == (STATUS if is_told else -signal.SIGTERM), worker.log
        said = worker.told("result") if is_told else worker.said
        await absent.start()
        await inherited(stack, absent, store, tmp_path, said)
    messages = await store.messages(JOB)
    assert messages == counted("a", len(messages))
    assert len(messages) == said or not is_told
    assert await store.status(JOB) == ("COMPLETED" if is_told else "FAILED"), "its end is told, too"


async def test_a_worker_that_lives_for_a_moment_and_waits_for_nobody_leaves_all_to_the_next(
    returning: ReturningService, store: Store, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        options = {"flush_s": 0.05}
        with (
            returning.hanging(),
            working(returning.url, tmp_path, "count", options=options, job_id=JOB, name="a", lines=20) as worker,
        ):
            assert await worker.end(patience_s=20) == STATUS, worker.log
        await inherited(stack, returning, store, tmp_path, 20)
    assert await store.messages(JOB) == counted("a", 20)
    assert await store.status(JOB) == "COMPLETED"
