"""The integrations within this process hear all records: after each test none does."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from jobtail.integrations import record_hook


@pytest.fixture(autouse=True)
def unheard(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(logging.Logger, "callHandlers", logging.Logger.callHandlers)
    yield
    record_hook._ear.cache_clear()
