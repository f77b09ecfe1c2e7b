"""Importing does nothing: no engine, no environment, no thread, no connection, no file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGES = ("domain", "graph", "persistence", "jobtail")
WATCH = '''
import importlib, os, socket, sys, threading

modules = sys.argv[1].split(",")
ours = tuple(part + os.sep for part in sys.argv[2:])

def is_ours():
    """Whether a module of ours asks: what libraries read is theirs."""
    frame = sys._getframe(2)
    while frame.f_code.co_filename in {"<string>", os.__file__, "<frozen os>", "<frozen _collections_abc>"}:
        frame = frame.f_back
    return frame.f_code.co_filename.startswith(ours)

class Environment(dict):
    def note(self, name):
        if is_ours():
            found.append(f"the environment was read: {name!r}")
    def __getitem__(self, name):
        self.note(name)
        return super().__getitem__(name)
    def get(self, name, default=None):
        self.note(name)
        return super().get(name, default)
    def __contains__(self, name):
        self.note(name)
        return super().__contains__(name)

found = []
os.environ = Environment(os.environ)

library = os.path.dirname(os.__file__) + os.sep

def is_ours_by_the_standard_library():
    """Whether a module of ours is behind it: urllib3 tries IPv6 when it is imported, celery runs a program."""
    frame = sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith("<frozen") and (not file.startswith(library) or "site-packages" in file):
            return file.startswith(ours)
        frame = frame.f_back
    return False

def watch(event, arguments):
    watched = {"socket.connect", "socket.bind", "subprocess.Popen", "os.mkdir", "sqlite3.connect"}
    if event in watched and is_ours_by_the_standard_library():
        found.append(f"{event} {arguments}")

sys.addaudithook(watch)
for module in modules:
    importlib.import_module(module)
import logging
if logging.getLogger().handlers:
    found.append("the root logger has handlers")
if threading.active_count() != 1:
    found.append(f"threads run: {threading.enumerate()}")
import gc
try:
    from sqlalchemy.ext.asyncio import AsyncEngine
except ImportError:
    pass
else:
    found += [f"an engine: {each}" for each in gc.get_objects() if type(each) is AsyncEngine]
print("\\n".join(found))
'''


def _modules() -> list[str]:
    paths = [path for package in PACKAGES for path in _package(package).rglob("*.py")]
    names = []
    for path in sorted(paths):
        base = ROOT / "sdk" if (ROOT / "sdk") in path.parents else ROOT
        names.append(".".join(path.relative_to(base).with_suffix("").parts).removesuffix(".__init__"))
    return [name for name in names if not name.endswith("__main__")]


def _package(name: str) -> Path:
    return ROOT / "sdk" / name if name == "jobtail" else ROOT / name


def _import(*modules: str) -> list[str]:
    """Import modules one after the other in one process of its own, and tell what that did."""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", WATCH, ",".join(modules), *map(str, map(_package, PACKAGES))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return result.stdout.split("\n")[:-1]


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_a_package_and_all_of_its_modules_does_nothing(package: str) -> None:
    modules = [name for name in _modules() if name.split(".")[0] == package]
    assert len(modules) > 3
    assert _import(*modules) == [""]


@pytest.mark.parametrize(
    "name", ["domain.live.job_tail", "graph.schema", "jobtail.writer.writer", "persistence.channel.channel"]
)
def test_a_module_needs_no_other_to_be_imported_first(name: str) -> None:
    assert _import(name) == [""]
