"""GraphiQL in a real browser, on a running service: offline, quiet, and with examples that run as they stand."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect
from playwright.async_api import TimeoutError as PlaywrightTimeoutError

from graph.pages.graphiql import GRAPHIQL, GRAPHIQL_CSP
from tests.browser.visits import Visit, visiting
from tests.client import Api, new_job_id
from tests.conftest import Service

pytestmark = pytest.mark.asyncio(loop_scope="session")


class GraphiqlVisit(Visit):
    async def open(self) -> None:
        await self.page.goto(f"{self.service_url}/graphql")
        await self.parsed("NewestJobs")

    async def choose(self, tab: str) -> None:
        await self.page.get_by_role("tab", name=tab).click()
        await self.parsed(tab)

    async def parsed(self, operation: str) -> None:
        """GraphiQL sees a moment after a change which operation the run button runs."""
        await self._until(
            "operation => localStorage.getItem('graphiql:operationName') === operation", operation, 10_000
        )

    async def run(self) -> None:
        await self.page.get_by_role("button", name="Execute query").click()

    async def tabs(self) -> list[str]:
        return await self.page.get_by_role("tab").all_inner_texts()

    async def expect_result(self, pattern: str, timeout_ms: float = 10_000) -> None:
        """Wait for the answer to match, the lines below the visible ones included.

        Raises:
            TimeoutError: It has not come to match.
        """
        await self._until(
            """pattern => RegExp(pattern, 's').test(
                 document.querySelector('.result-window .CodeMirror').CodeMirror.getValue())""",
            pattern,
            timeout_ms,
        )

    async def saved(self, text: str) -> None:
        """GraphiQL stores its tabs a moment after they change."""
        await self._until("text => localStorage.getItem('graphiql:tabState')?.includes(text)", text, 10_000)

    async def _until(self, condition: str, argument: str, timeout_ms: float) -> None:
        try:
            await self.page.wait_for_function(condition, arg=argument, timeout=timeout_ms)
        except PlaywrightTimeoutError as error:
            shown = await self.page.locator(".result-window").inner_text()
            raise TimeoutError(f"{argument!r} has not come; shown: {shown}") from error


@pytest_asyncio.fixture(loop_scope="session")
async def visit(browser: Browser, shared: Service) -> AsyncIterator[GraphiqlVisit]:
    if not GRAPHIQL.file.exists():
        pytest.skip("GraphiQL is not built (make web)")
    async with visiting(browser, GraphiqlVisit, shared.url) as visit:
        yield visit


def started(api: Api) -> str:
    job_id = new_job_id("JB_GRAPHIQL")
    api.start(job_id)
    return job_id


async def test_the_page_asks_nobody_but_the_service_and_reports_no_fault(visit: GraphiqlVisit, api: Api) -> None:
    api.capture(started(api), "one line")
    await visit.open()
    await expect(visit.page).to_have_title("GraphiQL - Jobtail")
    await visit.page.get_by_role("button", name="Show Documentation Explorer").click()
    await expect(visit.page.locator(".graphiql-doc-explorer")).to_contain_text("Subscription")
    for tab in ("NewestJobs", "JobHierarchy", "JobLogs"):
        await visit.choose(tab)
        await visit.run()
        await visit.expect_result(r'^\{\s*"data": \{')
    visit.assert_quiet()


async def test_the_first_example_shows_the_newest_jobs(visit: GraphiqlVisit, api: Api) -> None:
    job_id = started(api)
    await visit.open()
    await visit.run()
    await visit.expect_result(job_id)


async def test_the_second_example_shows_the_newest_jobs_stages_and_lines(visit: GraphiqlVisit, api: Api) -> None:
    job_id = started(api)
    api.capture(job_id, "Reading job description")
    await visit.open()
    await visit.choose("JobHierarchy")
    await visit.run()
    await visit.expect_result(f"{job_id}.*read_jd.*Reading job description")


async def test_the_third_example_shows_jobs_as_their_lines_arrive(visit: GraphiqlVisit, api: Api) -> None:
    job_id = started(api)
    await visit.open()
    await visit.choose("JobsUpdated")
    await visit.run()
    captured = await capture_until_shown(visit, api, job_id)
    api.capture(job_id, "one more", "and another")
    await visit.expect_result(rf'"{job_id}".*"lastSeq": {captured + 2}\b')
    visit.assert_quiet()


async def capture_until_shown(visit: GraphiqlVisit, api: Api, job_id: str) -> int:
    """The stream begins with no event, so nothing tells that it stands: a line is captured until one shows."""
    for captured in range(1, 40):
        api.capture(job_id, f"line {captured}")
        try:
            await visit.expect_result(f'"{job_id}"', timeout_ms=500)
        except TimeoutError:
            continue
        return captured
    raise AssertionError(f"no event of {job_id} arrived")


async def test_the_fourth_example_follows_the_newest_job_to_its_end(visit: GraphiqlVisit, api: Api) -> None:
    job_id = started(api)
    api.capture(job_id, "stored before")
    await visit.open()
    await visit.choose("JobLogs")
    await visit.run()
    await visit.expect_result("stored before")
    api.capture(job_id, "captured live")
    await visit.expect_result("captured live")
    api.finish(job_id)
    await visit.expect_result('"jobStatus": "COMPLETED"')
    await expect(visit.page.get_by_role("button", name="Execute query")).to_be_visible()


async def test_a_returning_visitor_finds_the_tabs_as_they_were_left(visit: GraphiqlVisit) -> None:
    await visit.open()
    await visit.choose("JobsUpdated")
    await visit.page.get_by_role("button", name="Close Tab").click()
    await visit.parsed("JobHierarchy")
    await visit.page.locator(".graphiql-query-editor .CodeMirror").click()
    await visit.page.keyboard.press("ControlOrMeta+a")
    await visit.page.keyboard.type("query Mine { __typename }")
    await visit.saved("query Mine { __typename }")
    await visit.page.reload()
    await expect(visit.page.get_by_role("tab", name="Mine")).to_be_visible()
    assert await visit.tabs() == ["NewestJobs", "Mine", "JobLogs"]


async def test_a_visitor_who_only_looked_finds_no_further_tab(visit: GraphiqlVisit) -> None:
    await visit.open()
    await visit.page.reload()
    await expect(visit.page.get_by_role("tab", name="NewestJobs")).to_be_visible()
    assert await visit.tabs() == ["NewestJobs", "JobHierarchy", "JobsUpdated", "JobLogs"]


async def test_a_browser_gets_the_page_with_its_policy(shared: Service) -> None:
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{shared.url}/graphql", headers={"accept": "text/html"})
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-security-policy"] == GRAPHIQL_CSP
    assert answer.text == GRAPHIQL.html()
