"""A real job watched live: its lines arrive while it works, at every viewer, as they stand in the log afterwards."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from typing import Any

from examples.recruiting import DATA
from examples.recruiting.capture import captured
from examples.recruiting.handlers import HANDLERS
from examples.recruiting.queue import JobQueue, JobSpec, Outcome, run_job
from examples.recruiting.results import open_results
from graph.capture.recorder_sink import RecorderSink
from jobtail import Writer
from tests.client import JOB_LOGS, Api, Events, by_sse, by_websocket, worker
from tests.conftest import Service, serving

JOB = "JB_INGEST_LIVE"
VIEWERS = 6
JOB_UPDATED = f"""
subscription {{ jobUpdated(jobId: "{JOB}") {{ status lastSeq stages {{ name status }} progress {{ percentage }} }} }}
"""
READ_BACK = f"""
query ($after: String) {{
  job(jobId: "{JOB}") {{
    status lastSeq logCounts {{ total error }} progress {{ current total percentage }}
    logs(first: 40, after: $after) {{ nodes {{ seq message stage taskId level timestamp }} pageInfo {{ endCursor }} }}
    stages {{ name status taskCount tasks(first: 1000) {{ nodes {{ taskId name status result }} }} }}
  }}
}}
"""


async def test_a_real_job_is_seen_live_by_every_viewer_of_two_services(service: Service, database_url: str) -> None:
    with serving(database_url) as other, Api(service) as api:
        async with AsyncExitStack() as stack:
            viewers = [
                await stack.enter_async_context(
                    (by_websocket, by_sse)[n % 2]((service, other)[n // 2 % 2], JOB_LOGS, jobId=JOB, afterSeq=0)
                )
                for n in range(VIEWERS)
            ]
            updates = await stack.enter_async_context(by_websocket(other, JOB_UPDATED))
            for viewer in viewers:
                assert (await viewer.next())["caughtUp"]
            said_by_then = asyncio.create_task(_first_lines(viewers))
            job = asyncio.create_task(_ingest(database_url, may_end=said_by_then))
            heads = await said_by_then
            assert not job.done(), "the first lines arrive while the job works"
            seen = await asyncio.gather(*(viewer.rest() for viewer in viewers))
            told = await updates.until(lambda update: update["status"] == "COMPLETED")
            assert await job is Outcome.COMPLETED
        log, read = _read_back(api)

    for head, rest in zip(heads, seen, strict=True):
        assert [line for batch in [head, *rest] for line in batch["logs"]] == log
        assert rest[-1]["jobStatus"] == "COMPLETED"
    assert [line["seq"] for line in log] == list(range(1, read["lastSeq"] + 1))
    assert read["logCounts"]["total"] == len(log) > 50
    assert read["progress"] == {"current": 36, "total": 36, "percentage": 100}
    assert [(stage["name"], stage["status"]) for stage in read["stages"]] == [
        (name, "COMPLETED")
        for name in (
            "read_jd",
            "extract_requirements",
            "generate_attestations",
            "persist_data",
            "persist_complete",
            "score_candidates",
        )
    ]
    tasks = read["stages"][-1]["tasks"]["nodes"]
    assert Counter(task["status"] for task in tasks) == {"COMPLETED": 33, "FAILED": 4}
    assert {task["taskId"] for task in tasks} == {"score_candidates", *(f"CNT_{n}" for n in range(1001, 1037))}
    assert told[-1]["lastSeq"] == len(log)
    assert [update["lastSeq"] for update in told] == sorted(update["lastSeq"] for update in told)
    assert told[-1]["stages"][-1] == {"name": "score_candidates", "status": "COMPLETED"}


async def _first_lines(viewers: list[Events]) -> list[Any]:
    return [await viewer.next() for viewer in viewers]


async def _ingest(database_url: str, *, may_end: asyncio.Task[Any]) -> Outcome:
    """Run a job of the recruiting example; it begins its last work only when its first lines have been seen."""
    source = (DATA / "descriptions" / "backend-engineer.txt").as_uri()
    spec = JobSpec(job_id=JOB, handler="ingest_jd", payload={"source": source})
    async with worker(database_url) as recorder, open_results(database_url) as results:
        writer = Writer(RecorderSink(recorder, asyncio.get_running_loop()))
        hooks = captured(writer)
        save = results.save_description

        async def save_later(*arguments: Any) -> None:
            await may_end
            await save(*arguments)

        results.save_description = save_later  # type: ignore[method-assign,assignment]
        outcome = await run_job(spec, HANDLERS, hooks, results, JobQueue().enqueue)
        assert await asyncio.to_thread(writer.close, 20)
        return outcome


def _read_back(api: Api) -> tuple[list[Any], Any]:
    """Read the whole log by pages, and the job."""
    lines: list[Any] = []
    after = None
    while True:
        job = api.ask(READ_BACK, after=after)["job"]
        page = job["logs"]
        if not page["nodes"]:
            return lines, job
        lines += page["nodes"]
        after = page["pageInfo"]["endCursor"]
