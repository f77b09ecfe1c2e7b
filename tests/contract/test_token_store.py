"""The contract of every TokenStore."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from domain.access import Scope, Token
from tests.contract.conftest import Stores

AT = datetime(2026, 11, 22, 20, 33, 58, 123456, tzinfo=UTC)


def token(token_id: str, *, age_s: int = 0, valid: timedelta | None = None, prefix: str | None = None) -> Token:
    made = AT - timedelta(seconds=age_s)
    return Token(
        token_id=token_id,
        digest=token_id.encode().ljust(32),
        scopes=frozenset([Scope.READ, Scope.CAPTURE]),
        job_prefix=prefix,
        name="Zoë",
        created_at=made,
        expires_at=None if valid is None else made + valid,
    )


async def test_a_token_is_kept_as_it_is(stores: Stores) -> None:
    first, second = token("a"), token("b", age_s=1, valid=timedelta(days=1), prefix="JB_")
    await stores.tokens.add(first)
    await stores.tokens.add(second)
    assert list(await stores.tokens.all()) == [second, first]
    assert list(await stores.tokens.get(["a", "c"])) == [first]
    assert list(await stores.tokens.get([])) == []


async def test_a_token_is_revoked_once(stores: Stores) -> None:
    await stores.tokens.add(token("a"))
    assert await stores.tokens.revoke("a", AT)
    assert not await stores.tokens.revoke("a", AT + timedelta(days=1))
    assert not await stores.tokens.revoke("b", AT)
    (found,) = await stores.tokens.get(["a"])
    assert (found.revoked_at, found.is_valid(AT)) == (AT, False)


def test_a_token_is_valid_until_it_expires() -> None:
    short = token("a", valid=timedelta(seconds=1))
    assert short.is_valid(AT)
    assert not short.is_valid(AT + timedelta(seconds=1))
