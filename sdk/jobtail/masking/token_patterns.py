"""Secrets that show themselves: by the name before them, by their prefix, by their place in an address.

Every search begins at a trigger, a few characters in lower case that are cheap to look for, and is linear: what was
read without bound is not read again.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

from jobtail.masking.named_values import Value, authorization_at, cookie_at, named_value_at
from jobtail.masking.pem import key_bodies

Span = tuple[int, int]
Finder: TypeAlias = Callable[[str, str, int], Value | None]
"""Looks at a text (also given in lower case) from a trigger on."""

DECODED = 400
"""How much of a Basic header is decoded to see whether it is one."""
FAR_AT = 256
"""How far the @ of an address may be where a password with a slash comes before it."""


class _Shape(NamedTuple):
    """The look of a token. `behind` is how many of its characters come before the trigger."""

    pattern: re.Pattern[str]
    behind: int = 0

    def at(self, text: str, _lower: str, place: int) -> Value | None:
        found = self.pattern.match(text, max(place - self.behind, 0))
        return found and Value(*found.span(), is_secret=True)


def _shape(pattern: str, behind: int = 0) -> Finder:
    return _Shape(re.compile(pattern), behind).at


def find_secrets(text: str) -> list[Span]:
    """Give the places of all that looks like a secret, in no order; they may overlap."""
    lower = text.lower()
    if len(lower) != len(text):
        lower = text.replace("\u0130", "i").lower()  # the one letter that becomes two
    if not _may_hold_secret(lower):
        return []
    found = [span for trigger, finder in _FINDERS for span in _found(text, lower, trigger, finder)]
    return [*found, *key_bodies(text)] if "private key" in lower else found


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


def _password_of_address_at(text: str, _lower: str, place: int) -> Value | None:
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
    return Value(end, end, is_secret=False)


def _openai_at(text: str, _lower: str, place: int) -> Value | None:
    found = _OPENAI.match(text, place)
    return found and Value(*found.span(), is_secret=any(map(str.isdigit, found[0])))


def _jwt_at(text: str, _lower: str, place: int) -> Value | None:
    found = _JWT.match(text, place)
    return found and Value(*found.span(), is_secret=found[1] is not None)


_LONG_WORD = 24
_BEARER = re.compile(r"bearer[ \t]{1,8}([A-Za-z0-9._~+/-]{8,}+=*+)", re.IGNORECASE)
_BASIC = re.compile(r"basic[ \t]{1,8}([A-Za-z0-9+/_-]{6,}+={0,2})", re.IGNORECASE)
_AUTHORITY = re.compile(r"""://([^\s/?#"'<>\\]++)""")
_PORT = re.compile(r"\d{0,5}(?![^\s/?#\"'<>\\,;.)\]}])")
_NO_SPACE = re.compile(r"""[^\s"'<>]*+""")
_OPENAI = re.compile(r"(?<![A-Za-z0-9])sk-[A-Za-z0-9_-]{16,}+")
_JWT = re.compile(r"eyJ[A-Za-z0-9_-]{5,}+(\.[A-Za-z0-9_-]{2,}+\.[A-Za-z0-9_-]*+)?+")

_FINDERS: tuple[tuple[str, Finder], ...] = (
    ("pass", named_value_at),
    ("pwd", named_value_at),
    ("secret", named_value_at),
    ("token", named_value_at),
    ("key", named_value_at),
    ("credential", named_value_at),
    ("authorization", authorization_at),
    ("cookie", cookie_at),
    ("bearer", _bearer_at),
    ("basic", _basic_at),
    ("://", _password_of_address_at),
    ("eyj", _jwt_at),
    ("akia", _shape(r"(?<![A-Za-z0-9])AKIA[A-Z0-9]{16}(?![A-Za-z0-9])")),
    ("asia", _shape(r"(?<![A-Za-z0-9])ASIA[A-Z0-9]{16}(?![A-Za-z0-9])")),
    ("aiza", _shape(r"AIza[A-Za-z0-9_-]{30,}+")),
    ("ya29.", _shape(r"ya29\.[A-Za-z0-9._-]{16,}+")),
    ("gocspx-", _shape(r"GOCSPX-[A-Za-z0-9_-]{16,}+")),
    ("ghp_", _shape(r"ghp_[A-Za-z0-9]{20,}+")),
    ("gho_", _shape(r"gho_[A-Za-z0-9]{20,}+")),
    ("ghu_", _shape(r"ghu_[A-Za-z0-9]{20,}+")),
    ("ghs_", _shape(r"ghs_[A-Za-z0-9]{20,}+")),
    ("ghr_", _shape(r"ghr_[A-Za-z0-9]{20,}+")),
    ("_pat_", _shape(r"github_pat_[A-Za-z0-9_]{20,}+", behind=6)),
    ("glpat-", _shape(r"glpat-[A-Za-z0-9_.-]{16,}+")),
    ("xox", _shape(r"xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{8,}+")),
    ("xapp-", _shape(r"xapp-[A-Za-z0-9-]{16,}+")),
    ("k_live_", _shape(r"[prs]k_live_[A-Za-z0-9]{8,}+", behind=1)),
    ("k_test_", _shape(r"[prs]k_test_[A-Za-z0-9]{8,}+", behind=1)),
    ("whsec_", _shape(r"whsec_[A-Za-z0-9+/]{16,}+=*+")),
    ("sk-", _openai_at),
)


def _may_hold_secret(lower: str) -> bool:
    """Look for any trigger. Written out because most lines have none, and this is what they cost."""
    return (
        "pass" in lower
        or "pwd" in lower
        or "secret" in lower
        or "token" in lower
        or "key" in lower
        or "credential" in lower
        or "authorization" in lower
        or "cookie" in lower
        or "bearer" in lower
        or "basic" in lower
        or "://" in lower
        or "eyj" in lower
        or "akia" in lower
        or "asia" in lower
        or "aiza" in lower
        or "ya29." in lower
        or "xox" in lower
        or "glpat-" in lower
        or "sk-" in lower
        or "xapp-" in lower
        or "gocspx-" in lower
        or (
            "_" in lower
            and (
                "ghp_" in lower
                or "gho_" in lower
                or "ghu_" in lower
                or "ghs_" in lower
                or "ghr_" in lower
                or "_pat_" in lower
                or "k_live_" in lower
                or "k_test_" in lower
                or "whsec_" in lower
            )
        )
    )
