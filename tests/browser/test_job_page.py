"""A job in the viewer: its head, its stages, when it said what, why it failed, and what differs from the last good run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.viewer import ViewerVisit
from tests.client import Api, new_job_id

pytestmark = pytest.mark.asyncio(loop_scope="session")

TRACEBACK = "Traceback (most recent call last):\n  File 'jobs.py', line 7, in store\nOSError: disk full"


@dataclass(frozen=True, slots=True)
class Runs:
    good: str
    bad: str
    parent: str


def line(stage: str, message: str, second: int, **more: Any) -> dict[str, Any]:
    return {"stage": stage, "message": message, "timestamp": f"2026-11-22T20:00:{second:02}Z", **more}


@pytest.fixture
def runs(api: Api) -> Runs:
    """A run that ended well, and one that failed, with three stages and twenty tasks each."""
    handler, parent = new_job_id("handler"), new_job_id("JB_PARENT")
    api.start(parent, "parent")
    jobs = [new_job_id("JB_GOOD"), new_job_id("JB_BAD")]
    for job_id, status in zip(jobs, ("COMPLETED", "FAILED"), strict=True):
        api.start(job_id, handler, source="https://example.com/a", parentJobId=parent, metadata={"team": "north"})
        api.capture(job_id, *(line("fetch", f"Fetched page {n}", n) for n in range(5)))
        api.capture(job_id, *(line("score", f"Scored {n}", n + 5, taskId=f"C_{n}") for n in range(20)))
        if status == "FAILED":
            grave = {"level": "ERROR", "metadata": {"traceback": TRACEBACK}}
            api.capture(job_id, line("store", "Row 7 could not be stored", 30, **grave))
            api.capture(job_id, line("store", "Giving up", 31, level="WARNING"))
        else:
            api.capture(job_id, line("store", "Stored 20 rows", 30))
        api.finish(job_id, status, error="OSError: disk full" if status == "FAILED" else None)
    return Runs(jobs[0], jobs[1], parent)


async def test_the_head_says_what_the_job_is(visit: ViewerVisit, runs: Runs) -> None:
    await visit.open_job(runs.bad)
    head = visit.page.get_by_role("banner").or_(visit.page.locator("header")).last
    for text in ("Failed", runs.bad, "https://example.com/a", "27", "1 error", "OSError: disk full"):
        await expect(head).to_contain_text(text)
    await expect(visit.page).to_have_title(
        f"Failed: {await head.get_by_role('heading').inner_text()} {runs.bad} - Jobtail"
    )
    await head.get_by_role("link", name=runs.parent).click()
    await expect(visit.page.get_by_role("button", name=runs.parent)).to_be_visible()
    await visit.page.get_by_text("Started 2 jobs").click()
    await visit.page.get_by_role("link", name=runs.good).click()
    await expect(visit.page.get_by_role("button", name=runs.good)).to_be_visible()


async def test_a_stage_or_a_task_narrows_the_log(visit: ViewerVisit, runs: Runs) -> None:
    await visit.open_job(runs.good)
    tree = visit.page.get_by_role("tree", name="Stages and tasks")
    await tree.get_by_role("treeitem").filter(has_text="fetch").click()
    await visit.until_seen([1, 2, 3, 4, 5])
    assert await visit.parameter("stage") == "fetch"
    await visit.press("ArrowDown", "ArrowRight")
    await tree.get_by_role("treeitem").filter(has_text="C_3").click()
    await visit.until_seen([9])
    await visit.page.reload()
    await visit.until_seen([9])
    await visit.page.get_by_role("button", name="Remove the filter task C_3").click()
    await expect(visit.page.get_by_text("20 of 26 lines")).to_be_visible()


async def test_the_timeline_narrows_the_log(visit: ViewerVisit, runs: Runs) -> None:
    await visit.open_job(runs.good)
    await visit.page.get_by_label("Stages over time").get_by_role("button", name="store").click()
    await visit.until_seen([26])
    await visit.open_job(runs.good)
    histogram = visit.page.get_by_role("slider", name="Lines over time")
    await histogram.focus()
    await visit.press("Home", "Enter")
    await visit.until_seen([1])
    assert await visit.parameter("since") < "2026-11-22T20:00:00.1" < await visit.parameter("until")


async def test_why_a_job_failed_is_one_click_away(visit: ViewerVisit, runs: Runs) -> None:
    await visit.open_job(runs.bad)
    await visit.page.get_by_role("link", name="Why did it fail?").click()
    failure = visit.page.get_by_role("region", name="Why it failed")
    for text in ("line 26 in store", "Row 7 could not be stored", "OSError: disk full", "Scored 19", "Giving up"):
        await expect(failure.get_by_text(text).first).to_be_visible()
    await failure.get_by_role("link", name="Show in the log").click()
    await expect(visit.line(26)).to_be_in_viewport()
    await expect(visit.page).to_have_url(re.compile("#L26$"))


async def test_a_job_stands_beside_the_last_good_run(visit: ViewerVisit, runs: Runs) -> None:
    await visit.open_job(runs.bad, "?view=failure", waits=False)
    await visit.page.get_by_role("link", name="Compare with the last good run").click()
    beside = visit.page.get_by_role("region", name="Beside the last good run")
    await expect(beside.get_by_role("link", name=runs.good)).to_be_visible()
    await expect(beside.get_by_role("listitem")).to_have_text(
        [
            "ERRORstore1 here, 0 thereRow <*> could not be stored",
            "WARNINGstore1 here, 0 thereGiving up",
            "INFOstore0 here, 1 thereStored <*> rows",
        ]
    )
    await expect(beside.get_by_role("row").filter(has_text="fetch")).to_contain_text("5 lines")
    await beside.get_by_role("link", name="Row <*> could not be stored").click()
    await expect(visit.line(26)).to_be_in_viewport()
