"""docs/shell.md is true: its commands run in their order, and its tables are those of the program."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from jobtail.shell.exits import Exit
from tests.client import PATIENCE_S, Api
from tests.conftest import ROOT, Service
from tests.documents import blocks, table
from tests.shell import LINE, environment, jobtail

PAGE = "docs/shell.md"
PROGRAMS = ("backup", "fetch-orders", "import-orders", "make-tests")


@pytest.fixture
def api(service: Service) -> Iterator[Api]:
    with Api(service) as api:
        yield api


@pytest.fixture
def bin_directory(tmp_path: Path) -> Path:
    """Provide the programs that the page speaks of."""
    found = tmp_path / "bin"
    found.mkdir()
    for name in PROGRAMS:
        (found / name).write_text(f'#!/bin/sh\necho "{name} $*"\necho "second line"\n')
    (found / "jobtail").write_text(f'#!/bin/sh\nexec {sys.executable} -m jobtail "$@"\n')
    for program in found.iterdir():
        program.chmod(0o755)
    return found


def shell(command: str, url: str, bin_directory: Path) -> str:
    """Run what a reader would paste."""
    settings = {
        "PATH": f"{bin_directory}:{os.environ['PATH']}",
        "CI_PIPELINE_ID": "71",
        "XDG_STATE_HOME": str(bin_directory.parent),
    }
    done = subprocess.run(
        ["bash", "-eu", "-c", command],
        cwd=bin_directory.parent,
        env=environment(url, **settings),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout


def job(api: Api, job_id: str) -> dict[str, object]:
    query = """
    query ($id: String!) { job(jobId: $id) { status handlerName source parent { jobId } stages { name } } }
    """
    found: dict[str, object] = api.ask(query, id=job_id)["job"]
    return found


def test_the_commands_of_the_page_run_in_their_order(api: Api, bin_directory: Path) -> None:
    _install, *commands = [block.text for block in blocks(PAGE) if block.language == "sh"]
    said = [shell(command, api.service.url, bin_directory) for command in commands]
    today = datetime.now().astimezone().date().isoformat()
    run, within, ci, perl, flushed, tail, script = said
    assert run == "backup --all\nsecond line\n"
    assert within == "fetch-orders \nsecond line\nimport-orders \nsecond line\n"
    assert job(api, f"nightly-import-{today}")["parent"] == {"jobId": f"nightly-{today}"}
    assert ci == "make-tests \nsecond line\n"
    assert job(api, "build-71") == {
        "status": "COMPLETED",
        "handlerName": "build",
        "source": "ci",
        "parent": None,
        "stages": [{"name": "test"}],
    }
    assert perl == "Reading orders\n"
    assert flushed.startswith("nothing waits in ")
    followed, plain, as_json = tail.splitlines()
    assert [LINE.fullmatch(line).groups() for line in (followed, plain)] == [  # type: ignore[union-attr]
        ("INFO", "main", "import-orders "),
        ("INFO", "main", "second line"),
    ]
    assert json.loads(as_json)["seq"] == 2
    assert script == "imported\n"


def test_the_lines_that_the_page_shows_have_the_form_of_real_ones() -> None:
    (shown,) = [block.text for block in blocks(PAGE) if block.language == "text"]
    for line in shown.splitlines():
        assert LINE.fullmatch(line), line


def test_the_crontab_of_the_page_runs(api: Api, bin_directory: Path) -> None:
    (crontab,) = [block.text for block in blocks(PAGE) if block.language == "crontab"]
    (command,) = re.findall(r"^15 3 \* \* \*  (.*)$", crontab, re.MULTILINE)
    assert shell(command, api.service.url, bin_directory) == "backup --all\nsecond line\n"
    query = "{ executions { nodes { scheduleId status } } }"
    assert api.ask(query)["executions"]["nodes"] == [{"scheduleId": "nightly-backup", "status": "COMPLETED"}]


def test_the_tables_of_options_name_exactly_the_options() -> None:
    for command in ("run", "tail"):
        said = jobtail("", command, "--help").stdout.decode()
        real = set(re.findall(r"--[a-z-]+(?= |,|\n)", said.split("options:")[1].split("\n\n")[0]))
        named = {
            option for row in table(PAGE, f"## `jobtail {command}`") for option in re.findall(r"--[a-z-]+", row[0])
        }
        assert named == real - {"--help", "--url", "--token"}


def test_the_table_of_exit_statuses_is_the_programs() -> None:
    section = (ROOT / PAGE).read_text().split("| `jobtail tail` | meaning |")[1]
    named = {int(code) for code in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)}
    assert named == {int(each) for each in Exit} - {Exit.NOT_EXECUTABLE, Exit.NOT_FOUND}
