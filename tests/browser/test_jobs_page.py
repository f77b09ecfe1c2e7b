"""The list of jobs in the viewer, and the sample jobs as they run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.async_api import Browser, Locator, expect

from tests.browser.viewer import ViewerVisit
from tests.browser.visits import visiting
from tests.client import Api, new_job_id
from tests.conftest import SERVE_WITH_SAMPLES, CloneDatabase, Service, serving

pytestmark = pytest.mark.asyncio(loop_scope="session")

LIVE_MS = 30_000
"""How long the sample jobs may take to come so far."""


def row(visit: ViewerVisit, job_id: str) -> Locator:
    return visit.page.get_by_role("row").filter(has=visit.page.get_by_role("link", name=job_id, exact=True))


async def test_jobs_show_as_they_change(visit: ViewerVisit, api: Api) -> None:
    name = new_job_id("JB_SHOWN")
    await visit.open(f"/?search={name}")
    await expect(visit.page.get_by_text("No job matches")).to_be_visible()
    api.start(name, "shown", source="https://example.com/a", progressTotal=4)
    await expect(row(visit, name)).to_contain_text("Running")
    await expect(row(visit, name)).to_contain_text("https://example.com/a")
    api.capture(name, "said", {"stage": "read", "message": "gone", "level": "ERROR"})
    await expect(row(visit, name)).to_contain_text("1 error")
    api.finish(name, "FAILED", error="Traceback\nValueError: no email")
    await expect(row(visit, name)).to_contain_text("Failed")
    await expect(row(visit, name)).to_contain_text("ValueError: no email")


async def test_filters_choose_jobs_and_stay_in_the_address(visit: ViewerVisit, api: Api) -> None:
    handler = new_job_id("handler")
    jobs = {status: new_job_id(f"JB_{status}") for status in ("COMPLETED", "FAILED", "RUNNING")}
    for status, job_id in jobs.items():
        api.start(job_id, handler)
        if status != "RUNNING":
            api.finish(job_id, status)
    await visit.open()
    await visit.page.get_by_label("Handler").fill(handler)
    await expect(visit.page.get_by_text("3 jobs", exact=True)).to_be_visible()
    for status in ("Failed", "Running"):
        await visit.page.get_by_role("checkbox", name=status).check()
    for _ in range(2):
        await expect(row(visit, jobs["FAILED"])).to_be_visible()
        await expect(row(visit, jobs["RUNNING"])).to_be_visible()
        await expect(row(visit, jobs["COMPLETED"])).to_be_hidden()
        await visit.page.reload()
    await visit.page.get_by_role("searchbox", name="Find jobs").fill(jobs["FAILED"].lower())
    await expect(visit.page.get_by_text("1 job", exact=True)).to_be_visible()
    await visit.page.get_by_label("Time", exact=True).select_option("Last hour")
    await expect(row(visit, jobs["FAILED"])).to_be_visible()


async def test_a_list_is_walked_by_keys(visit: ViewerVisit, api: Api) -> None:
    handler = new_job_id("handler")
    jobs = [new_job_id("JB_KEYS") for _ in range(3)]
    for job_id in jobs:
        api.start(job_id, handler)
    await visit.open(f"/?handler={handler}")
    await expect(row(visit, jobs[0])).to_be_visible()
    await visit.press("j")
    await expect(visit.page.get_by_role("link", name=jobs[2])).to_be_focused()
    await visit.press("ArrowDown")
    await expect(visit.page.get_by_role("link", name=jobs[1])).to_be_focused()
    await visit.press("Enter")
    await expect(visit.page.get_by_role("button", name=jobs[1])).to_be_visible()
    await visit.page.go_back()
    await expect(row(visit, jobs[0])).to_be_visible()


async def test_runs_of_a_schedule_have_their_history(visit: ViewerVisit, api: Api) -> None:
    schedule = new_job_id("schedule")
    runs = [new_job_id("EX") for _ in range(3)]
    for execution_id, status in zip(runs, ("COMPLETED", "FAILED", "COMPLETED"), strict=True):
        job_id = new_job_id("JB_RUN")
        api.start(job_id, "scrape", executionId=execution_id, scheduleId=schedule)
        api.finish(job_id, status)
    await visit.open("/executions")
    await visit.page.get_by_role("heading", name=schedule).get_by_role("link").click()
    strip = visit.page.get_by_label(f"Runs of {schedule}, the newest last").get_by_role("link")
    await expect(strip).to_have_count(3)
    await strip.nth(1).click()
    await expect(visit.page.get_by_role("heading", name=runs[1])).to_be_visible()
    await visit.page.get_by_role("table", name=f"Jobs of {runs[1]}").get_by_role("link").click()
    await expect(visit.page.get_by_role("link", name=runs[1])).to_be_visible()


async def test_an_address_that_leads_nowhere_says_so(visit: ViewerVisit) -> None:
    await visit.open_job("nobody heard of", waits=False)
    await expect(visit.page.get_by_text("Nothing was heard of this job yet")).to_be_visible()


@pytest.fixture
def samples(new_database: CloneDatabase, migrated_template: str) -> Iterator[Service]:
    url = new_database(migrated_template)
    with serving(url, None, SERVE_WITH_SAMPLES, JOBTAIL_LOG_LEVEL="error") as service:
        yield service


async def test_the_sample_jobs_run_before_the_visitors_eyes(browser: Browser, samples: Service) -> None:
    async with visiting(browser, ViewerVisit, samples.url) as visit:
        await visit.open("/?handler=ingest_jd&search=backend-engineer")
        first = visit.page.get_by_role("row").filter(has_text="Running").get_by_role("link").last
        await first.click(timeout=LIVE_MS)
        await expect(visit.page.get_by_role("heading", name="ingest_jd")).to_be_visible()
        tree = visit.page.get_by_role("tree", name="Stages and tasks")
        await expect(tree.get_by_role("treeitem").filter(has_text="score_candidates")).to_be_visible(timeout=LIVE_MS)
        await expect(visit.standing).to_have_text("Finished: completed", timeout=LIVE_MS)
        await expect(visit.page.get_by_text("candidates scored").last).to_be_in_viewport()
        assert await visit.seqs() == list(range(min(await visit.seqs()), max(await visit.seqs()) + 1))
        await visit.page.get_by_role("link", name="Jobs", exact=True).click()
        await expect(visit.page.get_by_role("row").filter(has_text="Completed").first).to_be_visible()
        visit.assert_quiet()
