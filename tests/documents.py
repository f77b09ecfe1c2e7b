"""The pages of docs/ as tests read and run them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from tests.client import PATIENCE_S
from tests.conftest import ROOT, Service

PAGES = sorted(
    page.relative_to(ROOT).as_posix()
    for page in (*ROOT.glob("*.md"), ROOT / "sdk/README.md", *(ROOT / "docs").rglob("*.md"))
)


FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    text: str


def blocks(page: str) -> list[Block]:
    return [Block(*found) for found in FENCE.findall((ROOT / page).read_text("utf-8"))]


def table(page: str, heading: str) -> list[list[str]]:
    """Read the cells of the first table below a heading, without its head."""
    rows: list[str] = []
    for line in (ROOT / page).read_text("utf-8").split(f"\n{heading}\n")[1].splitlines():
        if line.startswith("|"):
            rows.append(line)
        elif rows:
            break
    return [[cell.strip() for cell in row[1:-1].split(" |")] for row in rows[2:]]


def shown(value: Any) -> str:
    """Write a value as a cell of a table."""
    return "" if value is None else f"`{json.dumps(value)}`" if isinstance(value, dict) else str(value)


def run_program(program: str, **environment: str) -> str:
    """Run a program of a page in an interpreter of its own, and tell what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_shell(command: str, service: Service) -> str:
    """Run a command of a page against a service that is elsewhere, and tell what it printed."""
    there = command.replace("http://127.0.0.1:8820", service.url)
    assert there != command
    done = subprocess.run(["sh", "-c", there], capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    return done.stdout
