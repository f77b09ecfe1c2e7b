"""The failure view: what failed, and why, as the viewer tells it."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.viewer import ViewerVisit
from tests.client import Api, new_job_id

pytestmark = pytest.mark.asyncio(loop_scope="session")

FRAMES = "".join(f'  File "/srv/module_{n}.py", line {n}, in call\n' for n in range(80))
TRACEBACK = f"giving up\nTraceback (most recent call last):\n{FRAMES}RuntimeError: disk quota exceeded"
ERROR = "RuntimeError: disk quota exceeded\n(Background on this error at: https://errors.example/7)"


def grave(message: str, **more: object) -> dict[str, object]:
    return {"stage": "store", "level": "ERROR", "message": message, **more}


async def test_the_line_that_ended_a_job_is_shown_before_its_first_error(visit: ViewerVisit, api: Api) -> None:
    job_id = new_job_id()
    api.capture(job_id, *[grave(f"order {n}: cache miss") for n in range(3)], *["said"] * 50, grave(TRACEBACK))
    api.finish(job_id, "FAILED", error=ERROR)
    await visit.open_job(job_id, "?view=failure", waits=False)
    heads = visit.page.locator(".failure h2")
    await expect(heads).to_have_text(
        ["What the job ended with", "What ended it", "First error", "All kinds of errors", "The lines around it"]
    )
    cause = visit.page.get_by_label("What ended it")
    await expect(cause).to_contain_text("RuntimeError: disk quota exceeded")
    assert await cause.evaluate("box => box.scrollHeight - box.clientHeight - box.scrollTop") < 2
    kinds = visit.page.locator(".kinds tbody tr")
    await expect(kinds.nth(1)).to_contain_text("3")
    await expect(kinds.nth(1)).to_contain_text("order <*>: cache miss")
    await expect(visit.page.locator(".context-line[aria-current]")).to_contain_text("54")


async def test_a_command_without_an_error_line_shows_the_end_of_its_log(visit: ViewerVisit, api: Api) -> None:
    job_id = new_job_id()
    lines = [{"stage": "main", "message": f"test {n}", "metadata": {"stream": "stdout"}} for n in range(1, 60)]
    api.capture(job_id, *lines, {"stage": "main", "message": "2 failed, 57 passed", "metadata": {"stream": "stderr"}})
    api.finish(job_id, "FAILED", error="exit status 1")
    await visit.open_job(job_id, "?view=failure", waits=False)
    shown = visit.page.locator(".context-line")
    await expect(shown).to_have_count(30)
    await expect(shown.last).to_contain_text("2 failed, 57 passed")
    await expect(visit.page.locator("[data-stream=stderr]")).to_have_count(1)


async def test_a_failed_parent_leads_to_the_child_that_failed_in_one_click(visit: ViewerVisit, api: Api) -> None:
    parent = new_job_id()
    api.start(parent)
    for name in ("second", "first"):
        api.start(f"{parent}-{name}", parentJobId=parent)
        api.capture(f"{parent}-{name}", grave(f"ValueError: {name} has no price"))
    for name in ("first", "second"):
        api.finish(f"{parent}-{name}", "FAILED", error=f"ValueError: {name} has no price")
    api.finish(parent, "FAILED", error="a part failed")
    await visit.open_job(parent, "?view=failure", waits=False)
    children = visit.page.locator(".failed-children li")
    await expect(children.nth(0)).to_contain_text("ValueError: first has no price")
    await expect(children.nth(1)).to_contain_text("ValueError: second has no price")
    await children.nth(0).get_by_role("link").click()
    await expect(visit.page.get_by_label("What ended it")).to_contain_text("ValueError: first has no price")


async def test_the_list_and_the_head_say_what_went_wrong(visit: ViewerVisit, api: Api) -> None:
    job_id = new_job_id()
    api.start(job_id)
    api.finish(job_id, "FAILED", error=ERROR)
    await visit.open(f"/?search={job_id}")
    reason = visit.page.locator(".job-row .job-about")
    assert await reason.inner_text() == "RuntimeError: disk quota exceeded"
    await visit.press("j")
    await expect(visit.page.get_by_role("tooltip")).to_contain_text("errors.example")
    await visit.open_job(job_id, waits=False)
    await expect(visit.page.locator(".job-why summary")).to_have_text("RuntimeError: disk quota exceeded")


async def test_an_error_of_one_long_line_leaves_room_for_the_log(visit: ViewerVisit, api: Api) -> None:
    job_id = new_job_id()
    api.capture(job_id, "hello")
    api.finish(job_id, "FAILED", error="IntegrityError: duplicate keys " + ", ".join(map(str, range(10_000))))
    await visit.open_job(job_id)
    await expect(visit.line(1)).to_be_in_viewport()


async def test_a_job_that_is_silent_says_since_when(visit: ViewerVisit, api: Api) -> None:
    job_id = new_job_id()
    api.start(job_id)
    api.capture(job_id, "one", "two")
    await visit.page.clock.install()
    await visit.open_job(job_id)
    silent = visit.page.locator(".facts time.silent")
    await expect(silent).to_have_count(0)
    await visit.page.clock.fast_forward("30:00")
    await expect(silent).to_have_text("30 min ago")
