"""The messages of a job's lines, without the rest of them, for comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from sqlalchemy import BigInteger, Text, bindparam, case, func, select

from domain.analysis.message_templates import END_LENGTH
from domain.logs import SaidMessage
from persistence.database import Database
from persistence.prepared_statements import Statement, compiled
from persistence.queries.log_filters import SEARCH_S
from persistence.queries.log_pages import lines_of_job
from persistence.tables import task_logs


class PostgresLogMessages:
    """Satisfies `domain.ports.LogMessages`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def said(self, job_id: str, *, after: int, upto: int) -> Sequence[SaidMessage]:
        values = {"job_id": job_id, "after": after, "upto": upto}
        rows = await self._database.fetch(_said(), values, within_s=SEARCH_S)
        return [SaidMessage(*row) for row in rows]


@cache
def _said() -> Statement:
    """Select lines with their messages, long ones without their middle."""
    line = task_logs.c
    ends = func.left(line.message, END_LENGTH) + "\n" + func.right(line.message, END_LENGTH)
    clipped = case((func.length(line.message) <= 2 * END_LENGTH, line.message), else_=ends)
    query = select(line.seq, line.level, line.stage, clipped.label("message")).where(
        *lines_of_job(bindparam("job_id", type_=Text)),
        line.seq > bindparam("after", type_=BigInteger),
        line.seq <= bindparam("upto", type_=BigInteger),
    )
    return compiled(query.order_by(line.seq))
