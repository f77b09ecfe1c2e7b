"""docs/secrets.md is true: its program leaves the lines that it shows, and no secret reaches the service."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.client import PATIENCE_S, Api
from tests.conftest import ROOT, Service
from tests.documents import blocks, shown

PAGE = "docs/secrets.md"


def rows() -> list[list[str]]:
    """Read the first table of the page, without its head."""
    text = (ROOT / PAGE).read_text("utf-8").split("| message | metadata |\n")[1].split("\n\n")[0]
    return [[cell.strip() for cell in row[1:-1].split(" |")] for row in text.splitlines()[1:]]


def test_the_program_of_the_page_leaves_the_lines_that_it_shows(service: Service, tmp_path: Path) -> None:
    (program,) = [block.text for block in blocks(PAGE) if block.language == "python"]
    path = tmp_path / "job.py"
    path.write_text(program.replace("http://127.0.0.1:8820", service.url), "utf-8")
    environment = {"PYTHONPATH": str(ROOT / "sdk"), "JOBTAIL_SPOOL_DIR": str(tmp_path / "spool")}
    done = subprocess.run(
        [sys.executable, str(path)], env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=True
    )
    assert done.stderr == ""
    assert "correct horse/battery" in done.stdout
    with Api(service) as api:
        job = api.ask('{ job(jobId: "JB_SECRETS_1") { status logs { nodes { message metadata } } } }')["job"]
    assert job["status"] == "COMPLETED"
    assert [[shown(value) for value in line.values()] for line in job["logs"]["nodes"]] == rows()
