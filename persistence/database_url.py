"""A database URL as people have it, by libpq, SQLAlchemy or asyncpg, read into what asyncpg's `connect` takes."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

from domain.errors import InvalidInput

EXAMPLE = "postgresql://user@host/database"
SCHEMES = frozenset({"postgresql", "postgres"})
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
SESSION_ATTRIBUTES = ("any", "primary", "standby", "read-write", "read-only", "prefer-standby")
MOST_PORT = 65_535
LISTS = frozenset({"host", "port"})
FILES = frozenset({"sslrootcert", "sslcert", "sslkey", "sslcrl", "passfile"})
OF_DRIVER = FILES | {
    *("host", "port", "dbname", "user", "password", "service", "target_session_attrs", "krbsrvname", "gsslib"),
    *("sslmode", "sslpassword", "sslnegotiation", "ssl_min_protocol_version", "ssl_max_protocol_version"),
}
"""What asyncpg reads from a URL, and means as libpq does."""
OF_SESSION = frozenset({"application_name", "options"})
NUMBERS = {"connect_timeout": "timeout", "command_timeout": "command_timeout", "timeout": "timeout"}
COUNTS = frozenset({"statement_cache_size", "prepared_statement_cache_size"})
SYNONYMS = {"ssl": "sslmode", "database": "dbname", "fallback_application_name": "application_name"}
WITHOUT_EFFECT = frozenset(
    {
        *("channel_binding", "gssencmode", "sslsni", "sslcompression", "client_encoding", "load_balance_hosts"),
        *("keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"),
    }
)
"""What libpq knows, hosted databases put into their URLs, and asyncpg has no counterpart of."""
KNOWN = sorted(OF_DRIVER | OF_SESSION | NUMBERS.keys() | COUNTS | SYNONYMS.keys() | WITHOUT_EFFECT)
SYSTEM_ROOTS = "system"
"""What libpq calls the certificates that the machine trusts."""


def connect_arguments(url: str) -> dict[str, Any]:
    """Read a URL. Names and passwords may hold signs that a URL would escape, but for `?`.

    Raises:
        InvalidInput: if it is none of PostgreSQL, or holds a parameter that is not known or cannot be.
    """
    scheme, divider, rest = url.strip().partition("://")
    if not divider:
        raise InvalidInput(f"the database URL cannot be read; it looks like {EXAMPLE}")
    if scheme.partition("+")[0] not in SCHEMES:
        raise InvalidInput(f"Jobtail needs PostgreSQL, and the database URL is of {scheme!r}")
    place, _, query = rest.partition("?")
    credentials, _, place = place.rpartition("@")
    hosts, _, database = place.partition("/")
    if not unquote(hosts).startswith("/"):
        _check_hosts(hosts)
    user, has_password, password = credentials.partition(":")
    given = {"user": user, "password": password if has_password else "", "database": database}
    arguments: dict[str, Any] = {name: unquote(value) for name, value in given.items() if value}
    parameters = _parameters(query)
    of_driver = {name: value for name, value in parameters.items() if name in OF_DRIVER}
    arguments["dsn"] = f"postgresql://{hosts}" + (f"?{urlencode(of_driver)}" if of_driver else "")
    arguments["server_settings"] = {name: value for name, value in parameters.items() if name in OF_SESSION}
    numbers = {NUMBERS[name]: _number(name, value) for name, value in parameters.items() if name in NUMBERS}
    arguments |= {name: number for name, number in numbers.items() if number}  # by 0 libpq means no limit
    return arguments | {name: int(_number(name, value)) for name, value in parameters.items() if name in COUNTS}


def _check_hosts(hosts: str) -> None:
    for each in hosts.split(","):
        host, _, port = ("", "", each.rpartition("]")[2][1:]) if each.startswith("[") else each.partition(":")
        _check_port(port)
        try:
            unquote(host).encode("idna")
        except UnicodeError as error:
            raise InvalidInput(f"the database URL cannot be used: {host!r} is no name of a host: {error}") from None


def _check_port(port: str) -> None:
    if port and not (port.isdecimal() and 0 < int(port) <= MOST_PORT):
        raise InvalidInput(f"the database URL cannot be read; it looks like {EXAMPLE}, and {port!r} is no port")


def _parameters(query: str) -> Mapping[str, str]:
    parameters: dict[str, str] = {}
    for written, value in _in_order(parse_qsl(query, keep_blank_values=True)):
        name = SYNONYMS.get(written, written)
        if name not in KNOWN:
            near = get_close_matches(name, KNOWN, n=1)
            hint = f"did you mean {near[0]}?" if near else "it may hold those of libpq, such as sslmode"
            raise InvalidInput(f"the database URL cannot be used: there is no parameter {name!r}; {hint}")
        if name in LISTS and name in parameters:  # as SQLAlchemy writes several hosts
            parameters[name] += f",{value}"
        elif value and name not in WITHOUT_EFFECT:
            parameters[name] = value
    if parameters.get("sslrootcert") == SYSTEM_ROOTS:
        parameters = {"sslmode": "verify-full", **parameters, "sslrootcert": _system_roots()}
    for name, value in parameters.items():
        _check(name, value)
    return parameters


def _in_order(pairs: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
    """Put synonyms first, so that what is written by its own name goes before them."""
    return sorted(pairs, key=lambda pair: pair[0] not in SYNONYMS)


def _system_roots() -> str:
    paths = ssl.get_default_verify_paths()
    return paths.cafile or paths.openssl_cafile


def _check(name: str, value: str) -> None:
    if name == "sslmode" and value not in SSL_MODES:
        raise InvalidInput(f"the database URL cannot be used: sslmode={value} is none of {', '.join(SSL_MODES)}")
    if name == "target_session_attrs" and value not in SESSION_ATTRIBUTES:
        raise InvalidInput(
            f"the database URL cannot be used: target_session_attrs={value} is none of {', '.join(SESSION_ATTRIBUTES)}"
        )
    if name == "port":
        for port in value.split(","):
            _check_port(port)
    if name == "host" and not value.startswith("/"):
        _check_hosts(value)
    if name in FILES and not Path(value).is_file():
        raise InvalidInput(f"the database URL cannot be used: {name}={value} is no file")


def _number(name: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise InvalidInput(f"the database URL cannot be used: {name}={value} is no number")
    return number
