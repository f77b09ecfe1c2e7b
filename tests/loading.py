"""Tables as they are right after much was written: full, and unknown to the planner."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from sqlalchemy.engine import make_url

from tests.conftest import connect

UNANALYSED = """
SELECT format('ALTER TABLE %s SET (autovacuum_enabled = off)', c.oid::regclass)
FROM pg_class c
WHERE relkind = 'r' AND (relname IN ('jobs', 'job_tasks', 'capture_positions', 'stored_batches') OR relname LIKE 'task_logs%')
"""


def load_unanalysed(url: str, statements: Sequence[str]) -> str:
    """Run the first statement, keep the analysis from all tables there are then, and run the others; name the database."""
    asyncio.run(_load(url, statements))
    return str(make_url(url).database)


async def _load(url: str, statements: Sequence[str]) -> None:
    connection = await connect(url)
    try:
        await connection.execute(statements[0])
        for (alter,) in await connection.fetch(UNANALYSED):
            await connection.execute(alter)
        for statement in statements[1:]:
            await connection.execute(statement)
    finally:
        await connection.close()
