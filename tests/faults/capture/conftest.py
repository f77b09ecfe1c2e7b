"""The fixtures of a fault test of capture: the service on a port of its own, and a reader of Postgres."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.faults.capture.cast import ReturningService, Store, returning_service


@pytest.fixture
async def returning(database_url: str) -> AsyncIterator[ReturningService]:
    async with returning_service(database_url) as service:
        yield service


@pytest.fixture
async def absent(database_url: str) -> AsyncIterator[ReturningService]:
    """A service that was not started yet."""
    async with returning_service(database_url, is_started=False) as service:
        yield service


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    async with Store.opened(database_url) as store:
        yield store
