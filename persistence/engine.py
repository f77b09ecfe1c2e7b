"""The pool of connections to Postgres, and the limits that every connection has."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from persistence.database_url import connect_arguments

STATEMENT_TIMEOUT_S = 30
LOCK_TIMEOUT_S = 10
CONNECT_TIMEOUT_S = 5
POOL_TIMEOUT_S = 10
SESSION_SETTINGS = {
    "statement_timeout": f"{STATEMENT_TIMEOUT_S}s",
    "lock_timeout": f"{LOCK_TIMEOUT_S}s",
    "idle_in_transaction_session_timeout": f"{STATEMENT_TIMEOUT_S}s",
    "timezone": "UTC",
    "datestyle": "ISO",
}


def create_engine(url: str, *, pool_size: int = 10) -> AsyncEngine:
    """Make a pool. Nothing is connected yet.

    Raises:
        InvalidInput: if the URL is not one of PostgreSQL, or cannot be used.
    """
    arguments = connect_arguments(url)
    engine = create_async_engine(
        URL.create("postgresql+asyncpg"),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_S,
        json_deserializer=orjson.loads,
        json_serializer=_dump,
        connect_args={
            "timeout": CONNECT_TIMEOUT_S,
            "command_timeout": STATEMENT_TIMEOUT_S + 5,
            **arguments,
            "server_settings": {"application_name": "jobtail", **arguments["server_settings"], **SESSION_SETTINGS},
        },
    )
    event.listen(engine.sync_engine, "checkout", _replace_dead)
    return engine


def _replace_dead(connection: Any, _record: Any, _fairy: Any) -> None:
    """Have the pool connect anew where the driver knows that the server has hung up, as after a restart.

    This asks nobody, so it costs nothing. A connection that died unnoticed fails at its first use still.
    """
    if connection.driver_connection.is_closed():
        raise DisconnectionError


def _dump(value: Any) -> str:
    return orjson.dumps(value).decode()
