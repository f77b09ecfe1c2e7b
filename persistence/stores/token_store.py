"""Tokens in Postgres. Of a secret it keeps the digest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ARRAY, Select, Text, any_, bindparam, select

from domain.access import Scope, Token
from persistence.database import Database
from persistence.prepared_statements import Named
from persistence.sql import statement
from persistence.tables import access_tokens


class PostgresTokenStore:
    """Satisfies `domain.access.TokenStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, token: Token) -> None:
        await self._database.write(
            statement("add_token"),
            {
                "token_id": token.token_id,
                "digest": token.digest,
                "scopes": sorted(token.scopes),
                "job_prefix": token.job_prefix,
                "name": token.name,
                "created_at": token.created_at,
                "expires_at": token.expires_at,
            },
        )

    async def get(self, token_ids: Sequence[str]) -> Sequence[Token]:
        known = access_tokens.c.token_id == any_(bindparam("ids", list(token_ids), ARRAY(Text)))
        return await self._read(select(access_tokens).where(known))

    async def all(self) -> Sequence[Token]:
        return await self._read(select(access_tokens))

    async def _read(self, query: Select[tuple[object, ...]]) -> Sequence[Token]:
        ordered = query.order_by(access_tokens.c.created_at, access_tokens.c.token_id)
        return [_token(row._mapping) for row in await self._database.read(ordered, goes_ahead=True)]  # noqa: SLF001 - SQLAlchemy's public name for it

    async def revoke(self, token_id: str, at: datetime) -> bool:
        row = await self._database.write(statement("revoke_token"), {"token_id": token_id, "revoked_at": at})
        return row is not None


def _token(row: Named) -> Token:
    return Token(
        token_id=row["token_id"],
        digest=row["digest"],
        scopes=frozenset(map(Scope, row["scopes"])),
        job_prefix=row["job_prefix"],
        name=row["name"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
    )
