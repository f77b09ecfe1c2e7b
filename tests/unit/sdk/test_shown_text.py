"""The text that a terminal shows."""

from __future__ import annotations

import json
from pathlib import Path

from jobtail.shown_text import coloured, shown

TEXTS = json.loads((Path(__file__).parents[2] / "terminal_texts.json").read_text())


def test_a_text_is_shown_as_a_terminal_shows_it() -> None:
    assert {text: shown(text) for text, _ in TEXTS} == dict(TEXTS)


def test_colours_stay_where_they_are_wanted_and_nothing_else_does() -> None:
    assert coloured("\x1b[31mred\x1b[0m\x1b[2J\x1b]0;t\x07 plain") == "\x1b[31mred\x1b[0m plain"
    assert coloured("\x1b[31m 10 %\r\x1b[32m100") == "\x1b[31m\x1b[32m100\x1b[0m\x1b[31m %\x1b[0m"
    assert coloured("\x1b[1mno end\nnext") == "\x1b[1mno end\x1b[0m\n\x1b[1mnext\x1b[0m"


def test_a_line_that_is_written_over_without_end_is_read_from_its_last_return_on() -> None:
    line = "x" * 20_000 + "\r"
    assert shown(line * 2 + "last") == "last" + "x" * 19_996
    assert shown(line * 100 + "last\nab\b\bc") == "last\nabc"
    assert shown("\b" * 20_000 + line * 100 + "last\rend\r\nab\bc") == "end\nabc"
