"""The search through the lines of all jobs."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.viewer import ViewerVisit
from tests.client import Api, new_job_id

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_hits_of_all_jobs_are_found_by_job_and_lead_to_their_lines(visit: ViewerVisit, api: Api) -> None:
    word = new_job_id("needle")
    jobs = [new_job_id(f"JB_{n}") for n in range(2)]
    for job_id in jobs:
        api.start(job_id, "search_test")
        api.capture(job_id, "nothing", f"found \x1b[31m{word[:4]}\x1b[0m{word[4:]} here", f"and {word} again")
    await visit.open("/search")
    await visit.page.get_by_role("searchbox", name="Text").fill(word)
    await visit.press("Enter")
    await expect(visit.page.get_by_role("status").filter(has_text="lines in")).to_contain_text(
        "4 lines in 2 jobs, all that there are"
    )
    found = visit.page.get_by_role("region", name=f"Hits of {jobs[0]}")
    await expect(found.locator("mark").first).to_have_text(word)
    await found.get_by_role("link", name="Line 2", exact=True).click()
    await expect(visit.line(2)).to_be_in_viewport()
    assert await visit.parameter("search") == word


async def test_a_search_stops_when_it_has_enough_and_goes_on_when_asked(visit: ViewerVisit, api: Api) -> None:
    word, job_id = new_job_id("many"), new_job_id()
    api.capture(job_id, *[f"{word} {n}" for n in range(450)])
    await visit.open(f"/search?q={word}")
    state = visit.page.locator(".search-state")
    await expect(state).to_contain_text("200 lines in 1 job, looked back to")
    await state.get_by_role("button", name="Go on").click()
    await expect(state).to_contain_text("400 lines in 1 job")
    await state.get_by_role("button", name="Go on").click()
    await expect(state).to_contain_text("450 lines in 1 job, all that there are")


async def test_a_wrong_regular_expression_says_what_is_wrong(visit: ViewerVisit) -> None:
    await visit.open("/search?q=(&regex=1")
    await expect(visit.page.get_by_role("alert")).to_contain_text("not closed")
