"""The hot statements, each in a file of its own."""

from functools import cache
from importlib.resources import files

NAMES: dict[str, str] = {}
"""The names of the texts that were read."""


@cache
def statement(name: str) -> str:
    """Read `name`.sql beside this module."""
    text = files(__name__).joinpath(f"{name}.sql").read_text("utf-8")
    NAMES[text] = name
    return text
