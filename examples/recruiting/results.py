"""The results of the jobs, kept in Postgres in a schema of their own. Storing a thing again replaces it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Integer,
    MetaData,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.schema import CreateSchema

from examples.recruiting.attestations import Attestation
from examples.recruiting.requirements import Description, Requirement
from examples.recruiting.scoring import Score
from persistence.engine import create_engine

SCHEMA = "recruiting"


class Results(Protocol):
    """What the jobs ask of wherever results are kept."""

    async def save_description(self, description: Description, attestations: Sequence[Attestation]) -> None:
        """Store a description with its requirements and their attestations in place of an earlier version."""

    async def requirements_of(self, description_id: str) -> Sequence[Requirement]:
        """Load requirements in their order; none where the description is unknown."""

    async def save_score(self, description_id: str, candidate_id: str, score: Score) -> None:
        """Store a score in place of an earlier one."""


metadata = MetaData(schema=SCHEMA)

descriptions = Table(
    "descriptions",
    metadata,
    Column("description_id", Text, primary_key=True),
    Column("title", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("word_count", Integer, nullable=False),
)

requirements = Table(
    "requirements",
    metadata,
    Column("description_id", ForeignKey(descriptions.c.description_id, ondelete="CASCADE"), primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("amount", Integer, nullable=False),
    Column("is_must", Boolean, nullable=False),
    Column("evidence", Text, nullable=False),
)

scores = Table(
    "scores",
    metadata,
    Column("description_id", ForeignKey(descriptions.c.description_id, ondelete="CASCADE"), primary_key=True),
    Column("candidate_id", Text, primary_key=True),
    Column("score", Float, nullable=False),
    Column("missed", JSONB, nullable=False),
)


@asynccontextmanager
async def open_results(database_url: str) -> AsyncIterator[PostgresResults]:
    """Open the results in a PostgreSQL database, given by its URL, and make what is missing there."""
    engine = create_engine(database_url, pool_size=3)
    try:
        await _create_tables(engine)
        yield PostgresResults(engine)
    finally:
        await engine.dispose()


class PostgresResults:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def save_description(self, description: Description, attestations: Sequence[Attestation]) -> None:
        row = {
            "description_id": description.description_id,
            "title": description.title,
            "source": description.source,
            "word_count": description.word_count,
        }
        rows = [
            {
                "description_id": description.description_id,
                "kind": attestation.requirement.kind,
                "name": attestation.requirement.name,
                "position": position,
                "amount": attestation.requirement.amount,
                "is_must": attestation.requirement.is_must,
                "evidence": attestation.evidence,
            }
            for position, attestation in enumerate(attestations)
        ]
        of_this = requirements.c.description_id == description.description_id
        async with self._engine.begin() as connection:
            statement = upsert(descriptions).values(row)
            await connection.execute(statement.on_conflict_do_update(index_elements=["description_id"], set_=row))
            await connection.execute(delete(requirements).where(of_this))
            await connection.execute(insert(requirements), rows)

    async def requirements_of(self, description_id: str) -> tuple[Requirement, ...]:
        table = requirements.c
        query = select(table.kind, table.name, table.amount, table.is_must)
        query = query.where(table.description_id == description_id).order_by(table.position)
        async with self._engine.connect() as connection:
            return tuple(Requirement(*row) for row in await connection.execute(query))

    async def save_score(self, description_id: str, candidate_id: str, score: Score) -> None:
        row = {
            "description_id": description_id,
            "candidate_id": candidate_id,
            "score": score.value,
            "missed": list(score.missed),
        }
        statement = upsert(scores).values(row)
        async with self._engine.begin() as connection:
            await connection.execute(
                statement.on_conflict_do_update(index_elements=["description_id", "candidate_id"], set_=row),
            )

    async def scores_of(self, description_id: str) -> dict[str, float]:
        """Load scores by candidate, the best first."""
        query = select(scores.c.candidate_id, scores.c.score).where(scores.c.description_id == description_id)
        query = query.order_by(scores.c.score.desc(), scores.c.candidate_id)
        async with self._engine.connect() as connection:
            return dict((await connection.execute(query)).all())


async def _create_tables(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        # IF NOT EXISTS is no protection from another process that does the same at the same moment.
        await connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(SCHEMA))))
        await connection.execute(CreateSchema(SCHEMA, if_not_exists=True))
        await connection.run_sync(metadata.create_all)
