"""Callers as shares are given to them: the token that a client shows, or where it connects from."""

from __future__ import annotations

from collections.abc import Hashable, MutableMapping
from typing import Any

from domain.access import Grant


def caller_of(grant: Grant, scope: MutableMapping[str, Any]) -> Hashable:
    """Name the caller. Web tokens that grant the same until the same time are one."""
    if grant.token_id is not None:
        return grant.token_id
    return address_of(scope) if grant.expires_at is None else grant


def address_of(scope: MutableMapping[str, Any]) -> str:
    client = scope.get("client")
    return client[0] if client else "a local socket"
