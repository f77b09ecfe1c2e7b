"""The classic validation: a job whose file does not exist leaves exactly three lines, three stages and FAILED."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from examples.recruiting.capture import captured
from examples.recruiting.handlers import HANDLERS
from examples.recruiting.queue import JobQueue, JobSpec, Outcome, run_job
from examples.recruiting.requirements import EXTRACTOR
from examples.recruiting.results import open_results
from graph.capture.recorder_sink import RecorderSink
from jobtail import Writer
from tests.client import JOB_LOGS, Api, by_websocket, worker
from tests.conftest import Service

JOB = "JB_MANUAL_E2E_LOG_TEST_123"
SOURCE = "file:///tmp/test-jd.txt"
QUERY = f"""
{{
  job(jobId: "{JOB}") {{
    jobId handlerName source status error lastSeq logCounts {{ total info error }}
    logs {{ totalCount nodes {{ seq stage taskId level message }} }}
    stages {{
      name status taskCount
      tasks {{ nodes {{ taskId status logCounts {{ total }} logs {{ nodes {{ seq }} }} }} }}
    }}
  }}
}}
"""


@pytest.fixture(autouse=True)
def _no_such_file() -> None:
    assert not Path("/tmp/test-jd.txt").exists(), "the validation needs a file that does not exist"


async def test_the_classic_validation(service: Service, database_url: str) -> None:
    async with by_websocket(service, JOB_LOGS, jobId=JOB, afterSeq=0) as events:
        assert (await events.next())["lastSeq"] == 0
        await _run(database_url)
        batches = await events.rest()
    with Api(service) as api:
        job = api.ask(QUERY)["job"]

    lines: list[dict[str, Any]] = [
        {"stage": "read_jd", "level": "INFO", "message": f"Reading job description from {SOURCE}"},
        {"stage": "extract_requirements", "level": "INFO", "message": f"Extracting with {EXTRACTOR} (local)..."},
        {"stage": "extract", "level": "ERROR", "message": "file not found: file:/tmp/test-jd.txt"},
    ]
    expected = [{"seq": seq, "taskId": None, **line} for seq, line in enumerate(lines, 1)]
    assert job["logs"] == {"totalCount": 3, "nodes": expected}
    assert [line["message"] for batch in batches for line in batch["logs"]] == [line["message"] for line in lines]
    assert batches[-1]["jobStatus"] == "FAILED"

    assert [stage["name"] for stage in job["stages"]] == ["read_jd", "extract_requirements", "extract"]
    assert [stage["status"] for stage in job["stages"]] == ["COMPLETED", "COMPLETED", "FAILED"]
    for seq, stage in enumerate(job["stages"], 1):
        assert stage["taskCount"] == 1
        assert stage["tasks"]["nodes"] == [
            {
                "taskId": stage["name"],
                "status": stage["status"],
                "logCounts": {"total": 1},
                "logs": {"nodes": [{"seq": seq}]},
            }
        ]
    assert (job["status"], job["error"], job["lastSeq"]) == ("FAILED", "file not found: file:/tmp/test-jd.txt", 3)
    assert (job["handlerName"], job["source"]) == ("ingest_jd", SOURCE)
    assert job["logCounts"] == {"total": 3, "info": 2, "error": 1}


async def _run(database_url: str) -> None:
    """Run the job in this process, with its capture going to the service's database."""
    spec = JobSpec(job_id=JOB, handler="ingest_jd", payload={"source": SOURCE})
    async with worker(database_url) as recorder, open_results(database_url) as results:
        writer = Writer(RecorderSink(recorder, asyncio.get_running_loop()))
        outcome = await run_job(spec, HANDLERS, captured(writer), results, JobQueue().enqueue)
        assert outcome is Outcome.FAILED
        assert await asyncio.to_thread(writer.close, 20)
