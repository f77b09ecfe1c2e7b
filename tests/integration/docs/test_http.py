"""docs/http.md is true: its command runs, and leaves what it says."""

from __future__ import annotations

import json
import re
from typing import Any

from graph.capture.event_reader import MAX_EVENTS
from tests.captured import line, ndjson, post
from tests.client import REQUEST_ID, Api
from tests.conftest import ROOT, Service
from tests.documents import blocks, run_shell

PAGE = "docs/http.md"


def commands() -> list[str]:
    return [block.text for block in blocks(PAGE) if block.language == "sh"]


def answers() -> list[Any]:
    return [json.loads(block.text) for block in blocks(PAGE) if block.language == "json"]


def test_the_command_of_the_page_captures_a_job_once(service: Service) -> None:
    command = commands()[0]
    first, second, *_ = answers()
    assert json.loads(run_shell(command, service)) == first
    assert json.loads(run_shell(command, service)) == second
    with Api(service) as api:
        query = """{ job(jobId: "JB_HTTP_1") { handlerName status progress { current total }
          logs { nodes { stage taskId level message metadata } } } }"""
        job = api.ask(query)["job"]
    assert (job["handlerName"], job["status"], job["progress"]) == ("import", "COMPLETED", {"current": 2, "total": 2})
    assert [list(node.values()) for node in job["logs"]["nodes"]] == [
        ["fetch", None, "INFO", "Fetching 2 files", None],
        ["fetch", "a.csv", "WARNING", "17 rows have no email", {"rows": 17}],
    ]


def test_the_error_of_the_page_is_the_one_that_comes(service: Service) -> None:
    shown = answers()[2]
    with Api(service) as api:
        api.http.headers["X-Request-Id"] = REQUEST_ID
        refused = post(api, ndjson(line("a", 1), line("a", 2), line("a", 3, level="LOUD")))
    assert refused.json() == shown


def test_the_page_says_how_many_events_a_request_takes() -> None:
    assert f"{MAX_EVENTS:,} events at most" in (ROOT / PAGE).read_text("utf-8")


def test_the_commands_of_the_page_read_what_was_captured(service: Service) -> None:
    capture, page, text = commands()
    run_shell(capture, service)
    shown = answers()[3]
    found = json.loads(run_shell(page, service))
    found["logs"][0]["timestamp"] = shown["logs"][0]["timestamp"]
    assert found == shown
    (lines,) = [block.text for block in blocks(PAGE) if block.language == "text"]
    time = re.compile(r"^\S+", re.MULTILINE)
    assert time.sub("TIME", run_shell(text, service)).strip() == time.sub("TIME", lines).strip()
