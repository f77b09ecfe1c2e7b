"""A line that a terminal shows has nothing in it that steers the terminal or turns its text around."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jobtail.shell.rendering import as_json, renderer

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""All that Unicode has to turn the order of characters around."""
STEERING = "".join(map(chr, [*range(1, 9), *range(11, 32), *range(127, 160)]))
"""The control characters but tab and line feed, those of eight bits among them; NUL is in no stored line."""


def line(text: str) -> dict[str, Any]:
    at = "2026-11-22T20:33:58.123456Z"
    return {
        "seq": 1,
        "timestamp": at,
        "level": "INFO",
        "stage": text,
        "taskId": text,
        "message": text,
        "metadata": {text: text},
    }


@pytest.mark.parametrize("character", BIDI + STEERING, ids=lambda character: f"U+{ord(character):04X}")
@pytest.mark.parametrize("has_colour", [True, False])
def test_no_control_character_reaches_a_terminal_or_a_reader_of_text(character: str, has_colour: bool) -> None:
    shown = renderer(has_colour=has_colour, encoding="utf-8")(line(f"a{character}b")).decode()
    plain = renderer(has_colour=has_colour, encoding="utf-8")(line("a-b")).decode()
    assert shown.count("\x1b") == plain.count("\x1b"), "the colours of the level are ours"
    assert character == "\x1b" or character not in shown
    assert "\\" not in shown, "it is left out, not spelled"


@pytest.mark.parametrize("character", BIDI + STEERING, ids=lambda character: f"U+{ord(character):04X}")
def test_json_says_every_character_and_lets_none_of_them_steer_a_terminal(character: str) -> None:
    written = as_json(line(f"a{character}b"))
    assert character not in written.decode()
    assert json.loads(written) == line(f"a{character}b")


def test_json_keeps_letters_readable_and_says_a_lone_surrogate() -> None:
    assert "ä 漢 🚀" in as_json(line("ä 漢 🚀")).decode()
    assert json.loads(as_json(line("\ud800"))) == line("\ud800")
