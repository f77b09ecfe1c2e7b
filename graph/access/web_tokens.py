"""JSON Web Tokens of an identity provider: proved by a key or by a JWKS URL, and what their claims grant."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import jwt
from jwt import PyJWK, PyJWKClient, PyJWKSet
from jwt.exceptions import PyJWKClientError, PyJWTError

from domain.access import Grant, Scope
from domain.errors import InvalidInput, Unavailable
from graph.access.refusals import Refusals

CLAIM_MARK = "jobtail:"
"""Scopes are `jobtail:read`, `jobtail:capture` and so on: a provider serves other programs too."""
FETCH_S = 5.0
KEYS_LIVE_S = 300.0
REFETCH_S = 10.0
"""A key that is not known may be new, so the keys are fetched again, but not oftener than this."""
LEEWAY_S = 30.0
LAST_SECOND = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp())
LONGEST_REASON = 200


class WebTokens:
    def __init__(
        self,
        *,
        algorithms: Sequence[str],
        key: str | None = None,
        jwks_url: str | None = None,
        issuer: str | None = None,
        audience: str | None = None,
        scope_claim: str = "scope",
        prefix_claim: str = "jobtail_job_prefix",
    ) -> None:
        """Prove tokens by a key, PEM or a shared secret, or by the keys at a URL.

        Raises:
            InvalidInput: for algorithms that do not fit the key. A public key must never be taken for a shared secret.
        """
        _check(algorithms, key)
        self._algorithms = list(algorithms)
        self._key = key
        self._keys = None if jwks_url is None else _Keys(jwks_url)
        self._issuer = issuer
        self._audience = audience
        self._refusals = Refusals()
        self._scope_claim = scope_claim
        self._prefix_claim = prefix_claim

    async def grant(self, token: str) -> Grant | None:
        """Find what a token grants; None if it is not valid.

        Raises:
            Unavailable: if its key cannot be fetched now.
        """
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in self._algorithms:
                self._refusals.say("its algorithm is none of JOBTAIL_JWT_ALGORITHMS")
                return None
            key: Any = self._key if self._keys is None else await self._keys.find(header.get("kid"))
            if key is None:
                self._refusals.say("its key is none that the identity provider publishes")
                return None
            return self._read(jwt.decode(token, key, **self._demands()))
        except (PyJWTError, ValueError, OverflowError) as error:  # the latter for times that are none
            self._refusals.say(f"it is no web token of ours: {type(error).__name__}", repr(str(error)[:LONGEST_REASON]))
            return None

    def _demands(self) -> dict[str, Any]:
        return {
            "algorithms": self._algorithms,
            "issuer": self._issuer,
            "audience": self._audience,
            "leeway": LEEWAY_S,
            "options": {
                "require": ["exp"],
                "verify_aud": self._audience is not None,
                "verify_iss": self._issuer is not None,
            },
        }

    def _read(self, claims: dict[str, Any]) -> Grant | None:
        said = claims.get(self._scope_claim, "")
        words = said.split() if isinstance(said, str) else said if isinstance(said, list) else []
        scopes = frozenset(scope for scope in Scope if f"{CLAIM_MARK}{scope}" in words)
        prefix = claims.get(self._prefix_claim)
        if not scopes:
            self._refusals.say(f"its claim {self._scope_claim!r} names no scope such as {CLAIM_MARK}{Scope.READ}")
            return None
        if not (prefix is None or (isinstance(prefix, str) and prefix)):
            self._refusals.say(f"its claim {self._prefix_claim!r} is no text")
            return None
        expires_at = datetime.fromtimestamp(min(int(claims["exp"]), LAST_SECOND) + LEEWAY_S, UTC)
        return Grant(scopes=scopes, job_prefix=prefix, expires_at=expires_at)


class _Keys:
    """The keys at a URL, fetched in a thread."""

    def __init__(self, url: str) -> None:
        self._client = PyJWKClient(url, cache_jwk_set=False, timeout=FETCH_S)
        self._set: PyJWKSet | None = None
        self._fetched_at = 0.0
        self._fetching = asyncio.Lock()

    async def find(self, key_id: str | None) -> PyJWK | None:
        """Find a key by its id, None if there is none; without an id the only one that there is.

        Raises:
            Unavailable: if no keys can be fetched.
        """
        async with self._fetching:
            age = time.monotonic() - self._fetched_at
            if self._set is None or age > KEYS_LIVE_S or (age > REFETCH_S and self._known(key_id) is None):
                await self._fetch()
        return self._known(key_id)

    def _known(self, key_id: str | None) -> PyJWK | None:
        keys = self._set.keys if self._set else []
        if key_id is None:
            return keys[0] if len(keys) == 1 else None
        return next((key for key in keys if key.key_id == key_id), None)

    async def _fetch(self) -> None:
        try:
            self._set = await asyncio.to_thread(self._client.get_jwk_set, refresh=True)
        except (PyJWKClientError, PyJWTError) as error:
            if self._set is None:
                raise Unavailable(f"the keys of web tokens cannot be fetched: {error}") from error
        self._fetched_at = time.monotonic()


def _check(algorithms: Sequence[str], key: str | None) -> None:
    known = set(jwt.algorithms.get_default_algorithms()) - {"none"}
    for algorithm in algorithms:
        if algorithm not in known:
            raise InvalidInput(f"JOBTAIL_JWT_ALGORITHMS: {algorithm!r} is none of {', '.join(sorted(known))}")
    shared = {algorithm.startswith("HS") for algorithm in algorithms}
    if not algorithms or len(shared) > 1:
        raise InvalidInput("JOBTAIL_JWT_ALGORITHMS must name algorithms of one kind: HS* with a secret, or others")
    is_public = key is None or "-----BEGIN" in key
    if shared == {is_public}:
        raise InvalidInput(
            "JOBTAIL_JWT_ALGORITHMS do not fit the key: a shared secret needs HS256, a public key or a JWKS URL others"
        )
    if key is not None and not any(_takes(algorithm, key) for algorithm in algorithms):
        raise InvalidInput(f"JOBTAIL_JWT_KEY is no key that {' or '.join(algorithms)} can use")


def _takes(algorithm: str, key: str) -> bool:
    try:
        jwt.algorithms.get_default_algorithms()[algorithm].prepare_key(key)
    except (PyJWTError, ValueError, TypeError):
        return False
    return True
