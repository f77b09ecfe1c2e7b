"""The pool of connections to Postgres, and the limits that every connection has."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from domain.errors import InvalidInput

STATEMENT_TIMEOUT_S = 30
LOCK_TIMEOUT_S = 10
CONNECT_TIMEOUT_S = 5
POOL_TIMEOUT_S = 10


def create_engine(url: str, *, pool_size: int = 10) -> AsyncEngine:
    """Make a pool. Nothing is connected yet.

    Raises:
        InvalidInput: if the URL is not one of PostgreSQL.
    """
    parsed = postgres_url(url)
    engine = create_async_engine(
        parsed,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_S,
        json_deserializer=orjson.loads,
        json_serializer=_dump,
        connect_args={
            "timeout": CONNECT_TIMEOUT_S,
            "command_timeout": STATEMENT_TIMEOUT_S + 5,
            "server_settings": {
                "application_name": "jobtail",
                "statement_timeout": f"{STATEMENT_TIMEOUT_S}s",
                "lock_timeout": f"{LOCK_TIMEOUT_S}s",
                "idle_in_transaction_session_timeout": f"{STATEMENT_TIMEOUT_S}s",
                "timezone": "UTC",
                "datestyle": "ISO",
            },
        },
    )
    event.listen(engine.sync_engine, "checkout", _replace_dead)
    return engine


def postgres_url(url: str) -> URL:
    """Read a URL for asyncpg. libpq's `sslmode`, which hosted databases put into theirs, is `ssl` to asyncpg.

    Raises:
        InvalidInput: if it is not one of PostgreSQL.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # the latter for a port that is no number
        raise InvalidInput("the database URL cannot be read; it looks like postgresql://user@host/database") from None
    if parsed.get_backend_name() not in {"postgresql", "postgres"}:
        raise InvalidInput(f"Jobtail needs PostgreSQL, and the database URL is of {parsed.get_backend_name()!r}")
    query = {"ssl" if name == "sslmode" else name: value for name, value in parsed.query.items()}
    return parsed.set(drivername="postgresql+asyncpg", query=query)


def _replace_dead(connection: Any, _record: Any, _fairy: Any) -> None:
    """Have the pool connect anew where the driver knows that the server has hung up, as after a restart.

    This asks nobody, so it costs nothing. A connection that died unnoticed fails at its first use still.
    """
    if connection.driver_connection.is_closed():
        raise DisconnectionError


def _dump(value: Any) -> str:
    return orjson.dumps(value).decode()
