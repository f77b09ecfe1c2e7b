"""Values behind a name that says they are secret: password=..., "token": "...", Authorization: Bearer ...

It finds where such a value begins and ends, and tells it from what only looks like one: prose, placeholders, code.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, NamedTuple


class Value(NamedTuple):
    """Where a value stands. One that is no secret was read all the same, and is not read again."""

    start: int
    end: int
    is_secret: bool


LONGEST_NAME = 64
SHORT_NUMBER = 5
"""Digits of a count: `token=512` is one, `password=512` is not."""

_KEYS = r"(?:api|access|secret|private|account|encryption|signing|master|shared|storage|auth)[_\-. ]?"
_WORDS = rf"pass(?:word|wd|phrase|code)|[_-]pass|pwd|secret|token|credentials?|{_KEYS}key"
_NAME = re.compile(
    r"(?:pass(?:word|wd|phrase|code)|(?<=[_-])pass|pwd|secret|token|credentials?|key)\d{0,2}(?![A-Za-z0-9_])",
    re.IGNORECASE,
)
_KIND_OF_KEY = re.compile(rf"{_KEYS}\Z", re.IGNORECASE)
_SECRET_NAME = re.compile(
    rf"(?:{_WORDS}|passwords|passwds|secrets|{_KEYS}keys|authorization|cookies?)\d{{0,2}}\Z", re.IGNORECASE
)
_COUNTED = re.compile(r"(?:token|key)\d{0,2}\Z", re.IGNORECASE)

_SEPARATOR = re.compile(r"""\\{0,7}["'`]?\]?[ \t]{0,8}(?:=>|:=|==?|:(?!:))[ \t]{0,8}""")
_QUOTE = re.compile(r"""[bBrRuUfF]{0,2}(\\*+["'`])""")
_SCHEME = re.compile(r"(?:bearer|basic|token|apikey|negotiate|ntlm|bot|jwt)[ \t]{1,8}(?=[^\s=:])", re.IGNORECASE)
_LONG_SCHEME = re.compile(r"(?:digest|hmac|oauth|aws4-hmac-sha256|signature)[ \t]{1,8}", re.IGNORECASE)
_BARE = re.compile(
    r"""(?:[^\s,;&"'`<\\]|[,;&](?![\s,;&]|\Z|[\w.\-]{1,64}+["']?[=:])|["'`](?=\w)|<(?!/)|\\(?!["'`]))++"""
)
_REST_OF_LINE = re.compile(r"[^\r\n]*+")
_BODY_OF_LINE = re.compile(r"""[^\r\n"'`]++""")
_CLOSING = ((")", "("), ("]", "["), ("}", "{"))

_PLACEHOLDER = re.compile(
    r"(?:\$\d{1,3}|\$[A-Z_][A-Z0-9_]*|\$?\{\{?[\w .:-]*\}?\}|%s|%\(\w+\)s|<[\w .-]*>|\[[A-Za-z ]*\]?|\?|:[a-z_]+"
    r"|[*•.…]+|[xX]{3,})[).,;:!?]*+"
)
_CODE = re.compile(
    r"(?:os|self|cls|config|settings|args|kwargs|request|environ|process|getenv|getpass|Optional|Union|Field|SecretStr)[.\[(]"
)
_PATH = re.compile(r"[~.]{0,2}/|[A-Za-z]:\\")
_PROSE_WORDS = """
a again all already also an and any are as at be bool by bytes can can't cannot changed column could data denied did
disabled does each empty enabled error exceeded exists expected expired expires failed failure false float for found
from given got granted had has have if in incorrect int invalid is it its length malformed matches may mismatch
missing must n/a nil no none not null object ok omitted on only optional or our out provided redacted refreshed
rejected required reset revoked saved sent set should str string succeeded than that the their they this to too true
type undefined unexpected unknown unset updated use used user valid verified was we were when which while will with
would wrong you your
"""
_PROSE = frozenset(_PROSE_WORDS.split())


def named_value_at(text: str, lower: str, place: int) -> Value | None:
    """Find the value behind a name that holds the trigger at `place`."""
    name = _NAME.match(lower, place)
    if name is None or (name[0].startswith("key") and not _KIND_OF_KEY.search(lower, max(place - 12, 0), place)):
        return None
    separator = _SEPARATOR.match(text, name.end())
    if separator is None:
        return None
    is_quoted_name = separator[0][0] in "\\\"'`"
    value = _value(text, separator.end(), is_in_json=is_quoted_name)
    if value.is_secret and _is_harmless(text, value, lower[max(place - LONGEST_NAME, 0) : name.end()]):
        return value._replace(is_secret=False)
    return value


def authorization_at(text: str, _lower: str, place: int) -> Value | None:
    """Find what stands in an Authorization header, behind its scheme."""
    separator = _SEPARATOR.match(text, place + len("authorization"))
    if separator is None:
        return None
    start = separator.end()
    quote = _QUOTE.match(text, start)
    begin = quote.end() if quote else start
    if long := _LONG_SCHEME.match(text, begin):
        return Value(long.end(), _REST_OF_LINE.match(text, long.end()).end(), is_secret=True)  # type: ignore[union-attr] # matches nothing too
    value = _value(text, start, is_in_json=False)
    return value._replace(is_secret=value.is_secret and not _is_prose(text[value.start : value.end]))


def cookie_at(text: str, _lower: str, place: int) -> Value | None:
    """Find the cookies of a Cookie or Set-Cookie header."""
    separator = _SEPARATOR.match(text, place + len("cookie"))
    if separator is None:
        return None
    quote = _QUOTE.match(text, separator.end())
    body = _BODY_OF_LINE.match(text, quote.end() if quote else separator.end())
    return body and Value(*body.span(), is_secret="=" in body[0])


@lru_cache(maxsize=4096)
def names_a_secret(name: str) -> bool:
    """Tell whether what stands under a name is secret."""
    return _SECRET_NAME.search(name, max(len(name) - LONGEST_NAME, 0)) is not None


def is_secret_under(name: str, value: Any) -> bool:
    """Tell whether a value under the name of a secret is one: not if it only says whether there is one, or how many."""
    if value is None or isinstance(value, bool) or value in ("", "***"):
        return False
    if isinstance(value, int | float):
        return not _COUNTED.search(name) or len(str(value)) > SHORT_NUMBER
    return not (isinstance(value, str) and name[-3:].lower() == "pwd" and _PATH.match(value))


def _value(text: str, start: int, *, is_in_json: bool) -> Value:
    quote = _QUOTE.match(text, start)
    if quote is not None:
        end = _end_of_quoted(text, quote.end(), quote[1])
        scheme = _SCHEME.match(text, quote.end(), end)
        begin = scheme.end() if scheme else quote.end()
        return Value(begin, end, is_secret=bool(text[begin:end].strip("*")))
    if is_in_json and text[start : start + 1] in {"{", "["}:
        return Value(start, start, is_secret=False)
    scheme = _SCHEME.match(text, start)
    start = scheme.end() if scheme else start
    bare = _BARE.match(text, start)
    if bare is None:
        return Value(start, start, is_secret=False)
    return Value(start, _without_closing(text, start, bare.end()), is_secret=True)


def _end_of_quoted(text: str, start: int, quote: str) -> int:
    """Find the quote that ends a value. Inside of it quotes have more backslashes than the one that began it."""
    depth = len(quote) - 1
    pattern = _QUOTES[quote[-1]]
    for found in pattern.finditer(text, start):
        if found[0] == "\n":
            return found.start()
        count = len(found[0]) - 1
        if (count % 2 == 0) if depth == 0 else (count <= depth):
            return found.end() - 1 - min(count, depth)
    return len(text)


_QUOTES = {mark: re.compile(rf"\\*+{mark}|\n") for mark in "\"'`"}


def _without_closing(text: str, start: int, end: int) -> int:
    for closing, opening in _CLOSING:
        while end > start and text[end - 1] == closing and text.find(opening, start, end) < 0:
            end -= 1
    return end


def _is_harmless(text: str, value: Value, named: str) -> bool:
    if value.end - value.start > LONGEST_NAME * 2:
        return False
    said = text[value.start : value.end]
    if _PLACEHOLDER.fullmatch(said) or said.strip("*") == "":
        return True
    if said.isdecimal() and len(said) <= SHORT_NUMBER:
        return bool(_COUNTED.search(named))
    if text[value.start - 1] in "\"'`":
        return False
    if named.endswith("pwd") and _PATH.match(said):
        return True
    return _is_prose(said) or bool(_CODE.match(said)) or _repeats(said, named)


def _is_prose(said: str) -> bool:
    return said.rstrip(".,;:!?)]}|").lower() in _PROSE


def _repeats(said: str, named: str) -> bool:
    """Tell `password=password` and `token=excluded.token`, which are code."""
    name = _LAST_NAME.search(named)
    if name is None:
        return False
    if name[0] == "passwd" and said == "password":  # how passwd itself speaks
        return True
    return _FIRST_WORDS.sub("", said.rstrip(".,;:)").lower()) == name[0]


_LAST_NAME = re.compile(r"\w+\Z")
_FIRST_WORDS = re.compile(r"\A(?:[A-Za-z_]\w{0,40}\.){1,4}")
