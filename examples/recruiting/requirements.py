"""The requirements of a job description, found by rules. `EXTRACTOR` names the set of rules."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cache

from examples.recruiting import DATA
from examples.recruiting.sources import name_of, read_text

EXTRACTOR = "rules-v1"
MIN_WORDS = 40
DEGREES = ("None", "Vocational", "Bachelor", "Master", "Doctorate")
LANGUAGE_LEVELS = ("None", "A1", "A2", "B1", "B2", "C1", "C2")

_CLAUSE_END = re.compile(r";|\.\s")
_WISHED_BEFORE = re.compile(r"\b(?:a plus|nice to have|an advantage)\b", re.IGNORECASE)
_WISHED_BEHIND = re.compile(r"\b(?:ideally|preferably)\b", re.IGNORECASE)
_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_YEARS = re.compile(rf"\b(\d{{1,2}}|{'|'.join(_NUMBERS)})\s*\+?\s*(?:or more )?years?\b.*\bexperience\b", re.IGNORECASE)
_DEGREES = {
    4: re.compile(r"\b(?:ph\.?d|doctorate)\b", re.IGNORECASE),
    3: re.compile(r"\bmaster['\u2019]?s? degree\b|\bM\.?Sc\b", re.IGNORECASE),
    2: re.compile(r"\bbachelor['\u2019]?s? degree\b|\bB\.?Sc\b|\buniversity degree\b", re.IGNORECASE),
    1: re.compile(r"\bapprenticeship\b|\bvocational training\b", re.IGNORECASE),
}
_SPOKEN = (
    (re.compile(r"\bnative\b", re.IGNORECASE), "C2"),
    (re.compile(r"\bfluent\b", re.IGNORECASE), "C1"),
    (re.compile(r"\bbasic\b", re.IGNORECASE), "A2"),
)
_CEFR = re.compile(r"\b([ABC][12])\b")
_DEFAULT_LEVEL = "B2"


class ExtractionError(Exception):
    """A text is no job description that the rules understand."""


@dataclass(frozen=True, slots=True)
class Requirement:
    kind: str
    """skill, licence, experience, degree or language."""
    name: str
    amount: int = field(default=1, compare=False)
    """Years of experience, or the index of the degree or of the language's level in its scale; 1 where there is none."""
    is_must: bool = field(default=True, compare=False)

    def __str__(self) -> str:
        match self.kind:
            case "experience":
                return f"{self.amount} years of experience" if self.amount > 1 else "1 year of experience"
            case "degree":
                return f"degree: {DEGREES[self.amount]}"
            case "language":
                return f"{self.name} {LANGUAGE_LEVELS[self.amount]}"
            case _:
                return self.name


@dataclass(frozen=True, slots=True)
class Description:
    description_id: str
    title: str
    source: str
    word_count: int
    requirements: tuple[Requirement, ...]


def extract(source: str) -> Description:
    """Open a job description and find its title and requirements.

    Raises:
        SourceError: if it cannot be read.
        ExtractionError: if it is too short, or asks for nothing that the rules know.
    """
    text = read_text(source)
    word_count = len(text.split())
    if word_count < MIN_WORDS:
        raise ExtractionError(f"job description too short: {word_count} words, at least {MIN_WORDS} expected: {source}")
    requirements = requirements_in(text)
    if not requirements:
        raise ExtractionError(f"no requirement recognised in {word_count} words: {source}")
    title = next(line.strip() for line in text.splitlines() if line.strip())
    return Description(name_of(source), title, source, word_count, requirements)


def requirements_in(text: str) -> tuple[Requirement, ...]:
    """Find requirements in the order of the text, each once: the first mention decides, a must wins over a wish."""
    found: dict[Requirement, Requirement] = {}
    for line, is_must in _demands(text):
        for requirement in _in_line(line, is_must=is_must):
            known = found.get(requirement)
            if known is None or (requirement.is_must and not known.is_must):
                found[requirement] = requirement
    return tuple(found.values())


def _demands(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the clauses that ask for something, and whether they insist.

    Without any heading that announces requirements the whole text is taken as such.
    """
    lines = [line.strip().lstrip("-*\u2022 ") for line in text.splitlines()]
    headings = [_heading(line) for line in lines]
    section = _Section.OTHER if {_Section.MUST, _Section.NICE} & set(headings) else _Section.MUST
    for line, heading in zip(lines, headings, strict=True):
        if heading is not None:
            section = heading
        elif section is not _Section.OTHER:
            for clause in _CLAUSE_END.split(line):
                is_must = section is _Section.MUST and not _WISHED_BEFORE.search(clause)
                wish = found.start() if (found := _WISHED_BEHIND.search(clause)) else len(clause)
                yield clause[:wish], is_must
                yield clause[wish:], False


class _Section(Enum):
    MUST = re.compile(r"must have|requirements?|what you bring|you need|your profile", re.IGNORECASE)
    NICE = re.compile(r"nice to have|desirable|preferred|bonus|a plus", re.IGNORECASE)
    OTHER = re.compile(r"about us|what we offer|we offer|benefits|your work|what you will do|your tasks", re.IGNORECASE)


def _heading(line: str) -> _Section | None:
    """Tell what a line announces as a heading, None where it is none."""
    words = line.rstrip(":").strip()
    return next((section for section in _Section if section.value.fullmatch(words)), None)


def _in_line(line: str, *, is_must: bool) -> Iterator[Requirement]:
    if years := _YEARS.search(line):
        word = years[1].lower()
        amount = _NUMBERS.index(word) + 1 if word in _NUMBERS else int(word)
        yield Requirement("experience", "experience", amount, is_must)
    for rank, pattern in _DEGREES.items():
        if pattern.search(line):
            yield Requirement("degree", "degree", rank, is_must)
            break
    vocabulary = _vocabulary()
    for (kind, name), pattern in vocabulary.terms.items():
        if pattern.search(line):
            yield Requirement(kind, name, 1, is_must)
    for found in vocabulary.languages.finditer(line):
        yield Requirement("language", found[0].capitalize(), LANGUAGE_LEVELS.index(_level(line)), is_must)


def _level(line: str) -> str:
    if stated := _CEFR.search(line):
        return stated[1]
    return next((level for pattern, level in _SPOKEN if pattern.search(line)), _DEFAULT_LEVEL)


@dataclass(frozen=True, slots=True)
class _Vocabulary:
    terms: Mapping[tuple[str, str], re.Pattern[str]]
    languages: re.Pattern[str]


@cache
def _vocabulary() -> _Vocabulary:
    words = json.loads((DATA / "vocabulary.json").read_text(encoding="utf-8"))
    terms = {
        (kind, name): re.compile(rf"(?<!\w)(?:{'|'.join(patterns)})(?!\w)", re.IGNORECASE)
        for kind, group in (("skill", "skills"), ("licence", "licences"))
        for name, patterns in words[group].items()
    }
    return _Vocabulary(terms, re.compile(rf"\b(?:{'|'.join(words['languages'])})\b"))
