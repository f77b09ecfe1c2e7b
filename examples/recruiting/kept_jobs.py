"""The newest sample jobs, which are kept: older ones are deleted, so that a `make run` that is forgotten fills no disk."""

from __future__ import annotations

from sqlalchemy import column, delete, table, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

KEPT = 500
SAMPLE_ID = r"^JB_(INGEST|SCORE|SCRAPE)_\d{8}_\d{6}_\d+$"
"""What JobQueue calls its jobs. Nobody else's are touched."""

TIMEOUT_S = 30

# A job is a row in jobs and rows in every table that has its id. Partitions follow their table.
_TABLES_OF_JOBS = text("""
    SELECT relname
    FROM pg_class
    JOIN pg_attribute ON attrelid = pg_class.oid AND attname = 'job_id' AND NOT attisdropped
    WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
    ORDER BY relname = 'jobs'
""")
_OLD_JOBS = text("""
    SELECT job_id FROM jobs WHERE job_id ~ :sample_id ORDER BY created_at DESC, job_id DESC OFFSET :kept
""")


async def delete_old_jobs(database_url: str, *, kept: int = KEPT) -> int:
    """Delete all sample jobs but the newest, whole. Tells how many."""
    engine = create_async_engine(
        make_url(database_url).set(drivername="postgresql+asyncpg"),
        poolclass=NullPool,
        connect_args={"timeout": TIMEOUT_S, "command_timeout": TIMEOUT_S},
    )
    try:
        async with engine.begin() as connection:
            return await _delete(connection, kept)
    finally:
        await engine.dispose()


async def _delete(connection: AsyncConnection, kept: int) -> int:
    tables = (await connection.scalars(_TABLES_OF_JOBS)).all()
    if "jobs" not in tables:
        return 0
    old = (await connection.scalars(_OLD_JOBS, {"sample_id": SAMPLE_ID, "kept": kept})).all()
    for name in tables if old else ():
        await connection.execute(delete(table(name, column("job_id"))).where(column("job_id").in_(old)))
    return len(old)
