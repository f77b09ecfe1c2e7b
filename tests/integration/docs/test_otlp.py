"""docs/otlp.md is true: its program and its command run, and leave what it says."""

from __future__ import annotations

import json

from tests.client import Api
from tests.conftest import Service
from tests.documents import blocks, run_program, run_shell, table

PAGE = "docs/otlp.md"
JOB = """query ($id: String!) { job(jobId: $id) { handlerName logs { nodes { stage taskId level message metadata } } } }"""


def test_the_program_of_the_page_leaves_the_lines_that_it_shows(service: Service) -> None:
    (program,) = [block.text for block in blocks(PAGE) if block.language == "python"]
    run_program(program.replace("http://127.0.0.1:8820", service.url))
    with Api(service) as api:
        job = api.ask(JOB, id="JB_OTLP_1")["job"]
    assert job["handlerName"] == "recruiting"
    *first, last = [
        [node["stage"], node["taskId"] or "", node["level"], node["message"]] for node in job["logs"]["nodes"]
    ]
    *shown, shown_last = table(PAGE, "It leaves three lines in the job `JB_OTLP_1`, whose handler is `recruiting`:")
    assert first == shown
    assert last[:3] == shown_last[:3]
    assert last[3].startswith("Scoring failed\nTraceback (most recent call last):\n")
    assert job["logs"]["nodes"][1]["metadata"]["score"] == 34.0


def test_the_command_of_the_page_answers_as_it_shows(service: Service) -> None:
    _install, command = [block.text for block in blocks(PAGE) if block.language == "sh"]
    (shown,) = [json.loads(block.text) for block in blocks(PAGE) if block.language == "json"]
    assert json.loads(run_shell(command, service)) == shown
    with Api(service) as api:
        job = api.ask(JOB, id="5b8efff798038103d269b633813fc60c")["job"]
    (line,) = job["logs"]["nodes"]
    assert (job["handlerName"], line["stage"], line["message"]) == ("nightly", "backup", "Backed up 12 tables")
    assert line["metadata"]["tables"] == 12
