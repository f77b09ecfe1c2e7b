"""Subscriptions that nobody writes to cost the service next to nothing."""

from __future__ import annotations

import asyncio
import time
from urllib.parse import urlsplit

import psutil  # type: ignore[import-untyped] # its stubs are a package of their own

from bench.live import subscribe
from bench.viewers import viewers
from tests.client import TRANSPORT_WS, Api, new_job_id
from tests.conftest import Service
from tests.processes import until

VIEWERS, JOBS, QUIET_S = 300, 30, 3.5
"""Long enough for a look of the doorbell at all followed jobs."""
MOST_CPU_SHARE = 0.05
MOST_KB_EACH = 100


def cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def test_viewers_of_quiet_jobs_take_no_cpu_and_little_memory(service: Service) -> None:
    process = psutil.Process(service.process.pid)
    job_ids = [new_job_id() for _ in range(JOBS)]
    with Api(service) as api:
        for job_id in job_ids:
            api.capture(job_id, "the only line")
    before = process.memory_info().rss
    port = urlsplit(service.url).port
    assert port is not None
    async with viewers(VIEWERS, port, "/graphql", protocol=TRANSPORT_WS) as opened:
        await subscribe(opened, [job_ids[n % JOBS] for n in range(VIEWERS)])
        assert (process.memory_info().rss - before) / 1024 / VIEWERS < MOST_KB_EACH
        cpu, start = cpu_s(process), time.perf_counter()
        await asyncio.sleep(QUIET_S)  # what is measured is a span of time
        assert (cpu_s(process) - cpu) / (time.perf_counter() - start) < MOST_CPU_SHARE
        with Api(service) as api:
            api.capture(job_ids[0], "a line at last")
        await until(lambda: [viewer.frames for viewer in opened[:2]] == [3, 2])
