"""Values behind a name that says they are secret: password=..., "token": "...", Authorization: Bearer ...

It finds where such a value begins and ends, and tells it from what only looks like one: prose, placeholders, code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from jobtail.masking.secret_names import (
    LONGEST_NAME,
    MORE,
    SHORT_NUMBER,
    WEAK_KINDS,
    is_counted,
    is_harmless_name,
    is_path,
    is_weak,
    looks_random,
)

Span = tuple[int, int]


class Value(NamedTuple):
    """Where a value stands. One that is no secret was read all the same, and is not read again."""

    start: int
    end: int
    is_secret: bool


_COUNT = r"""(?!["']?[ \t]{0,8}[:=][ \t]{0,8}\d{1,5}(?![\w.+/=-]))"""
"""A small number behind a token or a key; these are so many in some texts that they are passed over at once."""
_SEPARATED = r"""(?P<separator>\\{0,7}["'`]?\]?[ \t]{0,8}(?:=>|:=|===?|=|:(?!:))[ \t]{0,8})"""
_SIMPLE = r"""(?:"(?P<quoted>[^"\\\n]++)"|(?!(?:bearer|basic|token|apikey|negotiate|ntlm|bot|jwt)[ \t])(?P<bare>[a-z0-9_.+-]++)(?=[\s}\])]|,["\s]|\Z))?+"""
"""Most values: between double quotes or of few characters. Others are read step by step."""
_KEY = rf"[_\-. ]?key{_COUNT}"
_NAME = "|".join(
    (
        # By their first letters, and what is before them is looked at last: so most places are passed over at once.
        rf"p(?:ass(?:(?:word|wd|phrase|code)s?|(?:(?<![a-z]pass)|(?<=dbpass))(?![a-z]))|wd|w(?<![a-z0-9]pw)(?![a-z])|rivate{_KEY})",
        (
            rf"s(?:ecret(?:s|{_KEY})?|(?:hared|torage|igning){_KEY}|ig(?:(?<![a-z0-9_]sig)(?==)"
            r"|nature(?:(?<=x-amz-signature)|(?<=x-goog-signature)))"
            r"|haredaccesssignature)"
        ),
        rf"token{_COUNT}",
        rf"c(?:redentials?{_COUNT}|lient{_KEY})",
        rf"a(?:uth(?:(?<![a-z]auth)(?![a-z_-])|{_KEY})|(?:pi|ccess|ccount){_KEY})",
        rf"encryption{_KEY}",
        rf"master{_KEY}",
    )
)
_NAMED = re.compile(rf"(?P<name>{_NAME})(?P<more>{MORE}){_SEPARATED}{_SIMPLE}")
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
    r"(?:\$\d{1,3}|\$?\{\{[^{}]*\}\}|\$\{[^{}]*\}|\$\([\w .-]*\)?|%s|%\(\w+\)s|<[A-Z][A-Z0-9_ -]*>|\?"
    r"|[\[<(](?:filtered|redacted|masked|hidden|secret|removed|censored|scrubbed|sensitive|your[\w -]*|REDACTED|FILTERED|MASKED|HIDDEN)[\])>]?"
    r"|[*•.…]+)[).,;:!?]*+"
)
_TEMPLATE = re.compile(r"\$?\{\{[^{}\n]{0,200}\}\}|\$\{[^{}\n]{0,200}\}")
_CODE = re.compile(
    r"(?:os|self|cls|config|settings|args|kwargs|request|environ|process|getenv|getpass|Optional|Union|Field|SecretStr)[.\[(]"
)
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


def named_values(text: str, lower: str) -> Iterator[Span]:
    """Find the values behind names. `lower` is the text in small letters."""
    place = 0
    while (found := _NAMED.search(lower, place)) is not None:
        place = found.end()
        name, more, separator, quoted, bare = found.groups()
        if quoted is not None:
            start, end = found.span("quoted")
            is_plain = not more and name not in _DOUBTED and quoted[0] not in _PLACEHOLDER_STARTS
            if is_plain and (end - start > SHORT_NUMBER or not quoted.isdecimal()):
                yield start, end
                continue
            value = Value(start, end, is_secret=True)
        elif bare is not None:
            value = Value(*found.span("bare"), is_secret=True)
        else:
            value = _value(text, place, is_in_json=separator[0] in "\\\"'`")
            place = max(place, value.end)
        if value.is_secret and value.start < value.end and not _is_harmless(text, lower, value, found):
            yield value.start, value.end


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


def _value(text: str, start: int, *, is_in_json: bool) -> Value:
    quote = _QUOTE.match(text, start)
    if quote is not None:
        end = _end_of_quoted(text, quote.end(), quote[1])
        scheme = _SCHEME.match(text, quote.end(), end)
        begin = scheme.end() if scheme else quote.end()
        return Value(begin, end, is_secret=bool(text[begin:end].strip("*")))
    if is_in_json and text[start : start + 1] in {"{", "["}:
        return Value(start, start, is_secret=False)
    if template := _TEMPLATE.match(text, start):
        return Value(start, template.end(), is_secret=False)
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


def _is_harmless(text: str, lower: str, value: Value, found: re.Match[str]) -> bool:
    start, end = value.start, value.end
    name, more = found["name"], found["more"]
    first = found.start()
    before = lower[max(first - LONGEST_NAME, 0) : first]
    if is_harmless_name(name, more, before):
        return True
    said = text[start:end]
    is_quoted = text[start - 1] in "\"'`"
    if name in _SHORT_NAMES:
        return _is_harmless_under(name, said, found, text, is_quoted=is_quoted)
    if is_weak(name) and not looks_random(said):
        return True
    if end - start > LONGEST_NAME * 2:
        return False
    return _is_harmless_value(said, name + more, before, found["separator"], is_quoted=is_quoted)


_SHORT_NAMES = frozenset({"pass", "pw", "auth", "sig", "signature", "sharedaccesssignature"})


_DOUBTED = (
    _SHORT_NAMES
    | {"token"}
    | {f"{kind}{between}key" for kind in WEAK_KINDS.split("|") for between in ("", "_", "-", ".", " ")}
)
"""Names whose values are looked at more closely."""


def _is_harmless_under(name: str, said: str, found: re.Match[str], text: str, *, is_quoted: bool) -> bool:
    """Judge what stands under a name that is a usual word, too."""
    if name not in {"pass", "pw"}:
        return not looks_random(said)
    first, separator = found.start(), found["separator"]
    is_compound = text[first - 1 : first] in {"_", "-", "b", "B"}
    is_assigned = "=" in separator or separator[0] in "\\\"'`"
    if not is_compound and not is_assigned:
        return True  # `PASS: test_login`
    if said.isdecimal() and len(said) <= SHORT_NUMBER:
        return not is_quoted
    return _is_harmless_value(said, name, "", separator, is_quoted=is_quoted)


def _is_harmless_value(said: str, name: str, before: str, separator: str, *, is_quoted: bool) -> bool:
    if said[0] in _PLACEHOLDER_STARTS and (
        _PLACEHOLDER.fullmatch(said) or said.strip("*") == "" or _names_itself(said, name)
    ):
        return True
    if said.isdecimal() and len(said) <= SHORT_NUMBER:
        return is_counted(name)
    return not is_quoted and _is_code_or_prose(said, name, before, separator)


def _is_code_or_prose(said: str, name: str, before: str, separator: str) -> bool:
    if said in _BLOCKS or ("key" in name and _KEY_FILE.fullmatch(said)) or (name.endswith("pwd") and is_path(said)):
        return True
    if "==" in separator and _IDENTIFIER.fullmatch(said):
        return True  # a comparison
    return _is_prose(said) or _CODE.match(said) is not None or _repeats(said, before + name)


def _names_itself(said: str, name: str) -> bool:
    """Tell `{token}` and `:password`, which stand for the value."""
    return said.strip("{}<>[]:$%(). ,;").lower().rpartition(".")[2].rpartition("_")[2] in {name, "redacted", "hidden"}


_PLACEHOLDER_STARTS = frozenset("$%{<[?:*•.…")
_BLOCKS = frozenset({"|", ">", "|-", ">-", "|+", ">+"})
"""The value is a block of lines, in YAML."""
_KEY_FILE = re.compile(r"[~.]{0,2}(?:/[a-z0-9_.-]{1,40}){1,12}")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z_.]*[:)]*")


def _is_prose(said: str) -> bool:
    return said.rstrip(".,;:!?)]}|").lower() in _PROSE


def _repeats(said: str, named: str) -> bool:
    """Tell `password=password` and `token=excluded.token`, which are code."""
    if said == "password" and named.endswith("passwd"):  # how passwd itself speaks
        return True
    said = said.rstrip(".,;:)").lower()
    if said[-3:] != named[-3:]:
        return False
    name = _LAST_NAME.search(named)
    return name is not None and _FIRST_WORDS.sub("", said) == name[0]


_LAST_NAME = re.compile(r"\w+\Z")
_FIRST_WORDS = re.compile(r"\A(?:[A-Za-z_]\w{0,40}\.){1,4}")
