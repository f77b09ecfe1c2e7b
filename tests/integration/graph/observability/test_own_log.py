"""The service's own log is one event a line, whoever says it, with the traceback inside."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx

from tests.client import PATIENCE_S
from tests.conftest import ROOT, serving

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
