"""The command `jobtail-server`: sees to it that the service's packages are its own, and runs them.

It alone has a name that no other project takes: `graph`, `domain`, `persistence` and `migrations` are plain words, and a package of
somebody else's that goes before them would be imported in their place.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("domain", "graph", "migrations", "persistence")
HOME = Path(__file__).resolve().parent


def main() -> None:
    for name in PACKAGES:
        if (other := shadowing(name)) is not None:
            sys.exit(
                f"jobtail-server: the package `{name}` in {other} is found in place of the service's own: install the "
                "service into an environment of its own (pipx, uv tool, a container), and run it without PYTHONPATH"
            )
    from graph.cli import main as run  # noqa: PLC0415 - not before it is known whose it is

    run()


def shadowing(name: str) -> Path | None:
    """Find where a package comes from, if that is not beside this module."""
    spec = find_spec(name)
    places = [Path(place).resolve() for place in (spec.submodule_search_locations if spec else None) or ()]
    origin = places[0] if places else Path(spec.origin).resolve() if spec and spec.origin else HOME
    return None if origin == HOME / name else origin.parent


if __name__ == "__main__":
    main()
