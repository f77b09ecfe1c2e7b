"""GraphiQL in a real browser, on a running service: offline, quiet, and with examples that run as they stand."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest
from playwright.async_api import ConsoleMessage, Page, Request, Route, WebSocket, async_playwright, expect
from playwright.async_api import TimeoutError as PlaywrightTimeoutError

from graph.built_page import BuiltPage
from graph.ide import GRAPHIQL, GRAPHIQL_CSP

CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


class Service(Protocol):
    @property
    def url(self) -> str: ...


@dataclass
class Visit:
    """A visitor with an empty profile, and what the page did on the way."""

    page: Page
    service_url: str
    foreign: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

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
        await self._until("text => localStorage.getItem('graphiql:tabState').includes(text)", text, 10_000)

    async def _until(self, condition: str, argument: str, timeout_ms: float) -> None:
        try:
            await self.page.wait_for_function(condition, arg=argument, timeout=timeout_ms)
        except PlaywrightTimeoutError as error:
            shown = await self.page.locator(".result-window").inner_text()
            raise TimeoutError(f"{argument!r} has not come; shown: {shown}") from error

    def watch(self) -> None:
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._on_request)
        self.page.on("websocket", self._on_websocket)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def _on_request(self, request: Request) -> None:
        if not self.is_own(request.url):
            self.foreign.append(request.url)

    def _on_websocket(self, websocket: WebSocket) -> None:
        if not self.is_own(websocket.url.replace("ws", "http", 1)):
            self.foreign.append(websocket.url)

    def is_own(self, url: str) -> bool:
        return url.startswith((f"{self.service_url}/", "data:", f"blob:{self.service_url}/"))


@dataclass(frozen=True)
class Api:
    client: httpx.AsyncClient

    async def ask(self, query: str, **variables: Any) -> Any:
        answer = (await self.client.post("/graphql", json={"query": query, "variables": variables})).json()
        assert not answer.get("errors"), answer
        return answer["data"]

    async def start_job(self) -> str:
        job_id = f"JB_GRAPHIQL_{uuid.uuid4().hex[:8]}"
        await self.ask(
            "mutation ($input: StartJobInput!) { startJob(input: $input) { jobId } }",
            input={"jobId": job_id, "handlerName": "graphiql_test"},
        )
        return job_id

    async def capture(self, job_id: str, *messages: str) -> None:
        await self.ask(
            """
            mutation ($jobId: String!, $lines: [CaptureLineInput!]!) {
              captureLogs(jobId: $jobId, lines: $lines) { lastSeq }
            }
            """,
            jobId=job_id,
            lines=[{"stage": "read_jd", "message": message} for message in messages],
        )

    async def finish_job(self, job_id: str) -> None:
        await self.ask(
            "mutation ($input: FinishJobInput!) { finishJob(input: $input) { status } }",
            input={"jobId": job_id, "status": "COMPLETED"},
        )


@pytest.fixture
async def api(service: Service) -> AsyncIterator[Api]:
    async with httpx.AsyncClient(base_url=service.url) as client:
        yield Api(client)


@pytest.fixture
async def visit(service: Service) -> AsyncIterator[Visit]:
    if not CHROMIUM:
        pytest.skip("no chromium on the PATH (Debian: apt-get install chromium)")
    if not GRAPHIQL.file.exists():
        pytest.skip("GraphiQL is not built (make web)")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        visit = Visit(await browser.new_page(), service.url.rstrip("/"))
        visit.watch()

        async def only_the_service(route: Route) -> None:
            await (route.continue_() if visit.is_own(route.request.url) else route.abort())

        await visit.page.route("**/*", only_the_service)
        yield visit
        await browser.close()


async def test_the_page_asks_nobody_but_the_service_and_reports_no_fault(visit: Visit, api: Api) -> None:
    await api.capture(await api.start_job(), "one line")
    await visit.open()
    await expect(visit.page).to_have_title("GraphiQL - Jobtail")
    await visit.page.get_by_role("button", name="Show Documentation Explorer").click()
    await expect(visit.page.locator(".graphiql-doc-explorer")).to_contain_text("Subscription")
    for tab in ("NewestJobs", "JobHierarchy", "JobLogs"):
        await visit.choose(tab)
        await visit.run()
        await visit.expect_result(r'^\{\s*"data": \{')
    assert visit.foreign == []
    assert visit.complaints == []


async def test_the_first_example_shows_the_newest_jobs(visit: Visit, api: Api) -> None:
    job_id = await api.start_job()
    await visit.open()
    await visit.run()
    await visit.expect_result(job_id)


async def test_the_second_example_shows_the_newest_jobs_stages_and_lines(visit: Visit, api: Api) -> None:
    job_id = await api.start_job()
    await api.capture(job_id, "Reading job description")
    await visit.open()
    await visit.choose("JobHierarchy")
    await visit.run()
    await visit.expect_result(f"{job_id}.*read_jd.*Reading job description")


async def test_the_third_example_shows_jobs_as_their_lines_arrive(visit: Visit, api: Api) -> None:
    job_id = await api.start_job()
    await visit.open()
    await visit.choose("JobsUpdated")
    await visit.run()
    captured = await capture_until_shown(visit, api, job_id)
    await api.capture(job_id, "one more", "and another")
    await visit.expect_result(rf'"{job_id}".*"lastSeq": {captured + 2}\b')
    assert visit.foreign == []
    assert visit.complaints == []


async def capture_until_shown(visit: Visit, api: Api, job_id: str) -> int:
    """The stream begins with no event, so nothing tells that it stands: a line is captured until one shows."""
    for captured in range(1, 40):
        await api.capture(job_id, f"line {captured}")
        try:
            await visit.expect_result(f'"{job_id}"', timeout_ms=500)
        except TimeoutError:
            continue
        return captured
    raise AssertionError(f"no event of {job_id} arrived")


async def test_the_fourth_example_follows_the_newest_job_to_its_end(visit: Visit, api: Api) -> None:
    job_id = await api.start_job()
    await api.capture(job_id, "stored before")
    await visit.open()
    await visit.choose("JobLogs")
    await visit.run()
    await visit.expect_result("stored before")
    await api.capture(job_id, "captured live")
    await visit.expect_result("captured live")
    await api.finish_job(job_id)
    await visit.expect_result('"jobStatus": "COMPLETED"')
    await expect(visit.page.get_by_role("button", name="Execute query")).to_be_visible()


async def test_a_returning_visitor_finds_the_tabs_as_they_were_left(visit: Visit) -> None:
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


async def test_a_visitor_who_only_looked_finds_no_further_tab(visit: Visit) -> None:
    await visit.open()
    await visit.page.reload()
    await expect(visit.page.get_by_role("tab", name="NewestJobs")).to_be_visible()
    assert await visit.tabs() == ["NewestJobs", "JobHierarchy", "JobsUpdated", "JobLogs"]


async def test_a_browser_gets_the_page_with_its_policy(service: Service) -> None:
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{service.url}/graphql", headers={"accept": "text/html"})
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-security-policy"] == GRAPHIQL_CSP
    assert answer.text == GRAPHIQL.html()


def test_a_page_that_is_not_built_says_how_to_build_it(tmp_path: Path) -> None:
    page = BuiltPage("The page", tmp_path / "index.html", "default-src 'none'")
    assert "make web" in page.html()
    page.file.write_text("built", encoding="utf-8")
    assert page.html() == "built"
