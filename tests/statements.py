"""The statements that a database executes during a block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from sqlalchemy import event

from persistence.database import Database
from persistence.prepared_statements import Statement

Sent = list[tuple[str, Sequence[Any]]]


@contextmanager
def statements_of(database: Database) -> Iterator[Sent]:
    """Note every query that the database is sent, with its values, by SQLAlchemy or on the driver itself."""
    sent: Sent = []
    fetch = database.fetch

    def listen(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        sent.append((statement, parameters))

    async def noted(statement: Statement, values: Mapping[str, Any], **more: Any) -> Any:
        sent.append((statement.text, statement.arguments(values)))
        return await fetch(statement, values, **more)

    event.listen(database.engine.sync_engine, "before_cursor_execute", listen)
    try:
        with patch.object(database, "fetch", noted):
            yield sent
    finally:
        event.remove(database.engine.sync_engine, "before_cursor_execute", listen)
