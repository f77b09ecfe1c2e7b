"""Refused tokens, as the operator is told of them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from domain.access import Scope, Token
from domain.errors import Unauthenticated
from graph.access.gate import Gate, make_token
from graph.observability.sparing import Sparing


class Tokens:
    """Satisfies `domain.access.TokenStore`, in memory."""

    def __init__(self) -> None:
        self.tokens: dict[str, Token] = {}

    async def add(self, token: Token) -> None:
        self.tokens[token.token_id] = token

    async def get(self, token_ids: Sequence[str]) -> Sequence[Token]:
        return [self.tokens[token_id] for token_id in token_ids if token_id in self.tokens]

    async def all(self) -> Sequence[Token]:
        return list(self.tokens.values())

    async def revoke(self, token_id: str, at: datetime) -> bool:
        del token_id, at
        return False


def token(store: Tokens, *, is_over: bool = False, is_revoked: bool = False) -> str:
    text, made = make_token([Scope.READ], valid=timedelta(days=-1) if is_over else None)
    fields = {name: getattr(made, name) for name in made.__slots__}
    store.tokens[made.token_id] = Token(**{**fields, "revoked_at": datetime.now(UTC) if is_revoked else None})
    return text


@pytest.mark.parametrize("kind", ["unknown", "secret", "revoked", "expired", "foreign", "long"])
async def test_why_a_token_is_refused_is_logged_and_never_the_token(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = Tokens()
    right = token(store, is_over=kind == "expired", is_revoked=kind == "revoked")
    shown, reason = {
        "unknown": (right.replace(right[3:15], "0" * 12), "its id is unknown"),
        "secret": (right[:-4] + "AAAA", "its secret is not that of its id"),
        "revoked": (right, "it was revoked"),
        "expired": (right, "it has expired"),
        "foreign": ("eyJ.secret.text", "no web tokens are set up"),
        "long": ("x" * 10_000, "longer than a token"),
    }[kind]
    gate = Gate(store)
    with caplog.at_level(logging.WARNING), pytest.raises(Unauthenticated):
        await gate.admit(f"Bearer {shown}")
    (record,) = caplog.records
    assert reason in record.getMessage()
    assert shown.rpartition("_")[2] not in record.getMessage()


async def test_a_thousand_refusals_are_a_line(caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate(Tokens())
    for number in range(1000):
        with pytest.raises(Unauthenticated):
            await gate.admit(f"Bearer jt_{number:012x}_secret")
    assert len(caplog.records) == 1


def test_what_was_held_back_is_counted() -> None:
    now = 0.0
    sparing = Sparing(every_s=60, clock=lambda: now)
    assert [sparing.look("a"), sparing.look("a"), sparing.look("b"), sparing.look("a")] == [0, None, 0, None]
    now = 61.0
    assert [sparing.look("a"), sparing.look("a")] == [2, None]
