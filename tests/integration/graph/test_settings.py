"""Each wrong setting ends the start with one clear line."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from domain.errors import InvalidInput
from graph.configuration import WORKER_VARIABLES, read_settings, unknown_variables
from graph.settings import LogThreshold, Settings
from tests.command import COMMAND
from tests.conftest import ROOT, serving


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
            r'JOBTAIL_ALLOWED_ORIGINS cannot be used: it must be written as JSON, such as \["https://ops',
        ),
        (
            {"JOBTAIL_ALLOWED_ORIGINS": '["ops.example.com/"]'},
            "JOBTAIL_ALLOWED_ORIGINS=.* is no origin: it is a scheme",
        ),
        ({"JOBTAIL_ALLOWED_ORIGINS": '["https://a.example/b"]'}, "JOBTAIL_ALLOWED_ORIGINS=.* is no origin"),
        (
            {"JOBTAIL_TRUSTED_PROXIES": "10.0.0.1"},
            r'JOBTAIL_TRUSTED_PROXIES cannot be used: .* as JSON, such as \["10.0.0.0/8"\]',
        ),
        ({"JOBTAIL_TRUSTED_PROXIES": '["nonsense"]'}, "JOBTAIL_TRUSTED_PROXIES=.* cannot be used: 'nonsense' does not"),
        ({"JOBTAIL_TRUSTED_PROXIES": '["10.0.0.1/8"]'}, "JOBTAIL_TRUSTED_PROXIES=.* cannot be used: .* has host bits"),
        (
            {"JOBTAIL_ACCESS": "tokens", "JOBTAIL_JWT_KEY": "-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----"},
            "JOBTAIL_JWT_KEY is no key that RS256 or ES256 can use",
        ),
        ({"JOBTAIL_JWT_JWKS_URL": "foo"}, "JOBTAIL_JWT_JWKS_URL='foo' cannot be used: it must begin with https://"),
        ({"JOBTAIL_JWT_JWKS_URL": "file:///etc/passwd"}, "JOBTAIL_JWT_JWKS_URL='file:.* cannot be used: it must"),
        ({"JOBTAIL_MAX_QUERY_SECONDS": "inf"}, "JOBTAIL_MAX_QUERY_SECONDS='inf' cannot be used: .*finite"),
        ({"JOBTAIL_HOST": "a..b"}, "JOBTAIL_HOST='a..b' cannot be used: it is no name of a host"),
        ({"JOBTAIL_DATA_DIR": "~nobody-here/x"}, "JOBTAIL_DATA_DIR='~nobody-here/x' cannot be used"),
        ({"JOBTAIL_RETENTION": "99999999999w"}, "JOBTAIL_RETENTION='99999999999w' cannot be used"),
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
        (
            {"DATABASE_URL": "postgresql://h/d?sslmode=verify-full&sslrootcert=ca.pem"},
            "the database URL cannot be used: sslrootcert=ca.pem is no file",
        ),
        (
            {"DATABASE_URL": "postgresql://h/d?sslmod=require"},
            "the database URL cannot be used: .*did you mean sslmode",
        ),
        ({"DATABASE_URL": "postgresql://u@no.such.host.invalid/d"}, "the database cannot be reached as its URL says: "),
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
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    monkeypatch.chdir(tmp_path)
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
        "allowed_hosts": '["logs.example"]',
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
    for name in ("allowed_hosts", "allowed_origins", "jwt_algorithms", "retention_levels", "trusted_proxies"):
        assert read.pop(name) == json.loads(written.pop(name))
    assert read.pop("jwt_key").get_secret_value() == written.pop("jwt_key")
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


@pytest.mark.parametrize(("written", "threshold"), [("WARNING", "warning"), ("warn", "warning"), ("Info", "info")])
def test_a_level_is_taken_as_people_write_it(environment: pytest.MonkeyPatch, written: str, threshold: str) -> None:
    environment.setenv("JOBTAIL_LOG_LEVEL", written)
    assert read_settings().log_level is LogThreshold(threshold)


def test_a_file_is_read_and_the_environment_goes_before_it(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "# of the service\nJOBTAIL_PORT=1234\nexport JOBTAIL_HOST='::1'\nJOBTAIL_PROT=1\nOTHER=x\nJOBTAIL_JWT_KEY=\"a\nb\"\n"
    )
    environment.setenv("JOBTAIL_PORT", "4321")
    settings = read_settings()
    assert (settings.port, settings.host) == (4321, "::1")
    assert settings.jwt_key is not None
    assert settings.jwt_key.get_secret_value() == "a\nb"
    assert unknown_variables() == ["JOBTAIL_PROT is no setting and has no effect: did you mean JOBTAIL_PORT?"]


def test_a_file_that_cannot_be_read_is_told(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"JOBTAIL_PORT=\xff\xfe")
    with pytest.raises(InvalidInput, match=r"\.env cannot be read"):
        read_settings()


def test_a_variable_that_is_no_setting_is_told_with_the_name_that_is_near(environment: pytest.MonkeyPatch) -> None:
    for name in ("JOBTAIL_ACESS", "JOBTAIL_XYZ", "JOBTAIL_URL", "JOBTAIL_TEST_DATABASE_URL", "OTHER"):
        environment.setenv(name, "x")
    assert unknown_variables() == [
        "JOBTAIL_ACESS is no setting and has no effect: did you mean JOBTAIL_ACCESS?",
        "JOBTAIL_XYZ is no setting and has no effect",
    ]


def test_what_kubernetes_tells_of_a_service_of_our_name_is_no_setting(environment: pytest.MonkeyPatch) -> None:
    linked = {
        "JOBTAIL_SERVICE_HOST": "10.0.0.1",
        "JOBTAIL_SERVICE_PORT": "8820",
        "JOBTAIL_SERVICE_PORT_HTTP": "8820",
        "JOBTAIL_PORT": "tcp://10.0.0.1:8820",
        "JOBTAIL_PORT_8820_TCP": "tcp://10.0.0.1:8820",
        "JOBTAIL_PORT_8820_TCP_ADDR": "10.0.0.1",
        "JOBTAIL_SERVER_PORT": "tcp://10.0.0.1:8820",
        "JOBTAIL_SERVER_SERVICE_HOST": "10.0.0.1",
    }
    for name, value in linked.items():
        environment.setenv(name, value)
    assert (read_settings().port, unknown_variables()) == (8820, [])


def test_every_variable_of_workers_is_known() -> None:
    sources = " ".join(path.read_text("utf-8") for path in (ROOT / "sdk/jobtail").rglob("*.py"))
    assert set(re.findall(r'"(JOBTAIL_[A-Z_]+)"', sources)) == WORKER_VARIABLES


def test_secrets_are_not_shown_where_settings_are(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("JOBTAIL_JWT_KEY", "hunter2")
    environment.setenv("DATABASE_URL", "postgresql://me:hunter2@here/db")
    environment.setenv("JOBTAIL_CHANNEL_URL", "redis://:hunter2@here")
    assert "hunter2" not in repr(read_settings())


def test_every_setting_that_is_written_as_json_has_an_example(environment: pytest.MonkeyPatch) -> None:
    for name, field in Settings.model_fields.items():
        if isinstance(field.get_default(call_default_factory=True), list | dict):
            environment.setenv(f"JOBTAIL_{name.upper()}", "nonsense")
            with pytest.raises(InvalidInput, match=r"""it must be written as JSON, such as [\[{]"""):
                read_settings()
            environment.delenv(f"JOBTAIL_{name.upper()}")
