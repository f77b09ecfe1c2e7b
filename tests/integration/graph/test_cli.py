"""The command line: migrate and then serve, the exported schema, help."""

from __future__ import annotations

import os
import subprocess

from persistence.migration import HEAD
from tests.client import Api
from tests.conftest import ROOT, serving
from tests.integration.graph.test_settings import COMMAND


def run(*arguments: str, database_url: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DATABASE_URL": database_url}
    return subprocess.run(
        [*COMMAND, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


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
        assert all(command in said.stdout + said.stderr for command in ("serve", "migrate", "export-schema", "prune"))


def test_an_unknown_command_is_refused() -> None:
    refused = run("fly")
    assert refused.returncode == 2
    assert "No such command" in refused.stderr
    assert "Traceback" not in refused.stderr
