"""Builds the pages into graph/static when a wheel or an sdist is built of a checkout where they are missing or older."""

# ruff: noqa: INP001 - hatchling loads it as a file
from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PagesBuildHook(BuildHookInterface[Any]):
    """An sdist holds the built pages, so that a wheel is made of it without Node."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        root = Path(self.root)
        if version == "editable" or _is_built(root):
            return
        npm = shutil.which("npm")
        if npm is None:
            raise RuntimeError(
                "graph/static, the pages of the service, is not built of the present sources, and there is no npm to do "
                "so: install Node 20 or later, or run `make web` first, which brings its own"
            )
        for command in (["ci", "--omit=dev", "--no-audit", "--no-fund"], ["run", "build"]):
            subprocess.run([npm, *command], cwd=root / "web", check=True)  # noqa: S603 - our own scripts


def _is_built(root: Path) -> bool:
    pages = [root / "graph" / "static" / name / "index.html" for name in ("viewer", "graphiql")]
    if not all(page.exists() for page in pages):
        return False
    built_at = min(page.stat().st_mtime for page in pages)
    return all(source.stat().st_mtime <= built_at for source in _sources(root))


def _sources(root: Path) -> list[Path]:
    """List what the pages are made of; generated.ts is made by the build itself."""
    found = [root / "schema.graphql"]
    for path in (root / "web").iterdir():
        if path.name not in {"node_modules", "README.md", Path(__file__).name}:
            found += [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    return [path for path in found if path.name != "generated.ts"]
