"""Access: what a token allows, and on which jobs. How a token is proved is not known here."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from domain.errors import Forbidden


class Scope(StrEnum):
    READ = "read"
    CAPTURE = "capture"
    METRICS = "metrics"
    ADMIN = "admin"
    """Everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a caller may do."""

    scopes: frozenset[Scope]
    job_prefix: str | None = None
    """Other jobs than those whose id begins with it are as if they were not there."""
    expires_at: datetime | None = None
    token_id: str | None = None
    """Names the token where it can be revoked."""

    def allows(self, scope: Scope) -> bool:
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def require(self, scope: Scope) -> None:
        """Go on only with a scope.

        Raises:
            Forbidden: without it.
        """
        if not self.allows(scope):
            raise Forbidden(scope)

    def sees(self, job_id: str) -> bool:
        return self.job_prefix is None or job_id.startswith(self.job_prefix)

    def narrowed(self, job_prefix: str | None) -> str | None:
        """Give the prefix of the jobs that have this one and are seen, too."""
        if self.job_prefix is None or (job_prefix or "").startswith(self.job_prefix):
            return job_prefix
        return self.job_prefix if self.job_prefix.startswith(job_prefix or "") else NOWHERE


NOWHERE = "?" * 1000
"""No job has this id, which is longer than any: what is asked of it is answered as of a job that does not exist."""

_caller: ContextVar[Hashable] = ContextVar("caller", default=None)


def current_caller() -> Hashable:
    """Tell whose token this is done for, None where nobody showed one."""
    return _caller.get()


def act_for(grant: Grant) -> None:
    """Let what the current task does from now on, and what it starts, be done for the holder of a token."""
    if grant.token_id is not None:
        _caller.set(grant.token_id)
    elif grant.expires_at is not None:
        _caller.set(grant)


EVERYTHING = Grant(scopes=frozenset([Scope.ADMIN]))
NOTHING = Grant(scopes=frozenset())


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token as it is stored: its secret only as a digest."""

    token_id: str
    digest: bytes
    """SHA-256 of the secret, which has 256 random bits and so needs no slow hash."""
    scopes: frozenset[Scope]
    job_prefix: str | None
    name: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None = None

    @property
    def grant(self) -> Grant:
        return Grant(scopes=self.scopes, job_prefix=self.job_prefix, expires_at=self.expires_at, token_id=self.token_id)

    def is_valid(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class TokenStore(Protocol):
    async def add(self, token: Token) -> None:
        """Store a new token."""

    async def get(self, token_ids: Sequence[str]) -> Sequence[Token]:
        """Load tokens by id. Ids that are unknown are left out."""

    async def all(self) -> Sequence[Token]:
        """Load all tokens, the oldest first."""

    async def revoke(self, token_id: str, at: datetime) -> bool:
        """Say that a token is valid no longer; tell whether there is one that was until now."""
