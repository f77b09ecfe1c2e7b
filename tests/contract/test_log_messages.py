"""The contract of every LogMessages."""

from __future__ import annotations

import pytest

from domain.analysis.message_templates import END_LENGTH, clipped
from domain.logs import SaidMessage
from jobtail.events import Line, LogLevel
from tests.contract.conftest import Stores
from tests.fakes import store

LENGTHS = [0, 1, 2 * END_LENGTH - 1, 2 * END_LENGTH, 2 * END_LENGTH + 1, 50_000]


async def test_lines_are_told_in_order_between_two_of_them(stores: Stores) -> None:
    levels = list(LogLevel)
    lines = [
        Line(job_id="job", message=f"line {n}", stage=f"stage-{n % 2}", task_id="task", level=levels[n % 6])
        for n in range(1, 21)
    ]
    await store(stores.logs, *lines[:10])
    await store(stores.logs, *lines[10:])
    await store(stores.logs, Line(job_id="other", message="another"))
    assert await stores.messages.said("job", after=5, upto=15) == [
        SaidMessage(n, levels[n % 6], f"stage-{n % 2}", f"line {n}") for n in range(6, 16)
    ]
    assert len(await stores.messages.said("job", after=0, upto=2**53)) == 20
    assert await stores.messages.said("nobody", after=0, upto=100) == []


@pytest.mark.parametrize("letter", ["a", "ä", "\U0001f600", "\u0301"])
async def test_long_messages_are_clipped_in_the_middle(stores: Stores, letter: str) -> None:
    messages = [f"{letter * (length // 2)}{'b' * (length - length // 2)}" for length in LENGTHS]
    await store(stores.logs, *(Line(job_id="job", message=message) for message in messages))
    found = await stores.messages.said("job", after=0, upto=len(messages))
    assert [line.message for line in found] == list(map(clipped, messages))
