"""The hot statements, each in a file of its own."""

from functools import cache
from importlib.resources import files


@cache
def statement(name: str) -> str:
    """Read `name`.sql beside this module."""
    return files(__name__).joinpath(f"{name}.sql").read_text("utf-8")
