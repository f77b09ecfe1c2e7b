"""Attestations: what would convince a reader that a candidate meets a requirement."""

from __future__ import annotations

from dataclasses import dataclass

from examples.recruiting.requirements import DEGREES, LANGUAGE_LEVELS, Requirement


@dataclass(frozen=True, slots=True)
class Attestation:
    """The evidence that a candidate is asked for."""

    requirement: Requirement
    evidence: str


def attestation_for(requirement: Requirement) -> Attestation:
    return Attestation(requirement, _evidence(requirement))


def _evidence(requirement: Requirement) -> str:
    name, amount = requirement.name, requirement.amount
    match requirement.kind:
        case "experience":
            return f"records of employment that add up to {amount} or more years"
        case "degree":
            return f"the certificate of a degree: {' or '.join(DEGREES[amount:])}"
        case "language":
            return f"a certificate of {name} at {LANGUAGE_LEVELS[amount]} or above, or an interview held in it"
        case "licence":
            return "a copy of the valid document"
        case _:
            return "a piece of work, and a referee who saw it" if requirement.is_must else "a piece of work"
