"""One browser and one service for all tests of a process; each test comes as a new visitor."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.browser.visits import open_browser
from tests.client import Api
from tests.conftest import CloneDatabase, Service, serving


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with open_browser() as browser:
        yield browser


@pytest.fixture(scope="session")
def shared_url(new_database: CloneDatabase, migrated_template: str) -> str:
    return new_database(migrated_template)


@pytest.fixture(scope="session")
def shared(shared_url: str) -> Iterator[Service]:
    with serving(shared_url) as service:
        yield service


@pytest.fixture
def api(shared: Service) -> Iterator[Api]:
    with Api(shared) as api:
        yield api
