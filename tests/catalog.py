"""The catalog of a database: its tables, indexes and constraints."""

from __future__ import annotations

from typing import Any

from persistence.tables import metadata
from tests.conftest import connect

COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid)
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relname = ANY($1)
ORDER BY c.relname, a.attnum
"""


CONSTRAINTS = """
SELECT c.relname, k.conname, pg_get_constraintdef(k.oid)
FROM pg_class c JOIN pg_constraint k ON k.conrelid = c.oid
WHERE c.relname = ANY($1)
ORDER BY c.relname, k.conname
"""


INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = ANY($1) ORDER BY indexname"


STORAGE = """
SELECT relname, relkind, reloptions, pg_get_partkeydef(oid)
FROM pg_class
WHERE relname = ANY($1)
ORDER BY relname
"""


TABLES = sorted(metadata.tables)


async def catalog_of(url: str) -> dict[str, list[Any]]:
    """Describe the tables as Postgres knows them."""
    queries = {"columns": COLUMNS, "constraints": CONSTRAINTS, "indexes": INDEXES, "storage": STORAGE}
    connection = await connect(url)
    try:
        return {name: [tuple(row) for row in await connection.fetch(query, TABLES)] for name, query in queries.items()}
    finally:
        await connection.close()
