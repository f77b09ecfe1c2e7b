"""A proxy in between that delays, cuts, loses and doubles: every line is stored once, in order."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.faults.capture.cast import ReturningService, Store, counted, of_writer, working
from tests.faults.capture.proxy import FAULTS, Treatment, double, hand_on, proxying, repeat_late
from tests.faults.capture.worker import STATUS
from tests.processes import until

pytestmark = pytest.mark.timeout(150)

JOB = "job-behind-a-bad-proxy"


def in_any_order(times: int) -> list[Treatment]:
    """Every fault so many times, with a request that goes well now and then."""
    treatments = [*FAULTS, hand_on, hand_on] * times
    random.Random(JOB).shuffle(treatments)
    return treatments


async def test_a_proxy_that_spoils_requests_and_answers_costs_no_line_and_doubles_none(
    returning: ReturningService, store: Store, tmp_path: Path
) -> None:
    treatments = in_any_order(3)
    async with proxying(returning.url, treatments) as proxy:
        options = {"wait_s": 60}
        with working(
            proxy.url, tmp_path, "count", options=options, job_id=JOB, name="a", lines=8_000, every_s=0.001
        ) as worker:
            assert await worker.end(patience_s=80) == STATUS, worker.log
            assert worker.told("flushed") is True, worker.told("stats")
        await until(lambda: len(proxy.treated) >= len(treatments))
        await proxy.send_all_late()
    assert await store.messages(JOB) == counted("a", 8_000)
    assert await store.status(JOB) == "COMPLETED"


async def test_a_proxy_that_sends_every_request_twice_doubles_no_line(
    returning: ReturningService, store: Store, tmp_path: Path
) -> None:
    async with proxying(returning.url, [double, repeat_late] * 1_000) as proxy:
        options = {"wait_s": 30}
        with (
            working(
                proxy.url, tmp_path, "count", options=options, job_id=JOB, name="a", lines=2_000, every_s=0.001
            ) as one,
            working(proxy.url, tmp_path, "count", options=options, job_id=JOB, name="b", lines=2_000) as other,
        ):
            assert await one.end() == STATUS, one.log
            assert await other.end() == STATUS, other.log
        await proxy.send_all_late()
        assert {"double", "repeat_late"} <= set(proxy.treated)
    messages = await store.messages(JOB)
    for name in ("a", "b"):
        assert of_writer(messages, name) == counted(name, 2_000)
    assert len(messages) == 4_000
