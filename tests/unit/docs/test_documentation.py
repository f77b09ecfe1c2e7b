"""The documentation of the repository itself: its decisions are indexed, its licence goes with each distribution."""

from __future__ import annotations

import ast
import re
import subprocess

from tests.conftest import ROOT

DECISIONS = ROOT / "docs/adr"
ROW = re.compile(
    r"^\| (\d+) \| \[(.+)\]\((.+)\) \| (\d{4}-\d\d-\d\d) \| (accepted|superseded by \d+) \|$", re.MULTILINE
)


def test_the_index_of_decisions_lists_every_page_by_its_title_with_date_and_status() -> None:
    pages = sorted(DECISIONS.glob("[0-9]*.md"))
    titles = [page.read_text("utf-8").splitlines()[0] for page in pages]
    rows = ROW.findall((DECISIONS / "README.md").read_text("utf-8"))
    assert [(f"# {number}. {title}", name) for number, title, name, *_ in rows] == [
        (title, page.name) for title, page in zip(titles, pages, strict=True)
    ]


def test_the_sdk_carries_the_licence_of_the_repository() -> None:
    assert (ROOT / "sdk/LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_the_docstring_of_a_module_begins_with_the_thing_that_it_owns() -> None:
    modules = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    opening = re.compile(r"(?:What|Who|Whoever|How|Where|When|Which)\b")
    assert [
        module
        for module in modules.stdout.splitlines()
        if (ROOT / module).exists() and opening.match(ast.get_docstring(ast.parse((ROOT / module).read_bytes())) or "")
    ] == []
