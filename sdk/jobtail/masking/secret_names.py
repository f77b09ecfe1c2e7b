"""The names under which secrets are kept, as they are written in programs, settings and headers."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

LONGEST_NAME = 64
SHORT_NUMBER = 5
"""Digits of a count: `token=512` is one, `password=512` is not."""

KINDS = "api|access|secret|private|encryption|master|shared|auth|account|storage|signing|client"
"""Before `key`. A key of the last four is as often the name of one: its value has to look like a key."""
WEAK_KINDS = "account|storage|signing|client"
WORD = rf"(?:pass(?:word|wd|phrase|code)s?|pwd|secrets?|token|credentials?|(?:{KINDS})[_\-. ]?key)"
MORE = r"\d{0,2}(?:[_\-][a-z0-9]{1,20}){0,3}+(?![a-z0-9_])"
"""A name may begin with the telling word, too: `PASSWORD_DB`, `SECRET_KEY_BASE`."""

_HARMLESS_MORES = """
age alg algo algorithm at attempts audience auth available cache challenge chars check checks class column count counts
created desc description disabled enabled endpoint env error errors exists expired expires expiration expiry exp failed
failures field fields file files filename format found hint host id ids in index info issuer kind label last left len length
lifetime limit limits line loc location manager max method min minutes mode mount name names needed new_page ok on only
output page param params path paths policy prefix present protected provider ref reference refs remaining required reset
response rotated rotation rule rules scope scopes seconds server service set size source state stats status store strength
style sum text time timeout title total ttl type types until updated uri url usage used user username valid validation
validator validity var version volume
"""
_HARMLESS_MORE = frozenset(_HARMLESS_MORES.split())
_LOWER = WORD.replace("pwd", "pwd|(?<![a-z0-9])pw(?![a-z])|(?<![a-z])pass(?![a-z])")
_NAME = re.compile(rf"({_LOWER})({MORE})\Z")
_OTHER_NAMES = re.compile(
    rf"(?:authorization|cookies?|(?<![a-z])_?auth|(?:{KINDS})[_\-. ]?keys|x-amz-signature|x-goog-signature"
    r"|sharedaccesssignature|connection_?string|webhook[_-]?url|client[_-]key[_-]data)\Z"
)
_TOKENS_OF_OTHERS = """
page next prev previous continuation continue sync resume cancel cancellation cancelation pagination cursor delta start
marker change watch list max min num total input output prompt completion per stop special expected unexpected current
unknown invalid
"""
_PAGES = tuple(_TOKENS_OF_OTHERS.split())
"""Before `token`, which is then one of a page, a parser or a language model."""
_WEAK = re.compile(rf"(?:{WEAK_KINDS})[_\-. ]?key")
_COUNTED = re.compile(r"(?:token|key|pass|credentials?|secrets)\d{0,2}\Z")
_PATH = re.compile(r"[~.]{0,2}/|[A-Za-z]:\\")
_RANDOM = re.compile(
    r"(?=[^\s]*\d)(?=[^\s]*[A-Za-z])(?:[A-Za-z0-9+/_.%-]{20,}={0,2}|[A-Za-z0-9+/_-]{6,}={1,2}|(?=\S*[A-Z])[A-Za-z0-9]{12,})\Z"
)


def is_harmless_name(name: str, more: str, before: str) -> bool:
    """Tell names of what only has to do with a secret: `token_type`, `next_page_token`.

    Args:
        name: the telling word, in lower case.
        more: the rest of the name behind it.
        before: what is before it.
    """
    if more and more.rstrip("0123456789").rpartition("_")[2].rpartition("-")[2] in _HARMLESS_MORE:
        return True
    return name == "token" and before.rstrip("_-. ").endswith(_PAGES)


def is_weak(name: str) -> bool:
    """Tell whether a name is that of a secret only where its value looks like one."""
    return _WEAK.search(name) is not None


def looks_random(value: str) -> bool:
    return _RANDOM.match(value) is not None and not ("/" in value and "." in value)


def is_counted(name: str) -> bool:
    """Tell whether a small number under a name is a count, or yes and no."""
    return _COUNTED.search(name) is not None


def is_path(value: str) -> bool:
    return _PATH.match(value) is not None


@lru_cache(maxsize=4096)
def names_a_secret(name: str) -> bool:
    """Tell whether what stands under a name is secret."""
    lower = name[-LONGEST_NAME:].lower().replace("\u0130", "i")
    found = _NAME.search(lower)
    if found is None:
        return _OTHER_NAMES.search(lower) is not None
    before, word = lower[: found.start()], found[1]
    more = found[2]
    if more.strip("0123456789") and before[-1:].isalnum():
        return False  # `mytoken_x`: it neither begins nor ends with the word
    return not is_harmless_name(word, more, before)


def is_secret_under(name: str, value: Any) -> bool:
    """Tell whether a value under the name of a secret is one: not if it only says whether there is one, or how many."""
    if value is None or isinstance(value, bool) or value in ("", "***"):
        return False
    lower = name.lower()
    if isinstance(value, int | float):
        return not is_counted(lower) or len(str(value)) > SHORT_NUMBER
    if isinstance(value, str):
        if is_weak(lower) or lower.endswith("auth"):
            return looks_random(value)
        return not ((lower.endswith(("pwd", "pass")) or "key" in lower) and is_path(value))
    return not is_weak(lower)
