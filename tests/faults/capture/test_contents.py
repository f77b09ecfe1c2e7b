"""Lines that are hard to carry, and very many of them: all come through whole, read from Postgres and by GraphQL."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.client import Api
from tests.conftest import Service
from tests.faults.capture.awkward import AWKWARD
from tests.faults.capture.cast import NOT_SENDING, SENDING_AGAIN, ReturningService, Store, counted, working
from tests.faults.capture.worker import STATUS
from tests.processes import until

pytestmark = pytest.mark.timeout(150)

JOB = "job-that-says-anything"
PAGE = """
query ($jobId: String!, $after: String) {
  job(jobId: $jobId) {
    logs(first: 10, after: $after) { nodes { seq message level metadata } pageInfo { hasNextPage endCursor } }
  }
}
"""


def read_lines(api: Api, job_id: str) -> Iterator[dict[str, Any]]:
    """Read a job's lines page by page."""
    after, has_next = None, True
    while has_next:
        page = api.ask(PAGE, jobId=job_id, after=after)["job"]["logs"]
        yield from page["nodes"]
        after, has_next = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]


@pytest.mark.parametrize("is_up", [True, False], ids=["service up", "by the spool"])
async def test_whatever_a_line_holds_comes_through_whole(
    absent: ReturningService, store: Store, tmp_path: Path, is_up: bool
) -> None:
    if is_up:
        await absent.start()
    with working(absent.url, tmp_path, "say_awkward", options={"wait_s": 40}, job_id=JOB) as worker:
        if not is_up:
            await until(lambda: NOT_SENDING in worker.log and worker.told("result"))
            await absent.start()
        assert await worker.end() == STATUS, worker.log
        assert worker.told("flushed") is True, worker.log
        assert worker.log.count(NOT_SENDING) == worker.log.count(SENDING_AGAIN) == (0 if is_up else 1)
        assert worker.told("stats")["faults"] == 0
    stored = await store.lines(JOB)
    with Api(absent.running) as api:
        read = await asyncio.to_thread(list, read_lines(api, JOB))
    assert len(stored) == len(read) == len(AWKWARD)
    for line, row, node in zip(AWKWARD, stored, read, strict=True):
        expected = line.expected
        assert row.message == expected, line.name
        assert node["message"] == expected, line.name
        assert row.level == line.level, line.name
        assert node["level"] == line.level.name, line.name
        assert row.metadata == node["metadata"] == line.stored_metadata, line.name


async def test_a_hundred_thousand_lines_at_once_come_through_in_order(
    service: Service, store: Store, tmp_path: Path
) -> None:
    options = {"wait_s": 60}
    with working(service.url, tmp_path, "count", options=options, job_id=JOB, name="a", lines=100_000) as worker:
        assert await worker.end(patience_s=80) == STATUS, worker.log
        assert worker.told("stats")["dropped"] == 0
    assert await store.messages(JOB) == counted("a", 100_000)
