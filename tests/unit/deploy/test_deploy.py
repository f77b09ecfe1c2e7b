"""The files that people deploy by: each can be read, and names nothing that is not there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped] # it says nothing of its types

from graph.settings import Settings
from tests.conftest import ROOT
from tests.documents import blocks, table

SETTINGS = {f"JOBTAIL_{name.upper()}" for name in Settings.model_fields} | {"DATABASE_URL"}
COMMAND = "/opt/jobtail/bin/jobtail-server"


def instructions() -> list[tuple[str, str]]:
    """List the instructions of the Containerfile, each with what follows its name."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Containerfile").read_text("utf-8"), flags=re.MULTILINE).replace("\\\n", " ")
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in text.splitlines() if line)]


def last_stage() -> dict[str, str]:
    found = instructions()
    begun = max(place for place, (name, _) in enumerate(found) if name == "FROM")
    return dict(found[begun:])


def test_the_image_is_made_of_files_that_are_there_and_sent_to_its_making() -> None:
    copied = [rest.split()[:-1] for name, rest in instructions() if name == "COPY" and "--from" not in rest]
    sources = {source.rstrip("/") for sources in copied for source in sources}
    assert {source for source in sources if not (ROOT / source).exists()} == set()
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}
    assert sources == sent
    hook = (ROOT / "web/hatch_build.py").read_text("utf-8")
    installed = {source.rstrip("/") for sources in copied[1 + (copied[1] == ["web/"]) :] for source in sources}
    assert installed >= set(re.findall(r'root / "([^"]+)"', hook)) - {"graph"}, "what the hook of the wheel compares"
    built = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert installed >= set(built["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"])


def test_the_image_runs_the_service_as_nobody_and_asks_it_how_it_is() -> None:
    stage = last_stage()
    uid, _, gid = stage["USER"].partition(":")
    assert int(uid) > 0
    assert int(gid) > 0
    assert json.loads(stage["ENTRYPOINT"]) == [COMMAND]
    assert json.loads(stage["CMD"]) == ["serve"]
    assert json.loads(stage["HEALTHCHECK"].partition(" CMD ")[2]) == [COMMAND, "health"]
    variables = dict(each.split("=", 1) for each in stage["ENV"].split())
    assert set(variables) <= SETTINGS
    settings = Settings.model_validate(
        {name.removeprefix("JOBTAIL_").lower(): each for name, each in variables.items()}
    )
    assert (settings.host, settings.access) == ("0.0.0.0", "tokens")
    assert settings.data_dir.is_relative_to(stage["VOLUME"])


def test_the_image_installs_extras_that_there_are() -> None:
    (installing,) = [rest for name, rest in instructions() if name == "RUN" and "pip install" in rest]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    found = re.search(r"'\.\[(.*)\]'", installing)
    assert found is not None
    assert set(found[1].split(",")) == extras.keys() - {"dev"}


def test_the_composition_migrates_once_and_then_serves_twice() -> None:
    services: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))["services"]
    assert services["migrate"]["command"] == ["migrate"]
    assert services["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    serving = [service for service in services.values() if "migrate" in service.get("depends_on", {})]
    assert len(serving) == 2
    for service in (*serving, services["migrate"]):
        assert service["build"]["dockerfile"] == "Containerfile"
        assert service["read_only"] is True
        assert set(service["environment"]) <= SETTINGS


def test_the_alerts_of_the_file_are_those_of_the_page() -> None:
    (group,) = yaml.safe_load((ROOT / "deploy/prometheus-rules.yaml").read_text("utf-8"))["groups"]
    of_file = []
    for rule in group["rules"]:
        wait = re.sub(r"(\d+)", r" for \1 ", rule["for"]) if "for" in rule else ""
        of_file.append((rule["annotations"]["summary"], f"`{rule['expr']}`{wait}"))
    of_page = [(row[0], row[1].replace("\\|", "|")) for row in table("docs/operating.md", "### Alerts")]
    assert of_file == of_page
    names = [rule["alert"] for rule in group["rules"]]
    assert len(set(names)) == len(names)


def test_the_unit_is_the_one_of_the_page_and_gives_the_service_its_settings() -> None:
    text = (ROOT / "deploy/jobtail.service").read_text("utf-8")
    assert [block.text for block in blocks("docs/installing.md") if block.language == "ini"] == [text]
    unit = ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign] # as its documentation has it
    unit.read_string(text)
    assert unit["Service"]["ExecStart"] == f"{COMMAND} serve"
    assert unit["Service"]["Environment"].partition("=")[0] in SETTINGS


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="this machine has no systemd")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    text = (ROOT / "deploy/jobtail.service").read_text("utf-8")
    unit = tmp_path / "jobtail.service"
    unit.write_text(text.replace(COMMAND, "/bin/true"), "utf-8")
    said = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=60, check=False)
    assert (said.returncode, said.stderr) == (0, "")
