"""The people who might fit, as far as they told us about themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from examples.recruiting.requirements import DEGREES, LANGUAGE_LEVELS
from examples.recruiting.sources import SourceError, read_markup


class IncompleteCandidate(Exception):
    """What a candidate left out or misspelt makes a score impossible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    candidate_id: str
    name: str
    years: float
    degree: int
    """An index of DEGREES."""
    languages: Mapping[str, int]
    """By name, an index of LANGUAGE_LEVELS."""
    terms: frozenset[str]
    """Skills and licences, in lower case."""
    summary: str


@dataclass(frozen=True, slots=True)
class CandidateRecord:
    """A candidate as the file has it, whole or not."""

    candidate_id: str
    fields: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.fields.get("name") or self.candidate_id)

    def complete(self) -> Candidate:
        """Read the record.

        Raises:
            IncompleteCandidate: naming what is missing or not understood.
        """
        wanted = ("years", "degree", "skills", "languages")
        if missing := [key for key in wanted if self.fields.get(key) is None]:
            raise IncompleteCandidate(f"{self.candidate_id} cannot be scored: no {', no '.join(missing)}")
        fields = self.fields
        try:
            return Candidate(
                candidate_id=self.candidate_id,
                name=self.name,
                years=float(fields["years"]),
                degree=_rank(DEGREES, "degree", fields["degree"]),
                languages={name: _rank(LANGUAGE_LEVELS, name, level) for name, level in fields["languages"].items()},
                terms=frozenset(str(term).lower() for term in (*fields["skills"], *fields.get("licences", ()))),
                summary=str(fields.get("summary", "")),
            )
        except (AttributeError, TypeError, ValueError) as error:
            raise IncompleteCandidate(f"{self.candidate_id} cannot be scored: {error}") from error


def read_candidates(source: str) -> list[CandidateRecord]:
    """Read a JSON list of candidates.

    Raises:
        SourceError: if it cannot be read, or is no such list.
    """
    try:
        return [CandidateRecord(fields["candidate_id"], fields) for fields in json.loads(read_markup(source))]
    except (KeyError, TypeError, ValueError) as error:
        raise SourceError(f"not a list of candidates: {source}") from error


def _rank(scale: Sequence[str], what: str, value: Any) -> int:
    if value not in scale:
        raise ValueError(f"{what} {value!r} is none of {', '.join(scale)}")
    return scale.index(value)
