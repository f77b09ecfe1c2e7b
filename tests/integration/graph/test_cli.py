"""The command line: migrate and then serve, the exported schema, help."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from graph.settings import Settings
from persistence.migration import HEAD
from tests.client import Api
from tests.command import run
from tests.conftest import ROOT, Service, serving


def test_after_migrate_a_database_is_served(postgres_url: str) -> None:
    migrated = run("migrate", database_url=postgres_url)
    assert (migrated.returncode, migrated.stdout) == (0, f"The database was at revision none and is at {HEAD}.\n")
    assert "Traceback" not in migrated.stderr
    again = run("migrate", database_url=postgres_url)
    assert (again.returncode, again.stdout) == (0, f"The database was at revision {HEAD} and is at {HEAD}.\n")
    with serving(postgres_url) as service, Api(service) as api:
        assert api.capture("JB_1", "hello") == (1, 1)
        ready = api.http.get(f"{service.url}/readyz")
        assert (ready.status_code, ready.json()) == (200, {"status": "ok", "database": "ok", "channel": "ok"})


def test_the_exported_schema_is_the_committed_one() -> None:
    exported = run("export-schema")
    assert (exported.returncode, exported.stderr) == (0, "")
    assert exported.stdout == (ROOT / "schema.graphql").read_text()


def test_the_schema_is_exported_whatever_the_settings() -> None:
    assert run("export-schema", database_url="nonsense").returncode == 0


def test_help_names_the_commands() -> None:
    for arguments in ([], ["--help"]):
        said = run(*arguments)
        commands = ("serve", "migrate", "export-schema", "prune", "token", "config", "health")
        assert all(command in said.stdout + said.stderr for command in commands)


def test_the_version_is_that_of_the_distribution() -> None:
    said = run("--version")
    assert (said.returncode, said.stdout) == (0, f"jobtail-server {version('jobtail-server')}\n")


@pytest.mark.parametrize("command", [("migrate",), ("token", "list"), ("prune", "--older-than", "9d")])
def test_no_command_but_serve_makes_a_database(command: tuple[str, ...], tmp_path: Path) -> None:
    missing = tmp_path / "elsewhere"
    done = run(*command, JOBTAIL_DATA_DIR=str(missing))
    assert done.returncode == 1
    (refused,) = done.stderr.splitlines()
    assert refused.startswith(f"jobtail-server: there is no data in {missing}: set DATABASE_URL, or JOBTAIL_DATA_DIR")
    assert not missing.exists()


@pytest.mark.parametrize("command", [("migrate",), ("token", "list"), ("prune", "--older-than", "9d")])
def test_a_command_says_which_database_it_works_on_without_its_password(
    command: tuple[str, ...], database_url: str
) -> None:
    secret = make_url(database_url).set(password="hunter2").render_as_string(hide_password=False)
    done = run(*command, database_url=secret)
    assert done.stderr == f"Database: {secret.replace('hunter2', '***')}\n"


def test_commands_work_beside_a_service_with_its_embedded_database(tmp_path: Path) -> None:
    directory = {"JOBTAIL_DATA_DIR": str(tmp_path)}
    with serving("", **directory):
        for command in (("migrate",), ("token", "list")):
            done = run(*command, **directory)
            assert (done.returncode, done.stderr) == (0, f"Database: the embedded one in {tmp_path}\n")


def test_the_settings_in_force_are_shown_with_where_they_are_from(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("JOBTAIL_POOL_SIZE=3\nJOBTAIL_JWT_KEY=hunter2\n")
    program = [
        sys.executable,
        "-c",
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from graph.cli import main; main()",
    ]
    environment = {"PATH": os.environ["PATH"], "DATABASE_URL": "postgresql://me:hunter2@here/logs"}
    said = subprocess.run(
        [*program, "config"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=True
    ).stdout.splitlines()
    assert len(said) == len(Settings.model_fields)
    assert {line for line in said if not line.endswith("# default")} == {
        "JOBTAIL_DATABASE_URL=postgresql://me:***@here/logs  # environment, DATABASE_URL",
        "JOBTAIL_POOL_SIZE=3  # .env",
        "JOBTAIL_JWT_KEY=***  # .env",
    }
    assert "JOBTAIL_ALLOWED_ORIGINS=[]  # default" in said


def test_a_service_says_at_its_start_what_it_is_and_works_on(database_url: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    key = {"JOBTAIL_JWT_KEY": "hunter2", "JOBTAIL_JWT_ALGORITHMS": '["HS256"]'}
    with serving(database_url, log, JOBTAIL_LOG_FORMAT="json", JOBTAIL_PROT="1", **key):
        pass
    unknown, start = [json.loads(line) for line in log.read_text().splitlines()][:2]
    assert "JOBTAIL_PROT" in unknown["event"]
    assert start["event"].startswith(
        f"jobtail-server {version('jobtail-server')} has started; its database is postgresql"
    )
    assert "JOBTAIL_LOG_FORMAT=json" in start["event"]
    assert "hunter2" not in log.read_text()


def test_a_start_that_is_refused_is_an_event_of_the_log_where_that_is_json() -> None:
    refused = run("serve", database_url="nonsense", JOBTAIL_LOG_FORMAT="json")
    events = [json.loads(line) for line in refused.stderr.splitlines()]
    assert refused.returncode == 1
    assert events[-1]["level"] == "critical"
    assert events[-1]["event"].startswith("the database URL cannot be read")


def test_a_probe_asks_a_service_how_it_is(service: Service) -> None:
    for option in ([], ["--ready"]):
        asked = run("health", *option, "--url", service.url)
        assert (asked.returncode, json.loads(asked.stdout)["status"]) == (0, "ok")
    port = service.url.rpartition(":")[2]
    for host in ("127.0.0.1", "0.0.0.0", "localhost"):
        assert run("health", JOBTAIL_PORT=port, JOBTAIL_HOST=host, HTTP_PROXY="http://127.0.0.1:1").returncode == 0


@pytest.mark.parametrize(
    ("options", "settings", "reason"),
    [
        (["--url", "http://127.0.0.1:1"], {}, "http://127.0.0.1:1/healthz does not answer: .*refused"),
        (["--url", "nonsense"], {}, "nonsense/healthz is no address"),
        ([], {"JOBTAIL_PORT": "0"}, "JOBTAIL_PORT=0 takes any free port: say which by --url"),
    ],
)
def test_a_probe_of_what_does_not_answer_fails_with_one_line(
    options: list[str], settings: dict[str, str], reason: str
) -> None:
    asked = run("health", *options, **settings)
    assert (asked.returncode, asked.stdout) == (1, "")
    assert re.fullmatch(f"jobtail-server: {reason}.*\n", asked.stderr)


def test_an_unknown_command_is_refused() -> None:
    refused = run("fly")
    assert refused.returncode == 2
    assert "No such command" in refused.stderr
    assert "Traceback" not in refused.stderr
