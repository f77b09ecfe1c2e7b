"""The environment in which Alembic runs migrations: on the connection it is handed, one at a time, in one transaction."""

from __future__ import annotations

from alembic import context
from sqlalchemy import text

from persistence.database_form import MIGRATION_LOCK
from persistence.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata)
with context.begin_transaction():
    connection.execute(text("SET LOCAL statement_timeout = '15min'"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
    connection.execute(text("SET LOCAL lock_timeout = '10s'"))
    context.run_migrations()
