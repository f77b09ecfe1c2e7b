"""The hot statements, each in a file of its own, whose values are named in it: `:job_id`."""

import re
from functools import cache
from importlib.resources import files

from persistence.prepared_statements import Statement

NAMES: dict[str, str] = {}
"""The names of the texts that were read."""

_NAMED = re.compile(r"--[^\n]*|(?<![:\w]):([a-z_]+)")
"""A comment, which names nothing, or the name of a value; `::` is a cast."""


@cache
def statement(name: str) -> Statement:
    """Read `name`.sql beside this module, and number its values in the order in which they are first named."""
    places: dict[str, int] = {}

    def numbered(found: re.Match[str]) -> str:
        return found[0] if found[1] is None else f"${places.setdefault(found[1], len(places) + 1)}"

    text = _NAMED.sub(numbered, files(__name__).joinpath(f"{name}.sql").read_text("utf-8"))
    NAMES[text] = name
    return Statement(text, tuple(places), {}, {})
