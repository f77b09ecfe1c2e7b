"""Secrets that show themselves: by the name before them, by their prefix, by their place in an address.

Every search begins at a trigger, a few characters in lower case that are cheap to look for, and is linear: what was
read without bound is not read again.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from jobtail.masking.issuer_tokens import RUN, tokens
from jobtail.masking.named_values import Value, authorization_at, cookie_at, named_values
from jobtail.masking.pem import key_bodies
from jobtail.masking.secret_names import looks_random
from jobtail.masking.written_forms import written_forms

Span = tuple[int, int]
Finder: TypeAlias = Callable[[str, str, int], Value | None]
"""Looks at a text (also given in lower case) from a trigger on."""

DECODED = 400
"""How much of a Basic header is decoded to see whether it is one."""
SHORTEST_USER = 16
"""A user's name before the @ of an address is no token if it is shorter."""
FAR_AT = 256
"""How far the @ of an address may be where a password with a slash comes before it."""


NOTHING: Iterable[Iterator[Span]] = ()


def find_secrets(text: str) -> Iterable[Iterator[Span]]:
    """Give each way to look for the places of secrets, in the order of the text; places of two ways may overlap.

    `NOTHING` where there is no sign of any.
    """
    lower = text.lower()
    # Written out because most lines have none of these, and this is what they cost.
    is_named = (
        "pass" in lower
        or "pw" in lower
        or "secret" in lower
        or "token" in lower
        or "key" in lower
        or "cred" in lower
        or "auth" in lower
        or "cookie" in lower
        or "bearer" in lower
        or "basic" in lower
        or "://" in lower
        or "&" in lower
        or "identified" in lower
    )
    if is_named:
        return _ways(text, lower)
    if (
        "IA" in text
        or "AIza" in text
        or "SK" in text
        or "dapi" in text
        or ":AA" in text
        or _has_run(text) is not None
        or ("_" in text and "whsec_" in text)
    ):
        return tokens(text)
    return NOTHING


def _ways(text: str, lower: str) -> Iterator[Iterator[Span]]:
    if len(lower) != len(text):
        lower = text.replace("\u0130", "i").lower()  # the one letter that becomes two
    yield named_values(text, lower)
    if any(word in lower for word in _WRITTEN):
        yield from written_forms(text, lower)
    for trigger, finder in _FINDERS:
        if trigger in lower:
            yield _found(text, lower, trigger, finder)
    if "private key" in lower:
        yield key_bodies(text)
    yield from tokens(text)


def _found(text: str, lower: str, trigger: str, finder: Finder) -> Iterator[Span]:
    place = lower.find(trigger)
    while place >= 0:
        value = finder(text, lower, place)
        read = place + len(trigger)
        if value is not None:
            read = max(read, value.end)
            if value.is_secret and value.start < value.end:
                yield value.start, value.end
        place = lower.find(trigger, read)


def _bearer_at(text: str, _lower: str, place: int) -> Value | None:
    found = _BEARER.match(text, place)
    if found is None:
        return None
    start, end = found.span(1)
    is_word = end - start < _LONG_WORD and text[start:end].isalpha()
    return Value(start, end, is_secret=not is_word)


def _basic_at(text: str, _lower: str, place: int) -> Value | None:
    found = _BASIC.match(text, place)
    if found is None:
        return None
    start, end = found.span(1)
    head = text[start : min(end, start + DECODED)]
    try:
        decoded = base64.b64decode(head[: len(head) // 4 * 4])
    except binascii.Error:
        decoded = b""
    return Value(start, end, is_secret=b":" in decoded)


def _secret_of_address_at(text: str, _lower: str, place: int) -> Value | None:
    webhook = _WEBHOOK.match(text, place)
    if webhook is not None:
        return Value(*webhook.span(1), is_secret=True)
    found = _AUTHORITY.match(text, place)
    if found is None:
        return None
    start, end = found.span(1)
    colon, at = text.find(":", start, end), text.rfind("@", start, end)
    if colon >= 0 and at < 0 and not _PORT.match(text, colon + 1):
        # A password with a slash, which was not quoted.
        at = text.rfind("@", start, _NO_SPACE.match(text, end, end + FAR_AT).end())  # type: ignore[union-attr] # matches nothing too
    if 0 <= colon < at:
        return Value(colon + 1, at, is_secret=bool(text[colon + 1 : at].strip("*")))
    if at >= start + SHORTEST_USER and looks_random(text[start:at]):
        return Value(start, at, is_secret=True)
    return Value(end, end, is_secret=False)


_has_run = RUN.search
_LONG_WORD = 24
_BEARER = re.compile(r"bearer[ \t]{1,8}([A-Za-z0-9._~+/-]{8,}+=*+)", re.IGNORECASE)
_BASIC = re.compile(r"basic[ \t]{1,8}([A-Za-z0-9+/_-]{6,}+={0,2})", re.IGNORECASE)
_AUTHORITY = re.compile(r"""://([^\s/?#"'<>\\]++)""")
_PORT = re.compile(r"\d{0,5}(?![^\s/?#\"'<>\\,;.)\]}])")
_NO_SPACE = re.compile(r"""[^\s"'<>]*+""")
_WEBHOOK = re.compile(
    r"://(?:hooks\.slack\.com/(?:services|workflows|triggers)/|(?:ptb\.|canary\.)?discord(?:app)?\.com/api(?:/v\d+)?/webhooks/\d+/"
    r"|api\.telegram\.org/(?:file/)?bot|[a-z0-9.-]{1,80}\.webhook\.office\.com/webhookb2/)([A-Za-z0-9_@:/-]{8,}+)"
)

_FINDERS: tuple[tuple[str, Finder], ...] = (
    ("authorization", authorization_at),
    ("cookie", cookie_at),
    ("bearer", _bearer_at),
    ("basic", _basic_at),
    ("://", _secret_of_address_at),
)
_WRITTEN = ("pass", "secret", "token", "key", "cred", "auth", "identified", "cookie", "curl", "--user")
