"""The score of a candidate for a job description.

    score = 100 * sum(weight * match) / sum(weight), rounded to one decimal

A must weighs 3, a wish 1. The match of a requirement is between 0 and 1:

- skill, licence: 1 where the candidate lists it, 0.5 where only the summary names it, else 0;
- experience: years / years asked for, at most 1;
- degree: 1 at or above the one asked for, 0.5 one step below, else 0;
- language: level / level asked for on the scale A1 = 1 ... C2 = 6, at most 1.

Whoever misses a must altogether scores at most 49.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from examples.recruiting.candidates import Candidate
from examples.recruiting.requirements import Requirement

MUST_WEIGHT = 3
WISH_WEIGHT = 1
CAP_WITHOUT_A_MUST = 49.0


@dataclass(frozen=True, slots=True)
class Score:
    value: float
    """From 0 to 100."""
    met: tuple[str, ...]
    partly_met: tuple[str, ...]
    missed: tuple[str, ...]

    def __str__(self) -> str:
        total = len(self.met) + len(self.partly_met) + len(self.missed)
        lacks = f", lacks {', '.join(self.missed)}" if self.missed else ""
        return f"{self.value:.1f}, meets {len(self.met)} of {total}{lacks}"


def score(candidate: Candidate, requirements: Sequence[Requirement]) -> Score:
    """Score a candidate by the formula above. `requirements` holds at least one."""
    matches = [(requirement, match(candidate, requirement)) for requirement in requirements]
    weights = [MUST_WEIGHT if requirement.is_must else WISH_WEIGHT for requirement in requirements]
    points = sum(weight * matched for weight, (_, matched) in zip(weights, matches, strict=True))
    value = round(100 * points / sum(weights), 1)
    if any(requirement.is_must and matched == 0 for requirement, matched in matches):
        value = min(value, CAP_WITHOUT_A_MUST)
    return Score(
        value,
        met=tuple(str(requirement) for requirement, matched in matches if matched == 1),
        partly_met=tuple(str(requirement) for requirement, matched in matches if 0 < matched < 1),
        missed=tuple(str(requirement) for requirement, matched in matches if matched == 0),
    )


def match(candidate: Candidate, requirement: Requirement) -> float:
    """Tell how far a requirement is met, from 0 to 1."""
    match requirement.kind:
        case "experience":
            return min(1.0, candidate.years / requirement.amount)
        case "degree":
            return max(0.0, 1 - max(0, requirement.amount - candidate.degree) / 2)
        case "language":
            return min(1.0, candidate.languages.get(requirement.name, 0) / requirement.amount)
        case _:
            if requirement.name.lower() in candidate.terms:
                return 1.0
            return 0.5 if requirement.name.lower() in candidate.summary.lower() else 0.0
