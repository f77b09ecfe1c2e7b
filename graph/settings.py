"""The settings of the service: their names, their defaults and what each may be. `graph.configuration` reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from domain.errors import InvalidInput
from domain.retention import Retention, read_retention

PREFIX = "JOBTAIL_"
EXAMPLE_ORIGIN = "https://ops.example.com"


class _Choice(StrEnum):
    """Taken in upper case, too."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        name = str(value).lower()
        return next((choice for choice in cls if name in {choice.value, *_SYNONYMS.get(choice.value, ())}), None)


class LogFormat(_Choice):
    CONSOLE = "console"
    JSON = "json"


class LogThreshold(_Choice):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Access(_Choice):
    OFF = "off"
    TOKENS = "tokens"


_SYNONYMS = {"warning": ("warn",)}
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#@\s]+")


class Settings(BaseSettings):
    """Each is read from the variable JOBTAIL_ and its name in upper case, of the environment or of a file `.env`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True, allow_inf_nan=False
    )

    host: str = Field(default="127.0.0.1", description="The address to listen on.")
    port: int = Field(default=8820, ge=0, le=65535, description="The port to listen on; 0 takes a free one.")
    data_dir: Path = Field(
        default=Path(".jobtail"),
        description="Where the embedded PostgreSQL keeps its data. Not used with a database URL.",
    )
    database_url: str | None = Field(
        default=None,
        validation_alias=AliasChoices("JOBTAIL_DATABASE_URL", "DATABASE_URL", "database_url"),
        repr=False,
        description="A PostgreSQL 15 or later to use instead of the embedded one: postgresql://user@host/database. "
        "Also read from DATABASE_URL.",
    )
    channel_url: str | None = Field(
        default=None,
        repr=False,
        description="What carries announcements between processes: postgresql://... (default: the database), redis://... "
        "or memory:// for one process alone. LISTEN needs a connection of its own, so behind a transaction pooler give "
        "the database's direct address here.",
    )
    pool_size: int = Field(default=10, ge=1, le=1000, description="How many connections to the database at most.")
    max_request_bytes: int = Field(
        default=64 * 1024 * 1024,
        ge=1024,
        description="The largest body of captured events as it is sent, in bytes.",
    )
    max_expanded_bytes: int = Field(
        default=128 * 1024 * 1024,
        ge=1024,
        description="The largest body of captured events after gunzip, in bytes. All that are read at one time may take four "
        "times as much memory together, those of one caller three times as much.",
    )
    max_concurrent_captures: int = Field(
        default=16,
        ge=1,
        le=10_000,
        description="How many batches of captured events are parsed and stored at one time; more are answered 429.",
    )
    max_query_bytes: int = Field(
        default=4 * 1024 * 1024,
        ge=1024,
        description="The largest GraphQL request, in bytes, by HTTP and by websocket.",
    )
    max_query_tokens: int = Field(
        default=2000, ge=1, description="How many tokens (names, numbers, brackets ...) a GraphQL document has at most."
    )
    max_query_depth: int = Field(default=20, ge=1, description="How many levels deep a GraphQL operation is at most.")
    max_query_aliases: int = Field(default=30, ge=0, description="How many aliases a GraphQL document has at most.")
    max_query_cost: int = Field(
        default=1_000_000,
        ge=1,
        description="Of how many values the answer to a GraphQL operation may consist, where page sizes multiply.",
    )
    max_query_seconds: float = Field(
        default=30,
        gt=0,
        description="How long a GraphQL query, or a page by plain HTTP, may take, in seconds; its statements are cancelled then.",
    )
    max_subscriptions_per_connection: int = Field(
        default=100, ge=1, description="How many operations may run on one websocket at a time."
    )
    max_connections_per_address: int = Field(
        default=500,
        ge=1,
        description="How many websockets and event streams may be open from one address.",
    )
    trusted_proxies: list[str] = Field(
        default=["127.0.0.1", "::1"],
        description="The addresses or networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed. Without "
        "access control nothing that a proxy passes on is answered unless this is set: the proxy has to ask who calls. As a "
        'JSON list: ["10.0.0.0/8"].',
    )
    max_requests_per_second: float = Field(
        default=200,
        gt=0,
        description="How many requests a second one token may make, operations of a websocket included; after a pause ten "
        "times as many at once.",
    )
    introspection: bool = Field(default=True, description="Whether clients may ask for the GraphQL schema.")
    graphiql: bool = Field(default=True, description="Whether browsers get GraphiQL from /graphql.")
    access: Access = Field(
        default=Access.OFF,
        description="Who may call: `off` lets everybody in and is for a loopback address only; `tokens` lets in who shows a "
        "token, made by `jobtail-server token create` or by an identity provider.",
    )
    jwt_key: SecretStr | None = Field(
        default=None, description="What JSON Web Tokens are proved by: a public key as PEM, or a shared secret."
    )
    jwt_jwks_url: str | None = Field(
        default=None, description="Where the identity provider publishes its keys, instead of `JOBTAIL_JWT_KEY`."
    )
    jwt_algorithms: list[str] = Field(
        default=["RS256", "ES256"],
        description='Which algorithms JSON Web Tokens may use; ["HS256"] for a shared secret.',
    )
    jwt_issuer: str | None = Field(default=None, description="Who must have issued a JSON Web Token: its claim `iss`.")
    jwt_audience: str | None = Field(default=None, description="Whom a JSON Web Token must be for: its claim `aud`.")
    jwt_scope_claim: str = Field(
        default="scope",
        description="The claim that holds `jobtail:read`, `jobtail:capture`, `jobtail:metrics` or `jobtail:admin`, as words or "
        "as a list.",
    )
    jwt_prefix_claim: str = Field(
        default="jobtail_job_prefix",
        description="The claim that holds what the ids of the jobs begin with, if it is there.",
    )
    retention: str | None = Field(
        default=None,
        description="How long lines are kept, such as `90d`, `12h` or `2w`; without it they are never deleted.",
    )
    retention_levels: dict[str, str] = Field(
        default={},
        description='Shorter times for levels and those below them, as a JSON object: `{"debug": "7d"}`.',
    )
    storage_warning_bytes: int | None = Field(
        default=None, ge=1, description="The size of all tables from which on the service's log warns, in bytes."
    )
    allowed_hosts: list[str] = Field(
        default=[],
        description="Further names under which the service answers without access control, as a JSON list: "
        '["logs.example.com"]. Names of the machine itself, such as localhost, need not be named.',
    )
    allowed_origins: list[str] = Field(
        default=[],
        description="Other sites whose pages may call this service and open websockets here, as a JSON list: "
        '["https://ops.example.com"].',
    )
    log_level: LogThreshold = Field(
        default=LogThreshold.INFO, description="The service's own log: from which level on."
    )
    tracing: bool = Field(
        default=False,
        description="Whether to send OpenTelemetry traces by OTLP/HTTP, as the standard variables `OTEL_...` say. Needs "
        "`jobtail-server[tracing]`.",
    )
    log_format: LogFormat = Field(default=LogFormat.CONSOLE, description="The service's own log: console or json.")

    @field_validator("port", mode="before")
    @classmethod
    def _is_no_link(cls, port: Any) -> Any:
        """Kubernetes sets JOBTAIL_PORT=tcp://10.0.0.1:8820 beside a Service of the name jobtail."""
        is_link = isinstance(port, str) and port.startswith("tcp://")
        return cls.model_fields["port"].default if is_link else port

    @field_validator("host")
    @classmethod
    def _is_host(cls, host: str) -> str:
        try:
            host.encode("idna")
        except UnicodeError as error:
            raise ValueError(f"it is no name of a host: {error}") from None
        return host

    @field_validator("data_dir")
    @classmethod
    def _is_expanded(cls, path: Path) -> Path:
        try:
            return path.expanduser()
        except RuntimeError as error:
            raise ValueError(str(error)) from None

    @field_validator("trusted_proxies")
    @classmethod
    def _are_addresses(cls, proxies: list[str]) -> list[str]:
        for proxy in proxies:
            if proxy != "*":
                ip_network(proxy) if "/" in proxy else ip_address(proxy)
        return proxies

    @field_validator("allowed_origins")
    @classmethod
    def _are_origins(cls, origins: list[str]) -> list[str]:
        for origin in origins:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin!r} is no origin: it is a scheme and a host without a path, {EXAMPLE_ORIGIN}")
        return origins

    @field_validator("jwt_jwks_url")
    @classmethod
    def _is_web_address(cls, url: str | None) -> str | None:
        if url is not None and not (urlsplit(url).scheme in {"http", "https"} and urlsplit(url).hostname):
            raise ValueError("it must begin with https:// and a host")
        return url

    @field_validator("retention_levels", mode="after")
    @classmethod
    def _are_shorter(cls, levels: dict[str, str], known: ValidationInfo) -> dict[str, str]:
        if levels and known.data.get("retention") is None:
            raise ValueError("JOBTAIL_RETENTION must say how long the other levels are kept")
        _retention(known.data.get("retention"), levels)
        return levels

    @field_validator("retention", mode="after")
    @classmethod
    def _is_duration(cls, retention: str | None) -> str | None:
        _retention(retention, {})
        return retention

    @property
    def is_behind_proxy(self) -> bool:
        """Whether somebody has said that there is a proxy, and which: to be believed by default is no such word."""
        return "trusted_proxies" in self.model_fields_set

    @property
    def kept(self) -> Retention | None:
        """How long lines are kept, None for ever."""
        return _retention(self.retention, self.retention_levels)


def _retention(older_than: str | None, levels: Mapping[str, str]) -> Retention | None:
    try:
        return None if older_than is None else read_retention(older_than, levels)
    except InvalidInput as error:
        raise ValueError(str(error)) from error
