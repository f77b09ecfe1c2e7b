"""The forms in which a registered value may turn up in a text: escaped, quoted for an address, or as base64."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

SHORTEST = 4
"""What is shorter turns up by chance in any text."""
SHORTEST_LINE = 8
"""A line of a value of several lines is a secret of its own from here on."""

_HEX = re.compile(r"%[0-9A-F]{2}")
_UNRESERVED_BY_BROWSERS = "!*'()~"
_SKIPPED = (0, 2, 3)
"""How many characters of base64 depend on the 0, 1 or 2 bytes that come before the value in its group of three."""


@dataclass(frozen=True, slots=True, repr=False)
class EncodedForm:
    """A text to be looked for. In base64 the characters at its ends may hold bits of the secret and of its neighbours."""

    text: str
    has_shared_start: bool = False
    has_shared_end: bool = False


def disguises(value: str | bytes) -> set[EncodedForm]:
    """List the forms of a value and of each of its longer lines, the value itself among them."""
    found: set[EncodedForm] = set()
    for part in _parts(value):
        text = part if isinstance(part, str) else part.decode("utf-8", "backslashreplace")
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        found.update(
            EncodedForm(form) for form in {text, *_escaped(text, data), *_quoted(data)} if len(form) >= SHORTEST
        )
        found.update(_base64(data))
    return found


def _parts(value: str | bytes) -> Iterator[str | bytes]:
    """Give the value, without the white space around it too, and its lines."""
    yield value
    stripped = value.strip()
    if len(stripped) >= SHORTEST:
        yield stripped
    lines = value.splitlines()
    if len(lines) > 1:
        yield from (line.strip() for line in lines if len(line.strip()) >= SHORTEST_LINE)


def _escaped(text: str, data: bytes) -> Iterator[str]:
    for is_ascii in (True, False):
        as_json = json.dumps(text, ensure_ascii=is_ascii)[1:-1]
        yield as_json
        yield as_json.replace("/", "\\/")
    for shown in (repr, ascii):
        yield shown(text)[1:-1]
        # Between texts that hold both kinds of quotes Python escapes the single ones.
        yield shown("'\"" + text)[len("'\\'\"") : -1]
    yield repr(data)[2:-1]
    yield repr(b"'\"" + data)[len("b'\\'\"") : -1]


def _quoted(data: bytes) -> Iterator[str]:
    for form in (
        quote(data, safe=""),
        quote(data),
        quote(data, safe=_UNRESERVED_BY_BROWSERS),
        quote_plus(data),
        quote_plus(data, safe="/"),
    ):
        yield form
        yield _HEX.sub(lambda found: found[0].lower(), form)


def _base64(data: bytes) -> Iterator[EncodedForm]:
    for before, skipped in enumerate(_SKIPPED):
        bits = (before + len(data)) * 8
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(bytes(before) + data).decode()[skipped : bits // 6]
            if len(text) >= SHORTEST:
                yield EncodedForm(text, has_shared_start=before > 0, has_shared_end=bits % 6 > 0)
