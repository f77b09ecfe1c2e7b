"""Each wrong setting ends the start with one clear line."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from graph.settings import Settings, read_settings
from tests.conftest import ROOT, serving

COMMAND = [sys.executable, "-c", "from graph.cli import main; main()"]


def start(settings: Mapping[str, str], command: str = "serve") -> str:
    """Start the service, which must fail, and read the line that it ends with."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JOBTAIL_", "DATABASE_"))}
    result = subprocess.run(
        [*COMMAND, command],
        cwd=ROOT,
        env={**kept, "JOBTAIL_PORT": "0", **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 1, result
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    lines = result.stderr.splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("jobtail-server: ")
    return lines[0].removeprefix("jobtail-server: ")


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"JOBTAIL_PORT": "http"}, "JOBTAIL_PORT='http' cannot be used: .*valid integer"),
        ({"JOBTAIL_PORT": "65536"}, "JOBTAIL_PORT='65536' cannot be used: .*less than or equal to 65535"),
        ({"JOBTAIL_PORT": "-1"}, "JOBTAIL_PORT='-1' cannot be used"),
        ({"JOBTAIL_POOL_SIZE": "0"}, "JOBTAIL_POOL_SIZE='0' cannot be used"),
        ({"JOBTAIL_LOG_LEVEL": "loud"}, "JOBTAIL_LOG_LEVEL='loud' cannot be used: .*'debug', 'info'"),
        ({"JOBTAIL_LOG_FORMAT": "xml"}, "JOBTAIL_LOG_FORMAT='xml' cannot be used"),
        ({"JOBTAIL_MAX_REQUEST_BYTES": "10"}, "JOBTAIL_MAX_REQUEST_BYTES='10' cannot be used"),
        (
            {"JOBTAIL_ALLOWED_ORIGINS": "https://ops.example"},
            "JOBTAIL_ALLOWED_ORIGINS cannot be used: it must be written as JSON, such as ",
        ),
        ({"JOBTAIL_RETENTION": "soon"}, "JOBTAIL_RETENTION='soon' cannot be used: .*is no duration; .* such as 90d"),
        (
            {"JOBTAIL_RETENTION": "90d", "JOBTAIL_RETENTION_LEVELS": "debug=7d"},
            "JOBTAIL_RETENTION_LEVELS cannot be used: it must be written as JSON, such as .*debug",
        ),
        (
            {"JOBTAIL_RETENTION": "90d", "JOBTAIL_RETENTION_LEVELS": '{"loud": "7d"}'},
            "JOBTAIL_RETENTION_LEVELS=.* cannot be used: .*'loud' is no level; they are trace, debug, ",
        ),
        (
            {"JOBTAIL_RETENTION": "9d", "JOBTAIL_RETENTION_LEVELS": '{"debug": "2w"}'},
            "JOBTAIL_RETENTION_LEVELS=.* cannot be used: .*debug=2w is longer than 9d",
        ),
        (
            {"JOBTAIL_RETENTION_LEVELS": '{"debug": "7d"}'},
            "JOBTAIL_RETENTION_LEVELS=.* cannot be used: .*JOBTAIL_RETENTION must say",
        ),
        ({"JOBTAIL_STORAGE_WARNING_BYTES": "0"}, "JOBTAIL_STORAGE_WARNING_BYTES='0' cannot be used"),
        ({"JOBTAIL_HOST": "no such host"}, "cannot listen on no such host:0: .*; set JOBTAIL_HOST or JOBTAIL_PORT"),
        (
            {"DATABASE_URL": "nonsense"},
            "the database URL cannot be read; it looks like postgresql://user@host/database",
        ),
        ({"DATABASE_URL": "postgresql://user@host:port/db"}, "the database URL cannot be read; it looks like"),
        (
            {"JOBTAIL_DATABASE_URL": "sqlite:///file.db"},
            "Jobtail needs PostgreSQL, and the database URL is of 'sqlite'",
        ),
        ({"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}, "the database is away: .*"),
        (
            {"JOBTAIL_DATA_DIR": "/dev/null/data"},
            "the data directory /dev/null/data cannot be used: .*JOBTAIL_DATA_DIR",
        ),
    ],
)
def test_a_wrong_setting_ends_the_start_with_one_clear_line(settings: dict[str, str], line: str) -> None:
    assert re.match(line, start(settings))


def test_a_channel_that_cannot_be_ends_the_start(database_url: str) -> None:
    said = start({"DATABASE_URL": database_url, "JOBTAIL_CHANNEL_URL": "carrier://pigeon"})
    assert "carrier" in said


def test_a_port_in_use_ends_the_start(database_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = start({"DATABASE_URL": database_url, "JOBTAIL_PORT": str(port)})
    assert said == (
        f"cannot listen on 127.0.0.1:{port}: Address already in use; set JOBTAIL_HOST or JOBTAIL_PORT to an address "
        "that is free"
    )


def test_a_database_that_was_not_migrated_ends_the_start(postgres_url: str) -> None:
    said = start({"DATABASE_URL": postgres_url})
    assert said.startswith("the database is not set up for Jobtail yet, and this version needs ")
    assert said.endswith(": run `jobtail-server migrate` first")


def test_a_database_that_does_not_exist_ends_the_start(postgres_url: str) -> None:
    missing = make_url(postgres_url).set(database="missing").render_as_string(hide_password=False)
    for command in ("serve", "migrate"):
        assert 'database "missing" does not exist' in start({"DATABASE_URL": missing}, command)


def test_a_data_directory_in_use_ends_the_start(tmp_path: Path) -> None:
    settings = {"JOBTAIL_DATA_DIR": str(tmp_path / "with a blank")}
    with serving("", **settings):
        assert "is in use by process" in start(settings)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in os.environ:
        if name.startswith(("JOBTAIL_", "DATABASE_")):
            monkeypatch.delenv(name)
    return monkeypatch


def test_without_an_environment_the_defaults_hold(environment: pytest.MonkeyPatch) -> None:
    settings = read_settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8820)
    assert (settings.database_url, settings.channel_url, settings.allowed_origins) == (None, None, [])


def test_every_setting_is_read_from_its_variable(environment: pytest.MonkeyPatch) -> None:
    written = {
        "host": "::1",
        "port": "1234",
        "data_dir": "/data",
        "database_url": "postgresql://here",
        "channel_url": "memory://",
        "pool_size": "3",
        "max_request_bytes": "2048",
        "max_expanded_bytes": "4096",
        "max_concurrent_captures": "2",
        "max_query_bytes": "3072",
        "max_query_tokens": "300",
        "max_query_depth": "11",
        "max_query_aliases": "0",
        "max_query_cost": "5000",
        "max_query_seconds": "1.5",
        "max_subscriptions_per_connection": "5",
        "max_connections_per_address": "6",
        "trusted_proxies": '["10.0.0.0/8"]',
        "max_requests_per_second": "7.5",
        "introspection": "False",
        "graphiql": "False",
        "access": "tokens",
        "jwt_key": "a secret",
        "jwt_jwks_url": "https://id.example/keys",
        "jwt_algorithms": '["HS256"]',
        "jwt_issuer": "https://id.example",
        "jwt_audience": "jobtail",
        "jwt_scope_claim": "scp",
        "jwt_prefix_claim": "prefix",
        "retention": "90d",
        "retention_levels": '{"debug": "7d"}',
        "storage_warning_bytes": "1000000",
        "allowed_origins": '["https://ops.example"]',
        "log_level": "warning",
        "tracing": "True",
        "log_format": "json",
    }
    assert written.keys() == Settings.model_fields.keys()
    for name, value in written.items():
        environment.setenv(f"JOBTAIL_{name.upper()}", value)
    settings = read_settings()
    read = {name: getattr(settings, name) for name in written}
    for name in ("allowed_origins", "jwt_algorithms", "retention_levels", "trusted_proxies"):
        assert read.pop(name) == json.loads(written.pop(name))
    assert {name: str(value) for name, value in read.items()} == written
    environment.delenv("JOBTAIL_DATABASE_URL")
    environment.setenv("DATABASE_URL", "postgresql://there")
    assert read_settings().database_url == "postgresql://there"


def test_every_setting_says_what_it_is_for() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_an_empty_variable_counts_as_unset(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DATABASE_URL", "")
    environment.setenv("JOBTAIL_PORT", "")
    assert (read_settings().database_url, read_settings().port) == (None, 8820)
