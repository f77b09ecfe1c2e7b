"""Database URLs as people have them."""

from __future__ import annotations

from inspect import signature
from pathlib import Path
from typing import Any

import pytest
from asyncpg.connect_utils import _parse_connect_arguments  # type: ignore[attr-defined] # the stubs leave out what is private

from domain.errors import InvalidInput
from persistence.database_url import SSL_MODES, connect_arguments


def read(url: str) -> tuple[list[Any], Any]:
    """Let the driver read what we made of a URL: where it connects to, and how."""
    arguments = dict.fromkeys(signature(_parse_connect_arguments).parameters)
    counts = {name: 0 for name in arguments if name.endswith(("_size", "_lifetime"))}
    made = {name: value for name, value in connect_arguments(url).items() if name in arguments}
    addresses, parameters, _config = _parse_connect_arguments(**{**arguments, **counts, **made})
    return addresses, parameters


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg", "postgresql+psycopg"])
def test_a_url_of_any_driver_becomes_one_of_ours(scheme: str) -> None:
    addresses, parameters = read(f"{scheme}://jobtail:secret@db.example:5433/logs?sslmode=require")
    assert addresses == [("db.example", 5433)]
    assert (parameters.user, parameters.password, parameters.database) == ("jobtail", "secret", "logs")
    assert parameters.sslmode.name == "require"


@pytest.mark.parametrize(
    ("url", "addresses", "database"),
    [
        ("postgresql://u@h/d", [("h", 5432)], "d"),
        ("postgresql://u@[::1]:5433/d", [("::1", 5433)], "d"),
        ("postgresql://u@a:1,b:2/d?target_session_attrs=read-write", [("a", 1), ("b", 2)], "d"),
        ("postgresql://u@a,b:2/d", [("a", 5432), ("b", 2)], "d"),
        ("postgresql://u@/d?host=a:1&host=b:2", [("a", 1), ("b", 2)], "d"),
        ("postgresql://u@/d?host=/run/a%20b&port=5433", ["/run/a b/.s.PGSQL.5433"], "d"),
        ("postgresql://u@%2Frun%2Fa/d", ["/run/a/.s.PGSQL.5432"], "d"),
        ("postgresql://u@bücher.example/d", [("bücher.example", 5432)], "d"),
        ("postgresql:///d?user=u&host=h", [("h", 5432)], "d"),
        ("postgresql://u@h/?dbname=d", [("h", 5432)], "d"),
        ("postgresql://u@h/d%20e", [("h", 5432)], "d e"),
    ],
)
def test_hosts_and_sockets_are_found(url: str, addresses: list[Any], database: str) -> None:
    found, parameters = read(url)
    assert (found, parameters.user, parameters.database) == (addresses, "u", database)


@pytest.mark.parametrize(("written", "password"), [("p%40ss", "p@ss"), ("p@ss/w#o:rd", "p@ss/w#o:rd"), ("50%", "50%")])
def test_a_password_may_hold_signs_that_a_url_would_escape(written: str, password: str) -> None:
    addresses, parameters = read(f"postgresql://u:{written}@h/d")
    assert (addresses, parameters.password, parameters.database) == ([("h", 5432)], password, "d")


def test_the_parameters_of_libpq_are_what_they_are_there() -> None:
    url = "postgresql://u@h/d?application_name=mine&options=-c%20search_path%3Djobtail&connect_timeout=10"
    assert connect_arguments(url) == {
        "dsn": "postgresql://h",
        "user": "u",
        "database": "d",
        "server_settings": {"application_name": "mine", "options": "-c search_path=jobtail"},
        "timeout": 10.0,
    }


@pytest.mark.parametrize("mode", SSL_MODES[:4])
def test_every_way_to_encrypt_is_known(mode: str) -> None:
    assert read(f"postgresql://u@h/d?sslmode={mode}")[1].sslmode.name == mode


def test_what_the_driver_has_no_counterpart_of_is_taken_and_left_out() -> None:
    hosted = "postgresql://u@h/d?channel_binding=require&gssencmode=disable&keepalives_idle=30&client_encoding=utf8"
    assert connect_arguments(hosted) == {"dsn": "postgresql://h", "user": "u", "database": "d", "server_settings": {}}


def test_the_certificates_of_the_machine_are_found_and_then_the_host_is_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roots = tmp_path / "roots.pem"
    roots.touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(roots))
    dsn = connect_arguments("postgresql://u@h/d?sslrootcert=system")["dsn"]
    assert "sslmode=verify-full" in dsn
    assert "roots.pem" in dsn


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "cannot be read; it looks like postgresql://user@host/database"),
        ("mysql://host/db", "Jobtail needs PostgreSQL, and the database URL is of 'mysql'"),
        ("postgresql://host:port/db", "cannot be read; it looks like .*, and 'port' is no port"),
        ("postgresql://u@[::1]:port/db", "'port' is no port"),
        ("postgresql://h:99999/db", "'99999' is no port"),
        ("postgresql:///db?host=h&port=x", "'x' is no port"),
        ("postgresql://a..b/db", r"'a\.\.b' is no name of a host"),
        ("postgresql:///db?host=a..b", r"'a\.\.b' is no name of a host"),
        ("postgresql://h/d?sslmod=require", r"no parameter 'sslmod'; did you mean sslmode\?"),
        ("postgresql://h/d?xyz=1", "no parameter 'xyz'; it may hold those of libpq"),
        ("postgresql://h/d?sslmode=strict", "sslmode=strict is none of disable, allow"),
        ("postgresql://h/d?sslrootcert=/no/ca.pem", "sslrootcert=/no/ca.pem is no file"),
        ("postgresql://h/d?connect_timeout=soon", "connect_timeout=soon is no number"),
        ("postgresql://h/d?target_session_attrs=main", "target_session_attrs=main is none of any, primary"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_with_the_reason(url: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        connect_arguments(url)
