"""The memory that is counted for values, held against what they take."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest

from domain.memory import memory_of


@pytest.mark.parametrize(
    "value",
    [
        {f"key {n}": n + 1000 for n in range(1000)},
        [{"attempt": n + 1000, "candidate": f"C-{n}", "ratio": n / 7} for n in range(1000)],
        [[] for _ in range(1000)],
        [{} for _ in range(1000)],
        [[[f"a{n}", None, True]] for n in range(1000)],
        ["\u0436" * 1000 for _ in range(100)],
        {"a": {"b": "x" * 100_000}},
    ],
    ids=["object", "objects", "lists", "empty objects", "deep", "texts", "long"],
)
def test_what_is_counted_is_about_what_is_taken(value: Any) -> None:
    text = json.dumps(value)
    tracemalloc.start()
    read = json.loads(text)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken / 1.5 < memory_of(read) < taken * 3
