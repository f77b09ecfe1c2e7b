"""One browser and one service for all tests of a process; each test comes as a new visitor."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.browser.viewer import ViewerVisit
from tests.browser.visits import open_browser, visiting
from tests.client import Api, new_job_id
from tests.conftest import CloneDatabase, Service, serving

expect.set_options(timeout=15_000)  # a busy machine takes longer than Playwright's 5 s


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


@pytest_asyncio.fixture(loop_scope="session")
async def visit(browser: Browser, shared: Service) -> AsyncIterator[ViewerVisit]:
    """Visit the viewer, which must neither complain nor ask anybody but the service."""
    permissions = ["clipboard-read", "clipboard-write"]
    async with visiting(browser, ViewerVisit, shared.url, permissions=permissions) as visit:
        yield visit
        visit.assert_quiet()


def line(n: int) -> dict[str, Any]:
    """Say one of the lines of a long log: each hundredth is an ERROR, each other tenth a DEBUG."""
    level = "ERROR" if n % 100 == 0 else "DEBUG" if n % 10 == 0 else "INFO"
    return {"stage": f"stage_{n // 251}", "message": f"line {n} of the log", "level": level}


def say(api: Api, job_id: str, first: int, last: int) -> None:
    api.capture(job_id, *(line(n) for n in range(first, last + 1)))


@pytest.fixture
def job_id(api: Api) -> str:
    """A job of 500 lines that goes on."""
    job_id = new_job_id("JB_LOG")
    api.start(job_id, "log_test")
    say(api, job_id, 1, 500)
    return job_id
