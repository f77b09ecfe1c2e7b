"""The documentation of the repository itself: decisions are indexed, rules name the code and the test that hold them."""

from __future__ import annotations

import ast
import re
import subprocess

import pytest

from tests.conftest import ROOT
from tests.prose import LONGEST, OPENINGS, idioms, sentences

DECISIONS = ROOT / "docs/adr"
ROW = re.compile(
    r"^\| (\d+) \| \[(.+)\]\((.+)\) \| (\d{4}-\d\d-\d\d) \| (accepted|(?:amended|superseded) by \d+) \|$", re.MULTILINE
)
PAGES = sorted(
    page.relative_to(ROOT).as_posix()
    for page in (*ROOT.glob("*.md"), ROOT / "sdk/README.md", *(ROOT / "docs").rglob("*.md"))
)


@pytest.mark.parametrize("page", PAGES)
def test_the_prose_of_a_page_is_plain(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    assert idioms(text) == []
    said = list(sentences(text))
    assert [sentence for sentence in said if OPENINGS.match(sentence)] == [], "the subject comes first"
    if page != "CHANGELOG.md":  # its entries are lists of names
        assert [sentence for sentence in said if len(sentence.split()) > LONGEST] == [], "one fact a sentence"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Readers go on behind\ntheir cursors.", ["go on behind"]),
        ("| who | what comes |", ["comes"]),
        ("## Built anew", ["anew"]),
        ("The code `anew()` and ```sh\ncome\n``` are no prose, as is `comes`.", []),
        ("```sh\nwhoever\n```", []),
    ],
)
def test_an_idiom_is_found_in_prose_alone(text: str, found: list[str]) -> None:
    assert [idiom.split(":")[0] for idiom in idioms(text)] == found


def test_sentences_are_told_apart() -> None:
    text = "One `a b c`. Two\n[lines](x.md) of it! 3 is so.\n\n- **Four.** Five\n- six\n\n| no | row |\n"
    assert list(sentences(text)) == ["One CODE.", "Two lines of it!", "3 is so.", "Four.", "Five", "six"]


def test_the_index_of_decisions_lists_every_page_by_its_title_with_date_and_status() -> None:
    pages = sorted(DECISIONS.glob("[0-9]*.md"))
    titles = [page.read_text("utf-8").splitlines()[0] for page in pages]
    rows = ROW.findall((DECISIONS / "README.md").read_text("utf-8"))
    assert [(f"# {number}. {title}", name) for number, title, name, *_ in rows] == [
        (title, page.name) for title, page in zip(titles, pages, strict=True)
    ]


def test_every_rule_names_the_files_that_enforce_it_and_a_test_that_exists() -> None:
    section = (ROOT / "docs/architecture.md").read_text("utf-8").split("\n## Rules\n")[1].split("\n## ")[0]
    rules = [row.strip("| ").split(" | ") for row in section.splitlines() if re.match(r"\| \d", row)]
    assert [int(number) for number, *_ in rules] == list(range(1, len(rules) + 1))
    for _number, rule, files, test in rules:
        missing = [file for file in re.findall(r"`([^`]+)`", files) if not (ROOT / file).is_file()]
        assert "`" in files, rule
        assert missing == [], rule
        file, name = test.strip("`").split("::")
        assert re.search(rf"^(?:async )?def {name}\(", (ROOT / file).read_text("utf-8"), re.MULTILINE), rule


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
