"""The service's own log is one event a line, whoever says it, with the traceback inside."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

import httpx

from tests.client import PATIENCE_S
from tests.conftest import ROOT, connect, serving

PROGRAM = """
import asyncio, gc, logging, threading, warnings
from graph.observability.own_log import configure
from graph.settings import LogFormat, LogThreshold

def fail():
    raise ValueError("two\\nlines")

async def main():
    forgotten = asyncio.ensure_future(asyncio.to_thread(fail))
    await asyncio.wait([forgotten])
    del forgotten
    gc.collect()
    asyncio.get_running_loop().call_soon(fail)
    await asyncio.sleep(0)

configure(LogThreshold.INFO, LogFormat.JSON)
logging.getLogger("uvicorn.error").warning("one\\nof %s", "uvicorn")
logging.getLogger("websockets").info("too much")
warnings.warn("an old way")
asyncio.run(main())
thread = threading.Thread(target=fail)
thread.start()
thread.join()
fail()
"""


def test_libraries_warnings_and_defects_are_events_too() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    events: list[Mapping[str, str]] = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(event["logger"], event["level"], event["event"].splitlines()[0]) for event in events] == [
        ("uvicorn.error", "warning", "one"),
        ("py.warnings", "warning", "<string>:20: UserWarning: an old way"),
        ("asyncio", "error", "Task exception was never retrieved"),
        ("asyncio", "error", "Exception in callback fail() at <string>:6"),
        ("graph.observability.own_log", "error", "a thread ended: two"),
        ("graph.observability.own_log", "critical", "the process ends: two"),
    ]
    for event in events[2:]:
        assert event["exception"].startswith("Traceback")
        assert event["exception"].endswith("ValueError: two\nlines")
    assert done.returncode == 1


def test_requests_are_logged_at_debug(database_url: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with serving(database_url, log, JOBTAIL_LOG_FORMAT="json", JOBTAIL_LOG_LEVEL="debug") as service:
        httpx.get(f"{service.url}/jobs/a%0Ab/logs?limit=3", headers={"X-Request-Id": "mine"}, timeout=PATIENCE_S)
    events = map(json.loads, log.read_text().splitlines())
    (said,) = [event for event in events if event.get("request_id") == "mine"]
    assert (said["logger"], said["level"]) == ("graph.observability.measured", "debug")
    assert said["event"].startswith("GET /jobs/a%0Ab/logs: 404 after ")


CONSOLE = r"""
import logging
from graph.observability.own_log import configure
from graph.settings import LogFormat, LogThreshold

configure(LogThreshold.INFO, LogFormat.CONSOLE)
logging.getLogger("a").warning("job %s", "x\nforged \x1b]52;c;aGk=\x07\x9b31m\u202e")
try:
    raise ValueError("\x1b[2J")
except ValueError:
    logging.getLogger("a").exception("failed")
"""


def test_no_text_of_a_client_rules_a_terminal_or_forges_a_line() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CONSOLE], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=True
    )
    first, *others = done.stderr.splitlines()
    assert r"job x\nforged \x1b]52;c;aGk=\x07\x9b31m\u202e" in first
    assert others[-1] == r"ValueError: \x1b[2J"
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(done.stderr)


def test_a_defect_is_logged_once_with_the_name_of_its_request(database_url: str, tmp_path: Path) -> None:
    """A table that is gone stands for any defect; several fields meet it."""
    log = tmp_path / "log"
    query = '{ a: job(jobId: "x") { jobId } b: job(jobId: "x") { jobId } c: jobs { totalCount } }'
    writer, line = str(uuid4()), '{"type": "line", "job_id": "x", "n": 1, "message": "m"}'
    records = [{"attributes": [{"key": "jobtail.job_id", "value": {"stringValue": "x"}}]}]
    otlp = {"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}
    with serving(database_url, log, JOBTAIL_LOG_FORMAT="json") as service:
        asyncio.run(_rename_jobs(database_url))
        with httpx.Client(base_url=service.url, timeout=PATIENCE_S) as http:
            http.post("/graphql", json={"query": query}, headers={"X-Request-Id": "query"})
            events = {"X-Request-Id": "events", "Accept": "text/event-stream"}
            http.post("/graphql", json={"query": query}, headers=events)
            http.get("/jobs/x/logs", headers={"X-Request-Id": "page"})
            sent = {"X-Request-Id": "capture", "Jobtail-Writer": writer}
            http.post("/api/capture", content=line, headers=sent)
            http.post("/v1/logs", json=otlp, headers={"X-Request-Id": "otlp"})
    logged = [json.loads(line) for line in log.read_text().splitlines()]
    failures = [event for event in logged if event["level"] == "error" and "request_id" in event]
    assert [event["request_id"] for event in failures] == ["query", "events", "page", "capture", "otlp"]
    for event in failures:
        assert "jobs" in event["exception"]
        assert "totalCount" not in event["event"]


async def _rename_jobs(url: str) -> None:
    connection = await connect(url)
    await connection.execute("ALTER TABLE jobs RENAME TO gone")
    await connection.close()


def test_a_worker_of_a_version_that_does_not_fit_is_told(database_url: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with serving(database_url, log, JOBTAIL_LOG_FORMAT="json") as service:
        for _ in range(2):
            httpx.post(f"{service.url}/api/capture", headers={"User-Agent": "jobtail/999.0.1"}, timeout=PATIENCE_S)
    told = [json.loads(line) for line in log.read_text().splitlines() if "999.0.1" in line]
    assert [(event["level"], event["logger"]) for event in told] == [("warning", "graph.capture.worker_versions")]
