"""The prose of a page: its sentences without code, tables apart, and the words that the house style keeps out of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

LONGEST = 25

IDIOMS = {
    r"anew": "again, or rebuild",
    r"whoever": "the reader, the caller",
    r"unasked": "automatically",
    r"by (?:itself|themselves)": "automatically, alone",
    r"go(?:es)? on (?:behind|from)": "resume after",
    r"(?<!right )away": "unreachable, down",
    r"stands?": "exists, is",
    r"comes?": "arrives, follows, is",
    r"came": "arrived, was",
    r"given? up|gives up|giving up": "dropped, evicted, abandoned",
    r"rings at": "notifies",
    r"an? look|looked at": "a read, a query, a resync",
    r"nobody knows|heard of|hears?": "receives, known",
    r"lets? in": "admits, allows",
    r"brings .{1,40} to this version's form": "migrates",
}
"""Each idiom, with the words of the field for it."""

OPENINGS = re.compile(r"(?:What|Who|Whoever|Where|Whatever|Whose) (?![^.]*\?$)")


def sentences(page: str) -> Iterator[str]:
    """List the sentences of a page's paragraphs and list items, code and links reduced to one word each."""
    for text in _texts(page, r"^(?:#|\||>?\s*<|!\[)"):
        yield from (part for part in re.split(r"(?<=[.!?])\s+(?=[A-Z0-9`*\[(\"])", text) if part)


def idioms(page: str) -> list[str]:
    """Find the idioms of a page, tables and headings included, and the words to use instead."""
    return [
        f"{found[0]}: say {better}"
        for text in _texts(page, r"^!\[")
        for idiom, better in IDIOMS.items()
        for found in re.finditer(rf"\b(?:{idiom})\b", text, re.IGNORECASE)
    ]


def _texts(page: str, left_out: str) -> Iterator[str]:
    page = re.sub(r"^( *)```.*?^\1```$", "\n", page, flags=re.MULTILINE | re.DOTALL)
    page = re.sub(r"`[^`]+`", "CODE", page)
    page = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", page).replace("**", "")
    for block in re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )|\n(?=\|)|\n(?=#)", page):
        text = " ".join(block.split())
        if not re.match(left_out, text):
            yield re.sub(r"^(?:[-*]|\d+\.) ", "", text)
