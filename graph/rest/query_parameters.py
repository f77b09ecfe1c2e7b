"""Reads the query parameters of a request. What is wrong, doubled or unknown is refused with what to do instead."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from starlette.requests import Request

from domain.errors import InvalidInput
from domain.filters import LogFilter
from domain.logs import storable, storable_label
from graph.formats.levels import level_of_name
from graph.formats.times import read_time
from jobtail.events import LogLevel

FILTERS = ("stage", "task_id", "level", "min_level", "since", "until", "since_seq", "until_seq", "search", "regex")

Choice = TypeVar("Choice", bound=StrEnum)


class Parameters:
    def __init__(self, request: Request, known: Collection[str]) -> None:
        """Take the parameters of a request.

        Raises:
            InvalidInput: for one that the endpoint does not know.
        """
        self._values: dict[str, list[str]] = {}
        for name, value in request.query_params.multi_items():
            if name not in known:
                raise InvalidInput(f"there is no parameter {name!r}; this endpoint knows {', '.join(known)}")
            self._values.setdefault(name, []).append(value)

    def many(self, name: str) -> list[str] | None:
        return self._values.get(name)

    def one(self, name: str) -> str | None:
        values = self._values.get(name, [])
        if len(values) > 1:
            raise InvalidInput(f"give {name} once, not {len(values)} times")
        return values[0] if values else None

    def whole(self, name: str, *, least: int = 0, most: int = 2**53 - 1) -> int | None:
        text = self.one(name)
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and least <= int(text) <= most):
            raise InvalidInput(f"{name} must be a whole number from {least} to {most}, not {text[:80]!r}")
        return int(text)

    def time(self, name: str) -> datetime | None:
        text = self.one(name)
        if text is not None and read_time(text) is None:
            raise InvalidInput(f"{name} must be a time such as 2025-01-15T10:30:00Z, not {text[:80]!r}")
        return read_time(text)

    def flag(self, name: str) -> bool:
        text = self.one(name)
        if text is not None and text not in {"0", "1", "false", "true"}:
            raise InvalidInput(f"{name} must be 1 or 0, not {text[:80]!r}")
        return text in {"1", "true"}

    def choice(self, name: str, choices: type[Choice]) -> Choice | None:
        text = self.one(name)
        if text is not None and text not in list(choices):
            raise InvalidInput(f"{name} must be one of {', '.join(choices)}, not {text[:80]!r}")
        return None if text is None else choices(text)

    def log_filter(self) -> LogFilter:
        """Read `FILTERS`."""
        least, search = self.one("min_level"), self.one("search")
        return LogFilter(
            levels=self._levels("level"),
            min_level=None if least is None else _level("min_level", least),
            stages=self._labels("stage"),
            task_ids=self._labels("task_id"),
            since=self.time("since"),
            until=self.time("until"),
            since_seq=self.whole("since_seq"),
            until_seq=self.whole("until_seq"),
            search=None if search is None else storable(search),
            regex=self.flag("regex"),
        )

    def _levels(self, name: str) -> frozenset[LogLevel] | None:
        lists = self.many(name)
        return None if lists is None else frozenset(_level(name, each) for part in lists for each in part.split(","))

    def _labels(self, name: str) -> frozenset[str] | None:
        labels = self.many(name)
        return None if labels is None else frozenset(map(storable_label, labels))


def _level(name: str, text: str) -> LogLevel:
    level = level_of_name(text)
    if level is None:
        raise InvalidInput(
            f"{name} must be one of {', '.join(each.name.lower() for each in LogLevel)}, not {text[:80]!r}"
        )
    return level
