"""Texts as a terminal would show them, in every place of the viewer."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.viewer import ViewerVisit
from tests.client import Api, new_job_id

pytestmark = pytest.mark.asyncio(loop_scope="session")

RED = "\x1b[1;31mred\x1b[0m"
BAR = "".join(f"\r{done:3d} %" for done in range(0, 101, 10))
FRAMES = "".join(f'  File "/srv/module_{n}.py", line {n}, in call\n    return call({n})\n' for n in range(60))
TRACEBACK = f"Traceback (most recent call last):\n{FRAMES}KeyError: 'price'"


async def texts(visit: ViewerVisit) -> list[str | None]:
    return [row.text for row in await visit.seen()]


async def test_the_log_shows_the_last_state_of_what_was_written_over(visit: ViewerVisit, api: Api) -> None:
    job_id = new_job_id()
    messages = [BAR, "step A\r\x1b[Kready", "50%\b\b\b100%", "one\x85two", "gpj.\u202eexe", "cut \x1b[38;5"]
    api.capture(job_id, *messages)
    await visit.open_job(job_id)
    await visit.until_text_of(6)
    assert await texts(visit) == ["100 %", "ready", "100%", "one", "gpj.exe", "cut "]
    await visit.line(1).get_by_role("button", name="Show details of line 1").click()
    await expect(visit.page.get_by_label("Message of line 1")).to_have_text("100 %")


async def test_no_place_shows_what_steers_a_terminal(visit: ViewerVisit, api: Api) -> None:
    job_id = new_job_id()
    execution = new_job_id("EX")
    api.start(job_id, f"import {RED}", source=f"queue {RED}", executionId=execution)
    api.capture(job_id, {"stage": f"read {RED}", "message": f"{RED} alert", "level": "ERROR"})
    api.finish(job_id, "FAILED", error=f"OSError: {RED} connection refused")
    for path in (
        f"/jobs/{job_id}",
        f"/jobs/{job_id}?view=failure",
        f"/?search={job_id}",
        f"/executions/{execution}",
        "/executions",
    ):
        await visit.open(path)
        await expect(visit.page.get_by_text("red").first).to_be_visible()
        assert "[1;31m" not in await visit.page.inner_text("body"), path


async def test_a_long_traceback_shows_its_exception_and_unfolds_whole(visit: ViewerVisit, api: Api) -> None:
    job_id = new_job_id()
    api.capture(job_id, {"stage": "read", "message": TRACEBACK, "level": "ERROR"})
    await visit.open_job(job_id, "?search=KeyError")
    line = visit.line(1)
    await expect(line).to_contain_text("KeyError: 'price'")
    await expect(line.locator("mark")).to_have_text("KeyError")
    await line.get_by_role("button", name="121 more lines").click()
    await expect(line.locator("[data-text]")).to_contain_text("module_30.py")
    await expect(line.locator("[data-text]")).to_contain_text("module_59.py")


async def test_what_is_searched_is_what_is_shown(visit: ViewerVisit, api: Api) -> None:
    job_id = new_job_id()
    api.capture(job_id, "\x1b[1mERROR\x1b[0m: disk full", "all is well")
    await visit.open_job(job_id, "?search=ERROR%3A%20disk")
    await expect(visit.hits).to_have_text("1 match")
    assert await visit.line(1).locator("mark").all_inner_texts() == ["ERROR", ": disk"]
    await visit.search.fill("[0m")
    await expect(visit.hits).to_have_text("No match")


async def test_addresses_are_links_and_nothing_else_is(visit: ViewerVisit, api: Api) -> None:
    job_id = new_job_id()
    api.capture(
        job_id,
        "see https://docs.example/a?b=c.",
        "\x1b]8;;https://ci.example/7\x1b\\build 7\x1b]8;;\x1b\\",
        "\x1b]8;;javascript:alert(1)\x07press\x1b]8;;\x07",
    )
    await visit.open_job(job_id)
    await visit.until_text_of(3)
    links = visit.lines.locator("[data-text] a")
    assert await links.evaluate_all("all => all.map(each => [each.textContent, each.href, each.rel])") == [
        ["https://docs.example/a?b=c", "https://docs.example/a?b=c", "noopener noreferrer"],
        ["build 7", "https://ci.example/7", "noopener noreferrer"],
    ]


async def test_numbers_of_metadata_are_shown_as_they_were_captured(visit: ViewerVisit, api: Api) -> None:
    job_id = new_job_id()
    await visit.open_job(job_id, waits=False)
    api.capture(
        job_id, {"stage": "read", "message": "stored", "metadata": {"order": 1546130668394913822, "share": 1.0}}
    )
    await visit.until_text_of(1)
    await visit.line(1).get_by_role("button", name="Show details of line 1").click()
    await expect(visit.page.get_by_label("Metadata of line 1")).to_contain_text("1546130668394913822")
    await expect(visit.page.get_by_label("Metadata of line 1")).to_contain_text("1.0")
