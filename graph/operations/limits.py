"""The limits of one operation, and the error for one beyond them: by how much, and what to do."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

from domain.errors import InvalidInput, TooComplex
from graph.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryLimits:
    """The bounds of one operation. Each is the setting of its name."""

    introspection: bool
    max_query_depth: int
    max_query_aliases: int
    max_query_tokens: int
    max_query_cost: int
    max_query_seconds: float

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(**{each.name: getattr(settings, each.name) for each in fields(cls)})

    def require(self, *, introspects: bool, depth: int, aliases: int, cost: int) -> None:
        """Go on only within the bounds.

        Raises:
            InvalidInput: if the schema is asked for, and may not be.
            TooComplex: for the first bound that it is beyond.
        """
        if introspects and not self.introspection:
            raise InvalidInput("the schema cannot be asked for here: JOBTAIL_INTROSPECTION is off")
        _require("is nested {} levels deep", depth, self.max_query_depth, "ask for the inner parts by `node`", "DEPTH")
        _require("has {} aliases", aliases, self.max_query_aliases, "divide it", "ALIASES")
        _require(
            "may be answered with {} values, where page sizes multiply",
            cost,
            self.max_query_cost,
            "ask for smaller pages or for fewer fields",
            "COST",
        )

    def too_long(self, text: str, read_to: int) -> TooComplex:
        """Say that a text has too many tokens, those that may be read ending at a character."""
        return TooComplex(
            f"the query has more than {self.max_query_tokens:,} tokens, the most that it may: they end at character "
            f"{read_to:,} of {len(text):,}; pass values as variables, divide it, or raise JOBTAIL_MAX_QUERY_TOKENS"
        )

    def too_late(self, less: str = "by levels, stages, tasks or times, or without a totalCount") -> TooComplex:
        return TooComplex(
            f"the query took longer than {self.max_query_seconds:g} s, the most that it may, and was given up; ask for "
            f"less: {less}; or raise JOBTAIL_MAX_QUERY_SECONDS"
        )


USUAL_LIMITS = QueryLimits(**{each.name: Settings.model_fields[each.name].default for each in fields(QueryLimits)})
"""The defaults of the settings."""
TOO_DEEP = "the query is nested too deeply to be read; ask for the inner parts by `node`"


def _require(what: str, size: int, most: int, remedy: str, name: str) -> None:
    if size > most:
        raise TooComplex(
            f"the query {what.format(f'{size:,}')}, {size - most:,} more than the {most:,} that it may: {remedy}, or "
            f"raise JOBTAIL_MAX_QUERY_{name}"
        )
