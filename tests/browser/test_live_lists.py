"""Lists of jobs that are true while they say that they are live, and the way back to them."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from tests.browser.viewer import ViewerVisit
from tests.browser.visits import visiting
from tests.client import Api, new_job_id
from tests.conftest import Service

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def until_listed(visit: ViewerVisit, *jobs: str) -> None:
    await expect(visit.page.locator(".job-row .job-id")).to_have_text(list(jobs))
    count = f"{len(jobs)} job{'' if len(jobs) == 1 else 's'}"
    await expect(visit.page.locator(".page-head")).to_contain_text(count)


@pytest.fixture
def jobs(api: Api) -> list[str]:
    """Three running jobs of one handler, the oldest first. Their handler is the first one's id."""
    ids = [new_job_id(f"JB_{n}") for n in range(3)]
    for job_id in ids:
        api.start(job_id, ids[0])
    return ids


async def test_a_job_shows_in_its_place_when_it_begins_to_match_and_goes_when_it_ceases(
    visit: ViewerVisit, api: Api, jobs: list[str]
) -> None:
    old, middle, new = jobs
    api.finish(new, "FAILED", error="x")
    await visit.open(f"/?status=FAILED&handler={old}")
    await until_listed(visit, new)
    api.finish(old, "FAILED", error="x")
    await until_listed(visit, new, old)
    api.finish(middle, "FAILED", error="x")
    await until_listed(visit, new, middle, old)
    api.start(new, old)
    await until_listed(visit, middle, old)


async def test_a_search_in_errors_and_a_choice_of_errors_are_live_too(
    visit: ViewerVisit, api: Api, jobs: list[str]
) -> None:
    old, middle, _ = jobs
    await visit.open(f"/?handler={old}&search=quota")
    await until_listed(visit)
    api.finish(old, "FAILED", error="disk \x1b[31mquo\x1b[0mta exceeded")
    await until_listed(visit, old)
    await visit.open(f"/?handler={old}&errors=1")
    await until_listed(visit)
    api.capture(middle, {"stage": "read", "message": "gone", "level": "ERROR"})
    await until_listed(visit, middle)


async def test_a_job_that_joins_an_execution_shows_on_its_page(visit: ViewerVisit, api: Api, jobs: list[str]) -> None:
    execution = new_job_id("EX")
    api.start(jobs[2], executionId=execution)
    await visit.open(f"/executions/{execution}")
    await expect(visit.page.locator(".job-row .job-id")).to_have_text([jobs[2]])
    api.start(jobs[0], executionId=execution)
    await expect(visit.page.locator(".job-row .job-id")).to_have_text([jobs[2], jobs[0]])


async def test_back_leads_to_the_same_place_of_the_list(visit: ViewerVisit, api: Api) -> None:
    handler = new_job_id("back")
    for n in range(60):
        api.start(f"{handler}_{n}", handler)
    await visit.open(f"/?handler={handler}")
    await expect(visit.page.get_by_text("60 jobs", exact=True)).to_be_visible()
    await visit.page.evaluate("scrollTo(0, 900)")
    await visit.page.wait_for_function("() => scrollY === 900 && history.state?.scroll === 900")
    await visit.page.get_by_role("link", name=f"{handler}_20", exact=True).click()
    await expect(visit.page.get_by_role("heading", name=handler)).to_be_visible()
    await visit.page.go_back()
    await visit.page.wait_for_function("() => Math.abs(scrollY - 900) < 2 && document.querySelector('.job-row')")


async def test_a_job_named_two_dots_has_a_page(visit: ViewerVisit, api: Api) -> None:
    handler = new_job_id("dots")
    api.start("..", handler)
    api.capture("..", "hello")
    await visit.open(f"/?handler={handler}")
    await visit.page.get_by_role("link", name="..", exact=True).click()
    await expect(visit.lines).to_contain_text("hello")
    await visit.page.reload()
    await expect(visit.lines).to_contain_text("hello")


async def test_the_page_works_where_site_data_is_blocked(browser: Browser, shared: Service, api: Api) -> None:
    job_id = new_job_id()
    api.capture(job_id, "hello")
    async with visiting(browser, ViewerVisit, shared.url) as visit:
        await visit.page.add_init_script(
            "for (const name of ['localStorage', 'sessionStorage'])"
            " Object.defineProperty(window, name, { get() { throw new DOMException('denied', 'SecurityError'); } });"
        )
        await visit.open_job(job_id)
        await expect(visit.lines).to_contain_text("hello")
        await expect(visit.standing).to_have_text("Connected")
        await visit.press("w", "t", "u", "T")
        visit.assert_quiet()


async def test_a_period_is_said_by_the_clock_of_the_lines(visit: ViewerVisit, api: Api) -> None:
    job_id = new_job_id()
    api.capture(job_id, {"stage": "read", "message": "hello", "timestamp": "2026-11-22T14:30:00Z"})
    await visit.page.add_init_script("localStorage.setItem('jobtail.log.time', 'utc')")
    await visit.open_job(job_id, "?since=2026-11-22T14:00:00Z&until=2026-11-22T15:00:00Z")
    filters = visit.page.get_by_role("list", name="Filters")
    await expect(filters).to_contain_text("2026-11-22 14:00:00.000Z to 2026-11-22 15:00:00.000Z")
