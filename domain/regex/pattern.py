"""Regular expressions of a search: one syntax, checked here, and said to Postgres and to RE2 in their own words.

Neither engine is asked for anything that it does by its own rules: sets are spelled out by code points, case is folded
in the text and in the pattern alike. So both find the same, and RE2 does so in linear time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from domain.errors import InvalidInput
from domain.regex.character_sets import DIGITS, EVERY, NEWLINE, SPACE, WORD, Ranges, folded, inverted, lowered, merged

try:
    import re2
except ImportError:  # it comes with an extra: it has no wheel for every system
    re2 = None

MAX_LENGTH = 1_000
MAX_SIZE = 500
"""Characters and sets of a pattern with its repetitions written out: what both engines compile in milliseconds."""
MAX_REPEAT = 255
MAX_DEPTH = 50

_FLAGS = re.compile(r"\(\?([ims]*)(?:-([ims]+))?\)")
_COUNT = re.compile(r"\{(\d{1,9})(?:(,)(\d{0,9}))?\}")
_GROUP = re.compile(r"\(\?(?::|P?<[A-Za-z_]\w*>)")
_SURROGATES = range(0xD800, 0xE000)
_CODE = re.compile(r"x([0-9A-Fa-f]{2})|x\{([0-9A-Fa-f]{1,6})\}|u([0-9A-Fa-f]{4})")
_CONTROLS = {"t": 9, "n": 10, "v": 11, "f": 12, "r": 13, "a": 7, "e": 27}
_CLASSES = {"d": DIGITS, "w": WORD, "s": SPACE}
_PLACES = {"b": (r"\y", r"\b"), "A": (r"\A", r"\A"), "z": (r"\Z", r"\z"), "Z": (r"\Z", r"\z")}
"""In the words of Postgres and of RE2."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression that both engines take."""

    ignores_case: bool
    """Then it is looked for in folded text."""
    postgres: str
    engine: Any

    def is_in(self, text: str) -> bool:
        """Tell whether a text, folded where case is ignored, has the pattern in it."""
        return self.engine.search(text.encode()) is not None


@lru_cache(maxsize=256)
def compiled(text: str) -> Pattern:
    """Read a regular expression.

    Raises:
        InvalidInput: saying what is wrong with it, and where.
    """
    if re2 is None:
        raise InvalidInput(
            "this service searches by no regular expressions: its operator may install jobtail-server[regex]; search for a "
            "plain text"
        )
    if len(text) > MAX_LENGTH:
        raise InvalidInput(f"the regular expression has {len(text)} characters; {MAX_LENGTH} is the most")
    reader = _Reader(text)
    whole = reader.read()
    options = re2.Options()
    options.log_errors = False
    try:
        engine = re2.compile(f"(?m){whole.re2}", options)
    except re2.error as error:
        raise InvalidInput("the regular expression is too large; search for less at a time") from error
    return Pattern(reader.ignores_case, f"(?w){whole.postgres}", engine)


class _Part(NamedTuple):
    postgres: str
    re2: str
    size: int
    is_place: bool = False
    """It is a place between characters, and cannot be repeated."""


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0
        self.ignores_case, self.has_lines, self.dot = True, True, inverted(NEWLINE)

    def read(self) -> _Part:
        self._flags()
        whole = self._alternatives()
        if self.at < len(self.text):
            raise self._wrong("a ) closes no group; write \\) for the character")
        if whole.size > MAX_SIZE:
            raise self._wrong(f"written out it is {whole.size} characters long; {MAX_SIZE} is the most", 0)
        return whole

    def _wrong(self, why: str, at: int | None = None) -> InvalidInput:
        place = (self.at if at is None else at) + 1
        return InvalidInput(f"the regular expression {self.text[:100]!r} is wrong at character {place}: {why}")

    def _flags(self) -> None:
        if found := _FLAGS.match(self.text):
            on, off = found[1], found[2] or ""
            self.at = found.end()
            self.ignores_case = "i" not in off
            self.has_lines = "m" not in off
            self.dot = EVERY if "s" in on and "s" not in off else self.dot

    def _alternatives(self) -> _Part:
        branches = [self._sequence()]
        while self._takes("|"):
            branches.append(self._sequence())
        if len(branches) == 1:
            return branches[0]
        return _Part(
            "|".join(b.postgres for b in branches), "|".join(b.re2 for b in branches), sum(b.size for b in branches)
        )

    def _sequence(self) -> _Part:
        parts: list[_Part] = []
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            parts.append(self._repeated())
        return _Part("".join(p.postgres for p in parts), "".join(p.re2 for p in parts), sum(p.size for p in parts))

    def _takes(self, token: str) -> bool:
        if self.text.startswith(token, self.at):
            self.at += len(token)
            return True
        return False

    def _repeated(self) -> _Part:
        part, at = self._one(), self.at
        quantifier, times = self._quantifier()
        if not quantifier:
            return part
        if part.is_place:
            raise self._wrong("there is nothing to repeat before this", at)
        size = part.size * times
        if size > MAX_SIZE:
            raise self._wrong(f"written out, the repetition is {size} characters long; {MAX_SIZE} is the most", at)
        return _Part(f"(?:{part.postgres}){quantifier}", f"(?:{part.re2}){quantifier}", size)

    def _quantifier(self) -> tuple[str, int]:
        """Read a quantifier, and how often it writes its part out. A lazy one finds what a greedy one does."""
        begin = self.at
        if self.at < len(self.text) and self.text[self.at] in "*+?":
            quantifier, times = self.text[self.at], 1
            self.at += 1
        elif found := _COUNT.match(self.text, self.at):
            quantifier, times = self._count(found)
        else:
            return "", 1
        self._takes("?")
        if self.at < len(self.text) and (self.text[self.at] in "*+?" or _COUNT.match(self.text, self.at)):
            raise self._wrong("a repetition cannot be repeated or made possessive; put it in a group", begin)
        return quantifier, times

    def _count(self, found: re.Match[str]) -> tuple[str, int]:
        least, most = int(found[1]), int(found[3] or found[1])
        if max(least, most) > MAX_REPEAT or most < least:
            raise self._wrong(f"counts must be ascending and at most {MAX_REPEAT}")
        self.at = found.end()
        return found[0], max(most, 1)

    def _one(self) -> _Part:  # noqa: PLR0911 - a case each
        at, character = self.at, self.text[self.at]
        self.at += 1
        match character:
            case "(":
                return self._group(at)
            case "[":
                return self._set(self._bracket(at), at)
            case "\\":
                return self._escaped(at)
            case ".":
                return self._set(self.dot, at)
            case "^":
                return _Part(*(("^", "^") if self.has_lines else _PLACES["A"]), 1, is_place=True)
            case "$":
                return _Part(*(("$", "$") if self.has_lines else _PLACES["z"]), 1, is_place=True)
            case "*" | "+" | "?":
                raise self._wrong(f"there is nothing to repeat; write \\{character} for the character", at)
            case "{" if _COUNT.match(self.text, at):
                raise self._wrong("there is nothing to repeat; write \\{ for the character", at)
        return self._set(self._folded(self._code(ord(character), at)), at)

    def _group(self, at: int) -> _Part:
        if self.text.startswith("?", self.at):
            found = _GROUP.match(self.text, at)
            if not found:
                raise self._wrong(
                    "of what begins with (? only (?:...), (?<name>...) and, before all else, flags such as (?-i) are known; "
                    "what looks ahead or behind cannot be searched for in bounded time",
                    at,
                )
            self.at = found.end()
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self._wrong(f"groups lie in each other more than {MAX_DEPTH} deep", at)
        inner = self._alternatives()
        self.depth -= 1
        if not self._takes(")"):
            raise self._wrong("this group is not closed; write \\( for the character", at)
        return _Part(f"(?:{inner.postgres})", f"(?:{inner.re2})", inner.size + 1)

    def _escaped(self, at: int) -> _Part:
        if self.at < len(self.text) and self.text[self.at] in _PLACES:
            self.at += 1
            return _Part(*_PLACES[self.text[self.at - 1]], 1, is_place=True)
        return self._set(self._folded(self._escape(at)), at)

    def _escape(self, at: int) -> Ranges:
        """Read what stands behind a backslash, in a set or outside of one."""
        if self.at >= len(self.text):
            raise self._wrong("a backslash ends it; write \\\\ for the character", at)
        character = self.text[self.at]
        if character.lower() in _CLASSES:
            self.at += 1
            chosen = _CLASSES[character.lower()]
            return chosen if character.islower() else inverted(chosen)
        if found := _CODE.match(self.text, self.at):
            self.at = found.end()
            return self._code(int(found[1] or found[2] or found[3], 16), at)
        self.at += 1
        if character in _CONTROLS:
            return self._code(_CONTROLS[character], at)
        if character.isdigit():
            raise self._wrong("back references cannot be searched for in bounded time", at)
        if character.isascii() and character.isalpha():
            raise self._wrong(f"\\{character} is not known; write {character} for the character", at)
        return self._code(ord(character), at)

    def _code(self, code: int, at: int) -> Ranges:
        if not 0 < code <= EVERY[0][1] or code in _SURROGATES:
            raise self._wrong("no text holds this character", at)
        return ((code, code),)

    def _bracket(self, at: int) -> Ranges:
        """Read a set up to its closing bracket, which stands for itself as the first of it."""
        is_inverted, found, first = self._takes("^"), list[tuple[int, int]](), self.at
        while not self.text.startswith("]", self.at) or self.at == first:
            if self.at >= len(self.text):
                raise self._wrong("this set is not closed; write \\[ for the character", at)
            found += self._range()
        self.at += 1
        chosen = merged(found)
        return inverted(chosen) if is_inverted else chosen

    def _range(self) -> Ranges:
        at, low = self.at, self._member()
        if not self.text.startswith("-", self.at) or self.text[self.at + 1 : self.at + 2] in {"", "]"}:
            return self._folded(low)
        self.at += 1
        high = self._member()
        if not (_is_one(low) and _is_one(high) and low <= high):
            raise self._wrong("a range goes from one character to a later one", at)
        chosen = ((low[0][0], high[0][1]),)
        return folded(chosen) if self.ignores_case else chosen

    def _member(self) -> Ranges:
        at = self.at
        if self.text.startswith(("[:", "[.", "[="), at):
            raise self._wrong("classes such as [:alpha:] are not known; write a-z", at)
        self.at += 1
        return self._escape(at) if self.text[at] == "\\" else self._code(ord(self.text[at]), at)

    def _set(self, ranges: Ranges, at: int) -> _Part:
        if not ranges:
            raise self._wrong("no character is in this set", at)
        return _Part(_spelled(ranges, r"\U{:08x}"), _spelled(ranges, r"\x{{{:x}}}"), 1)

    def _folded(self, ranges: Ranges) -> Ranges:
        """Lower a character where case is ignored. Classes hold both cases, or neither."""
        if not (self.ignores_case and _is_one(ranges)):
            return ranges
        low = lowered(ranges[0][0])
        return ((low, low),)


def _is_one(ranges: Ranges) -> bool:
    return len(ranges) == 1 and ranges[0][0] == ranges[0][1]


def _spelled(ranges: Ranges, code: str) -> str:
    (first, last), *more = ranges
    if first == last and not more:
        return chr(first) if chr(first).isascii() and chr(first).isalnum() else code.format(first)
    return f"[{''.join(f'{code.format(first)}-{code.format(last)}' for first, last in ranges)}]"
