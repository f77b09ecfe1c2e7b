"""The service as it is installed: its packages have plain names, and one of its dependencies is not to be had everywhere."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from jobtail_server import PACKAGES
from tests.conftest import ROOT

WITHOUT_RE2 = """
import sys
sys.modules["re2"] = None
from domain.errors import InvalidInput
from domain.filters import LogFilter
from graph.schema import schema
try:
    LogFilter(search="a+", regex=True)
except InvalidInput as error:
    print(error)
print(LogFilter(search="plain").search)
"""


def command(directory: Path, *arguments: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the installed command in a directory, with or without a PYTHONPATH."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {} if path is None else {"PYTHONPATH": str(path)}
    return subprocess.run(
        [Path(sys.executable).with_name("jobtail-server"), *arguments],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("name", PACKAGES)
@pytest.mark.parametrize("kind", ["package", "module"])
def test_a_package_that_is_found_in_place_of_ours_is_named(tmp_path: Path, name: str, kind: str) -> None:
    other = tmp_path / name / "__init__.py" if kind == "package" else tmp_path / f"{name}.py"
    other.parent.mkdir(exist_ok=True)
    other.touch()
    refused = command(tmp_path, "--version", path=tmp_path)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith(f"jobtail-server: the package `{name}` in {tmp_path} is found in place of the")
    assert len(refused.stderr.splitlines()) == 1


def test_packages_of_such_names_where_the_command_runs_do_no_harm(tmp_path: Path) -> None:
    for name in PACKAGES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    assert command(tmp_path, "--version").returncode == 0


def test_without_the_engine_of_regular_expressions_only_these_are_refused() -> None:
    said = subprocess.run(
        [sys.executable, "-c", WITHOUT_RE2], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    ).stdout.splitlines()
    assert said == [
        "this service searches by no regular expressions: its operator may install jobtail-server[regex]; search for a plain text",
        "plain",
    ]


def test_the_wheel_holds_every_package_and_says_that_it_is_typed() -> None:
    built = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert set(built["only-include"]) == {*PACKAGES, "jobtail_server.py"}
    assert [name for name in PACKAGES if not (ROOT / name / "py.typed").exists()] == []
