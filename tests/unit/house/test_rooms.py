"""The house: every folder says what it is for and where to start, and no name means two things."""

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGES = [ROOT / name for name in ("domain", "persistence", "graph", "sdk/jobtail")]
ROOMS = sorted(init.parent for package in PACKAGES for init in package.rglob("__init__.py"))
SAME_MEANING = {
    "cli",  # the command line of the service, and that of the worker's side
    "comparison",
    "errors",  # those of each layer
    "executions",
    "histogram",
    "jobs",
    "log_counts",
    "session",  # the path that docs/python.md named at first
    "storage",
}
"""Names that a layer shares with the one below: its view of the same thing."""


def _room(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("room", [room for room in ROOMS if room.name not in {"jobtail", "sql"}], ids=_room)
def test_a_room_says_what_it_is_for_and_where_to_start(room: Path) -> None:
    said = ast.get_docstring(ast.parse((room / "__init__.py").read_text()))
    assert said is not None
    assert re.search(r"[Kk]nows|[Kk]now |[Ii]mports|falls back", said), "say what it must not know"
    starts = re.search(r"Start with ([^.;]+)", said)
    assert starts is not None, "say where to start"
    for name in re.findall(r"`(\w+)`", starts[1]):
        assert (room / f"{name}.py").exists() or (room / name).is_dir()


def test_no_room_is_crowded() -> None:
    crowded = {_room(room): len(list(room.glob("*.py"))) for room in ROOMS if len(list(room.glob("*.py"))) > 25}
    assert crowded == {}


def test_no_file_name_means_two_things() -> None:
    found = defaultdict(list)
    for package in PACKAGES:
        for path in package.rglob("*.py"):
            if path.stem not in {"__init__", "__main__"} | SAME_MEANING:
                found[path.stem].append(_room(path))
    assert {name: places for name, places in found.items() if len(places) > 1} == {}


def test_no_class_name_means_two_things() -> None:
    """A view of the schema bears the name of what it shows; no other two classes share one."""
    found = defaultdict(list)
    for package in PACKAGES:
        for path in package.rglob("*.py"):
            text = path.read_text()
            layer = "schema" if "import strawberry" in text else "code"
            for node in ast.parse(text).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    found[layer, node.name].append(_room(path))
    assert {name: places for name, places in found.items() if len(places) > 1} == {}
