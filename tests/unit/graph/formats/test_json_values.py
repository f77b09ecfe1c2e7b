"""The number of values in a JSON text, counted without reading it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from graph.formats.json_values import values_in


@pytest.mark.parametrize(
    ("value", "least"),
    [([[]] * 5000, 5000), ([{}] * 5000, 5000), ({str(n): n for n in range(5000)}, 5000), ([[0] * 100] * 50, 5000)],
)
def test_no_value_is_overlooked(value: Any, least: int) -> None:
    text = json.dumps(value)
    for written in (text, text.encode()):
        assert values_in(written, 100_000) >= least
        assert values_in(written, 100) > 100


@pytest.mark.parametrize("text", ["[{,", '\\",[{', "\\\\", '"},{"', "ü,[" * 3])
def test_what_is_in_strings_is_no_value(text: str) -> None:
    value = {"message": text * 5000, "b": text}
    assert values_in(json.dumps(value), 100) == 2
    assert values_in(json.dumps(value, ensure_ascii=False), 100) == 2


def test_what_is_no_json_is_counted_all_the_same() -> None:
    assert values_in("[" * 5000, 100) > 100
    assert values_in('"' + "[" * 5000, 100) > 100
    assert values_in(b"\xff" * 5000, 100) == 0
