"""The gate: finds what a bearer token grants, and remembers it for some seconds."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from domain.access import EVERYTHING, Grant, Scope, Token, TokenStore, act_for
from domain.errors import InvalidInput, Unauthenticated
from graph.access.rate_limits import Rate
from graph.access.refusals import Refusals
from graph.access.web_tokens import WebTokens

MARK = "jt_"
"""What tokens of ours begin with: scanners for secrets know them by it."""
KNOWN_S = 5.0
"""How long an answer is remembered: a token that is revoked is taken for that much longer."""
MOST_KNOWN = 10_000
LONGEST = 8192
"""Of a token, in characters."""
MAX_PREFIX_LENGTH = 100
INVALID = "this token is not valid, or no longer: get another one"


def now() -> datetime:
    return datetime.now(UTC)


def make_token(
    scopes: Iterable[Scope], *, job_prefix: str | None = None, valid: timedelta | None = None, name: str | None = None
) -> tuple[str, Token]:
    """Make a token: the text for its holder, which nobody can make again, and what is stored of it."""
    if job_prefix is not None and not 0 < len(job_prefix) <= MAX_PREFIX_LENGTH:
        raise InvalidInput(f"a job prefix has 1 to {MAX_PREFIX_LENGTH} characters, not {len(job_prefix)}")
    token_id, secret, made = secrets.token_hex(6), secrets.token_urlsafe(32), now()
    token = Token(
        token_id=token_id,
        digest=_digest(secret),
        scopes=frozenset(scopes),
        job_prefix=job_prefix,
        name=name,
        created_at=made,
        expires_at=None if valid is None else made + valid,
    )
    return f"{MARK}{token_id}_{secret}", token


class Gate:
    """Lets callers in. Without a token store everybody may do everything."""

    def __init__(
        self,
        tokens: TokenStore | None,
        web_tokens: WebTokens | None = None,
        *,
        rate: Rate | None = None,
        on_refusal: Callable[[], None] = lambda: None,
        clock: Callable[[], datetime] = now,
    ) -> None:
        """Ask `tokens` and `web_tokens`. Whenever there is no valid token, `on_refusal` is told."""
        self._tokens = tokens
        self._web_tokens = web_tokens
        self._rate = rate
        self._on_refusal = on_refusal
        self._clock = clock
        self._refusals = Refusals()
        self._known: OrderedDict[bytes, tuple[datetime, Grant | None]] = OrderedDict()

    async def admit(self, authorization: str | None) -> Grant:
        """Find what the value of an Authorization header grants.

        Raises:
            Unauthenticated: if there is no valid token in it.
            TooMany: if that token asks too often.
            Unavailable: if that cannot be found out now.
        """
        if self._tokens is None:
            return EVERYTHING
        try:
            grant = await self._valid(authorization)
        except Unauthenticated:
            self._on_refusal()
            raise
        self.charge(grant)
        act_for(grant)
        return grant

    def charge(self, grant: Grant) -> None:
        """Count a request of a token; raises `TooMany`. Web tokens that grant the same until the same time are one."""
        if self._tokens is not None and self._rate is not None:
            self._rate.charge(grant.token_id or grant)

    async def ended(self, grants: Iterable[Grant]) -> set[Grant]:
        """Find those that are over: revoked, or expired."""
        grants, at = set(grants), self._clock()
        over = {grant for grant in grants if grant.expires_at is not None and grant.expires_at <= at}
        token_ids = {grant.token_id for grant in grants - over if grant.token_id is not None}
        if self._tokens is None or not token_ids:
            return over
        valid = {token.token_id for token in await self._tokens.get(sorted(token_ids)) if token.is_valid(at)}
        over |= {grant for grant in grants if grant.token_id in token_ids - valid}
        self._known = OrderedDict((key, known) for key, known in self._known.items() if known[1] not in over)
        return over

    async def _valid(self, authorization: str | None) -> Grant:
        token = _bearer(authorization)
        if not _may_be_token(token):
            self._refusals.say("it is longer than a token, or has signs that no token has")
            raise Unauthenticated(INVALID)
        grant = await self._grant(token)
        if grant is None or (grant.expires_at is not None and grant.expires_at <= self._clock()):
            raise Unauthenticated(INVALID)
        return grant

    async def _grant(self, token: str) -> Grant | None:
        key, at = hashlib.sha256(token.encode()).digest(), self._clock()
        until, grant = self._known.get(key, (at, None))
        if until > at:
            return grant
        grant = await self._find(token, at)
        self._known[key] = at + timedelta(seconds=KNOWN_S), grant
        self._known.move_to_end(key)
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
        return grant

    async def _find(self, token: str, at: datetime) -> Grant | None:
        if token.startswith(MARK):
            return await self._stored(token.removeprefix(MARK), at)
        if self._web_tokens is None:
            self._refusals.say(f"it does not begin with {MARK}, and no web tokens are set up")
            return None
        return await self._web_tokens.grant(token)

    async def _stored(self, text: str, at: datetime) -> Grant | None:
        assert self._tokens is not None
        token_id, _, secret = text.partition("_")
        found = next(iter(await self._tokens.get([token_id])), None)
        proves = hmac.compare_digest(_digest(secret), bytes(32) if found is None else found.digest)
        if found is None:
            self._refusals.say("its id is unknown to this database")
        elif not proves:
            self._refusals.say("its secret is not that of its id", found.token_id)
        elif found.revoked_at is not None:
            self._refusals.say("it was revoked", f"{found.token_id} at {found.revoked_at:%Y-%m-%d %H:%M:%S}")
        elif not found.is_valid(at):
            self._refusals.say("it has expired", f"{found.token_id} at {found.expires_at:%Y-%m-%d %H:%M:%S}")
        else:
            return found.grant
        return None


def _bearer(authorization: str | None) -> str:
    scheme, _, token = (authorization or "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("this needs a token: send the header `Authorization: Bearer TOKEN`")
    return token


def _may_be_token(text: str) -> bool:
    return len(text) <= LONGEST and text.isascii() and text.isprintable()


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
