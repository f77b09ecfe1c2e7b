"""JSON Web Tokens: proved by a secret, by a public key, and by the keys that a provider publishes."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from domain.access import Scope
from domain.errors import InvalidInput, Unavailable
from graph.access.web_tokens import REFETCH_S, WebTokens
from tests.client import PATIENCE_S
from tests.conftest import serving

SECRET = "a-shared-secret-of-at-least-32-bytes!"


@pytest.fixture(scope="module")
def key() -> RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_pem(key: RSAPrivateKey) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def claims(**more: Any) -> dict[str, Any]:
    return {"sub": "zoe", "scope": "openid jobtail:read", "exp": int(time.time()) + 60, **more}


def signed(key: Any, algorithm: str = "RS256", kid: str | None = None, **more: Any) -> str:
    return jwt.encode(claims(**more), key, algorithm, headers={} if kid is None else {"kid": kid})


class Provider:
    """Publishes keys on the loopback."""

    def __init__(self) -> None:
        self.keys: dict[str, RSAPrivateKey] = {}
        self.fetches = 0
        self.is_away = False
        self.url = ""


@contextmanager
def provider() -> Iterator[Provider]:
    serving = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            serving.fetches += 1
            keys = [
                {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())), "kid": kid, "alg": "RS256"}
                for kid, key in serving.keys.items()
            ]
            self.send_response(503 if serving.is_away else 200)
            self.end_headers()
            self.wfile.write(json.dumps({"keys": keys}).encode())

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving.url = f"http://127.0.0.1:{server.server_port}/keys"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield serving
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def by_secret(**more: Any) -> WebTokens:
    return WebTokens(algorithms=["HS256"], key=SECRET, **more)


async def test_the_claims_say_what_is_granted() -> None:
    tokens = by_secret(issuer="https://id.example.com", audience="jobtail")
    said = claims(
        iss="https://id.example.com",
        aud=["jobtail"],
        scope=["jobtail:capture", "jobtail:read"],
        jobtail_job_prefix="JB_",
    )
    grant = await tokens.grant(jwt.encode(said, SECRET, "HS256"))
    assert grant is not None
    assert (grant.scopes, grant.job_prefix) == (frozenset([Scope.CAPTURE, Scope.READ]), "JB_")
    assert grant.expires_at is not None
    assert abs(grant.expires_at.timestamp() - said["exp"]) <= 60


@pytest.mark.parametrize(
    "wrong",
    [
        {"exp": int(time.time()) - 3600},
        {"nbf": int(time.time()) + 3600},
        {"iss": "https://evil.example.com"},
        {"aud": "another"},
        {"scope": "openid"},
        {"scope": "read"},
        {"scope": None},
        {"scope": {"jobtail:read": True}},
        {"jobtail_job_prefix": ""},
        {"jobtail_job_prefix": ["JB_"]},
    ],
    ids=lambda wrong: "-".join(wrong) + str(len(str(wrong))) if isinstance(wrong, dict) else None,
)
async def test_a_claim_that_is_wrong_grants_nothing(wrong: dict[str, Any]) -> None:
    tokens = by_secret(issuer="https://id.example.com", audience="jobtail")
    right = {"iss": "https://id.example.com", "aud": "jobtail"}
    assert await tokens.grant(jwt.encode(claims(**right), SECRET, "HS256")) is not None
    assert await tokens.grant(jwt.encode(claims(**{**right, **wrong}), SECRET, "HS256")) is None


@pytest.mark.parametrize("end", [10**12, 10**18, 10**400])
async def test_an_end_beyond_the_calendar_is_its_last_day(end: int) -> None:
    grant = await by_secret().grant(jwt.encode(claims(exp=end), SECRET, "HS256"))
    assert grant is not None
    assert grant.expires_at is not None
    assert grant.expires_at.year == 9999


@pytest.mark.parametrize("end", [float("inf"), float("nan"), "never", [], {}])
async def test_an_end_that_is_no_time_grants_nothing(end: Any) -> None:
    assert await by_secret().grant(jwt.encode(claims(exp=end), SECRET, "HS256")) is None


async def test_a_token_without_an_end_grants_nothing() -> None:
    said = claims()
    del said["exp"]
    assert await by_secret().grant(jwt.encode(said, SECRET, "HS256")) is None


async def test_no_other_algorithm_proves_anything(key: RSAPrivateKey) -> None:
    pem = public_pem(key)
    tokens = WebTokens(algorithms=["RS256"], key=pem)
    assert await tokens.grant(signed(key)) is not None
    assert await tokens.grant(jwt.encode(claims(), "", "none")) is None
    assert await tokens.grant(signed(key, "RS512")) is None
    forged = jwt.encode(claims(), SECRET, "HS256").split(".")
    import base64
    import hashlib
    import hmac

    signature = hmac.new(pem.encode(), f"{forged[0]}.{forged[1]}".encode(), hashlib.sha256).digest()
    forged[2] = base64.urlsafe_b64encode(signature).decode().rstrip("=")
    assert await tokens.grant(".".join(forged)) is None


@pytest.mark.parametrize(
    ("algorithms", "key"),
    [
        (["none"], None),
        (["HS256"], None),
        (["RS256"], SECRET),
        (["HS256", "RS256"], SECRET),
        ([], SECRET),
        (["X"], None),
    ],
)
def test_settings_that_would_let_anybody_in_are_refused(algorithms: list[str], key: str | None) -> None:
    with pytest.raises(InvalidInput, match="JOBTAIL_JWT_ALGORITHMS"):
        WebTokens(algorithms=algorithms, key=key, jwks_url=None if key else "http://127.0.0.1/keys")


async def test_a_new_key_is_fetched_and_a_forged_one_not_again_and_again(
    key: RSAPrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    with provider() as published:
        published.keys["old"] = key
        tokens = WebTokens(algorithms=["RS256"], jwks_url=published.url)
        assert await tokens.grant(signed(key, kid="old")) is not None
        for number in range(20):
            assert await tokens.grant(signed(key, kid=f"forged {number}")) is None
        assert published.fetches == 1
        published.keys["new"] = key
        now = time.monotonic()
        monkeypatch.setattr("graph.access.web_tokens.time.monotonic", lambda: now + REFETCH_S + 1)
        assert await tokens.grant(signed(key, kid="new")) is not None
        assert published.fetches == 2


async def test_a_provider_that_is_away_is_no_reason_to_turn_people_out(key: RSAPrivateKey) -> None:
    with provider() as published:
        published.keys["one"], published.is_away = key, True
        tokens = WebTokens(algorithms=["RS256"], jwks_url=published.url)
        with pytest.raises(Unavailable):
            await tokens.grant(signed(key, kid="one"))
        published.is_away = False
        assert await tokens.grant(signed(key, kid="one")) is not None


def test_a_service_takes_the_tokens_of_a_provider(key: RSAPrivateKey, database_url: str) -> None:
    with provider() as published:
        published.keys["one"] = key
        settings = {
            "JOBTAIL_ACCESS": "tokens",
            "JOBTAIL_JWT_JWKS_URL": published.url,
            "JOBTAIL_JWT_AUDIENCE": "jobtail",
        }
        with serving(database_url, **settings) as service:

            def ask(query: str, **said: Any) -> httpx.Response:
                headers = {"Authorization": f"Bearer {signed(key, kid='one', **said)}"}
                return httpx.post(service.graphql_url, json={"query": query}, headers=headers, timeout=PATIENCE_S)

            assert ask("{ jobs { totalCount } }", aud="jobtail").json() == {"data": {"jobs": {"totalCount": 0}}}
            assert ask("{ jobs { totalCount } }", aud="other").status_code == 401
            start = 'mutation { startJob(input: {jobId: "a", handlerName: "h"}) { jobId } }'
            assert ask(start, aud="jobtail").json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"
