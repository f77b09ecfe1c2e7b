"""Several processes at one spool, forks in the middle of a job, and a clock that is set."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest

from tests.faults.capture.cast import ReturningService, Store, counted, of_writer, working
from tests.faults.capture.proxy import Proxy, proxying
from tests.faults.capture.worker import STATUS
from tests.processes import until

pytestmark = pytest.mark.timeout(150)

JOB = "job-of-many"
NAMES = ["a", "b", "c", "d"]


async def flap(proxy: Proxy) -> None:
    """Be there for a second and away for a second, until cancelled."""
    while True:
        await asyncio.sleep(1)
        await proxy.shut()
        await asyncio.sleep(1)
        await proxy.open()


async def test_four_processes_at_one_spool_keep_their_order_while_the_service_comes_and_goes(
    returning: ReturningService, store: Store, tmp_path: Path
) -> None:
    job_ids, lines = [f"{JOB}-1", f"{JOB}-2"], 1_500
    async with proxying(returning.url) as proxy:
        flapping = asyncio.create_task(flap(proxy))
        with ExitStack() as stack:
            workers = [
                stack.enter_context(
                    working(
                        proxy.url,
                        tmp_path,
                        "count_in_turn",
                        options={"wait_s": 40},
                        job_ids=job_ids,
                        name=name,
                        lines=lines,
                        every_s=0.004,
                    )
                )
                for name in NAMES
            ]
            for worker in workers:
                assert await worker.end(patience_s=60) == STATUS, worker.log
                assert worker.told("flushed") is True, worker.told("stats")
        flapping.cancel()
        await asyncio.wait([flapping])
    for job_id in job_ids:
        messages = await store.messages(job_id)
        assert len(messages) == lines * len(NAMES)
        for name in NAMES:
            assert of_writer(messages, name) == counted(name, lines)


async def test_a_process_that_forks_and_its_children_say_every_line_once(
    returning: ReturningService, store: Store, tmp_path: Path
) -> None:
    children, lines = 8, 100
    with working(
        returning.url, tmp_path, "fork", options={"wait_s": 40}, job_id=JOB, children=children, lines=lines
    ) as worker:
        assert await worker.end() == STATUS, worker.log
        assert worker.told("result") == [0] * children
        assert worker.told("flushed") is True, worker.told("stats")
    messages = await store.messages(JOB)
    speakers = {"beside": children * lines}
    speakers |= {f"{kind} {child}": lines for kind in ("parent", "child") for child in range(children)}
    for name, said in speakers.items():
        told = [message for message in messages if message.startswith(f"{name}: ")]
        assert told == [f"{name}: {number}" for number in range(said)]
    assert len(messages) == sum(speakers.values())
    assert await store.status(JOB) == "COMPLETED"


async def test_a_fork_while_the_service_is_away_doubles_nothing(
    absent: ReturningService, store: Store, tmp_path: Path
) -> None:
    """What waits at the moment of the fork is the parent's."""
    with working(absent.url, tmp_path, "fork", options={"wait_s": 40}, job_id=JOB, children=4, lines=100) as worker:
        await until(lambda: worker.told("forked") == 4)
        await absent.start()
        assert await worker.end() == STATUS, worker.log
        assert worker.told("result") == [0] * 4
    messages = await store.messages(JOB)
    assert len(messages) == len(set(messages)) == 4 * 100 * 3


async def test_a_clock_that_is_set_changes_no_order_and_loses_no_line(
    absent: ReturningService, store: Store, tmp_path: Path
) -> None:
    """The clock that Python shows to the worker, that is: see `set_clock`. The service is away at first."""
    lines, steps_s = 300, [-3_600, 0, 86_400, -172_800, 5]
    with working(
        absent.url,
        tmp_path,
        "set_the_clock",
        program="clocked_worker",
        options={"wait_s": 40},
        job_id=JOB,
        lines=lines,
        steps_s=steps_s,
    ) as worker:
        await until(lambda: worker.said >= lines // 2)
        await absent.start()
        assert await worker.end() == STATUS, worker.log
        assert worker.told("flushed") is True, worker.told("stats")
    stored = await store.lines(JOB)
    assert [line.message for line in stored] == [f"line {number}" for number in range(lines)]
    moments = worker.told("result")
    for line, (before, after) in zip(stored, moments, strict=True):
        assert datetime.fromisoformat(before) <= line.timestamp <= datetime.fromisoformat(after)
    assert sum(later[0] < earlier[0] for earlier, later in pairwise(moments)) >= lines // 3
