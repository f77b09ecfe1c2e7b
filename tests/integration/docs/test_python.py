"""docs/python.md is true: its programs run as they stand and leave the lines that the page shows."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest

import jobtail
from jobtail import client
from tests.client import PATIENCE_S, Api
from tests.conftest import ROOT, Service
from tests.documents import shown, table

PAGE = "docs/python.md"
PROGRAM = re.compile(r"^```python\n(.*?)^```$(.*?)(?=^```python|^## |\Z)", re.MULTILINE | re.DOTALL)
AS_WITHOUT_CAPTURE = re.compile(r"^(?:from a child|3 rules are old|.* - Paid 3\.5)\n", re.MULTILINE)


@dataclass(frozen=True)
class Program:
    """A program of the page, and what follows it up to the next one."""

    text: str
    after: str

    @property
    def lines(self) -> list[list[str]]:
        rows = [line for line in self.after.splitlines() if line.startswith("|")]
        return [[cell.strip() for cell in row[1:-1].split(" |")] for row in rows[2:]]

    @property
    def job_id(self) -> str:
        named = re.search(r'job\("(JB_\w+)"', self.text)
        return named[1] if named else "JB_ORDER_7"


PROGRAMS = [Program(*found) for found in PROGRAM.findall((ROOT / PAGE).read_text("utf-8"))]


def run(program: str, service: Service, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run a program of the page as a file of its own."""
    (directory / "job.py").write_text(program.replace("http://127.0.0.1:8820", service.url), "utf-8")
    return subprocess.run(
        [sys.executable, "job.py"],
        cwd=directory,
        env={**os.environ, "JOBTAIL_URL": service.url, "JOBTAIL_SPOOL_DIR": str(directory / "spool")},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def job_of(service: Service, job_id: str) -> dict[str, Any]:
    query = """query ($id: String!) { job(jobId: $id) {
        status error handlerName stages { name status }
        logs { nodes { seq stage taskId level message metadata } }
    } }"""
    with Api(service) as api:
        return dict(api.ask(query, id=job_id)["job"])


def test_every_program_of_the_page_leaves_the_lines_that_it_shows(service: Service, tmp_path: Path) -> None:
    shown_programs = [program for program in PROGRAMS if program.lines]
    assert len(shown_programs) == len(PROGRAMS) - 1, "all but the one that fails show their lines"
    for program in shown_programs:
        done = run(program.text, service, tmp_path)
        assert (done.returncode, AS_WITHOUT_CAPTURE.sub("", done.stderr)) == (0, "")
        job = job_of(service, program.job_id)
        assert job["status"] == "COMPLETED"
        assert {stage["status"] for stage in job["stages"]} == {"COMPLETED"}
        assert [[shown(value) for value in line.values()] for line in job["logs"]["nodes"]] == program.lines


def test_the_program_that_fails_leaves_its_traceback_where_the_page_says(service: Service, tmp_path: Path) -> None:
    (program,) = [program for program in PROGRAMS if not program.lines]
    done = run(program.text, service, tmp_path)
    assert done.returncode == 1
    job = job_of(service, program.job_id)
    assert (job["status"], job["error"]) == ("FAILED", "LookupError: no contract CNT_2")
    assert "`LookupError: no contract CNT_2`" in program.after
    (line,) = job["logs"]["nodes"]
    message = line["message"].replace(f"{tmp_path}{os.sep}", "")
    assert f"```text\n{message}\n```" in program.after
    assert (line["stage"], line["taskId"], line["level"]) == ("fetch", "CNT_2", "ERROR")
    assert shown(line["metadata"]) in program.after
    assert done.stderr.replace(f"{tmp_path}{os.sep}", "").strip() == message


def test_the_tables_name_all_arguments_all_settings_and_all_counts() -> None:
    parameters = inspect.signature(jobtail.configure).parameters
    settings = table(PAGE, "## Settings")
    assert [row[0] for row in settings] == [f"`{name}`" for name in parameters]
    assert [row[1] for row in settings if row[1]] == [
        f"`{name}`" for name in (client.URL, client.TOKEN, client.SPOOL_DIR)
    ]
    for row in settings[3:]:
        assert row[2] == f"`{parameters[row[0].strip('`')].default}`"
    arguments = [row[0].strip("`") for row in table(PAGE, "## The job's arguments")]
    assert arguments == list(inspect.signature(jobtail.job).parameters)
    counts = {row[0].strip("`") for row in table(PAGE, "## What became of it all")}
    assert counts == {field.name for field in fields(jobtail.Stats)}


@pytest.mark.parametrize(
    "name", ["configure", "job", "stage", "task", "carry", "flush", "stats", "mask", "current_job", "CaptureHandler"]
)
def test_the_page_tells_of_every_name(name: str) -> None:
    assert f"jobtail.{name}" in (ROOT / PAGE).read_text("utf-8")


def test_a_flush_is_true_and_the_counts_agree_once_all_is_stored(service: Service, tmp_path: Path) -> None:
    program = """
import os, jobtail
with jobtail.job("JB_FLUSH") as emitter:
    for number in range(1000):
        emitter.emit_info(f"{number} password=hunter2-hunter2")
    child = os.fork()
    if child == 0:
        emitter.emit_info("child")
        os._exit(0 if jobtail.flush(20) and jobtail.stats().sent == 1 else 1)
    assert os.waitpid(child, 0)[1] == 0
print(jobtail.flush(20), jobtail.stats())
"""
    done = run(program, service, tmp_path)
    assert done.stderr == ""
    counts = jobtail.Stats(captured=1002, sent=1002, masked=1000)
    assert done.stdout == f"True {counts}\n"
    with Api(service) as api:
        assert api.ask('{ job(jobId: "JB_FLUSH") { lastSeq status } }')["job"] == {
            "lastSeq": 1001,
            "status": "COMPLETED",
        }
