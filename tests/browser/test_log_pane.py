"""The log in the viewer: followed, filtered, searched, linked to and taken along."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.conftest import say
from tests.browser.viewer import ViewerVisit
from tests.client import Api, new_job_id
from tests.processes import until

pytestmark = pytest.mark.asyncio(loop_scope="session")


WATCH_SHIFTS = """() => {
  // What is scrolled, and the timeline as time goes on, move as they should.
  const moving = '[aria-label="Log lines"], [aria-label="Timeline"]';
  window.shifts = [];
  new PerformanceObserver((list) => {
    for (const { sources } of list.getEntries()) {
      for (const { node, previousRect, currentRect } of sources) {
        const moved = node instanceof Element ? node : node?.parentElement;
        const isSame = JSON.stringify(previousRect) === JSON.stringify(currentRect); // its text became longer
        if (!moved || isSame || moved.closest(moving)) continue;
        window.shifts.push(`${moved.outerHTML} ${JSON.stringify([previousRect, currentRect])}`);
      }
    }
  }).observe({ type: "layout-shift" });
}"""


async def test_the_end_is_followed(visit: ViewerVisit, api: Api, job_id: str) -> None:
    await visit.open_job(job_id)
    await expect(visit.line(500)).to_be_in_viewport()
    await expect(visit.standing).to_have_text("Connected")
    for first, last in ((501, 501), (502, 560)):
        say(api, job_id, first, last)
        await expect(visit.page.get_by_text(f"line {last} of the log", exact=True)).to_be_in_viewport()
    api.finish(job_id)
    await expect(visit.standing).to_have_text("Finished: completed")


async def test_who_scrolls_up_stays_there_and_hears_how_many_lines_came(
    visit: ViewerVisit, api: Api, job_id: str
) -> None:
    await visit.open_job(job_id)
    await expect(visit.line(500)).to_be_in_viewport()
    await visit.scroll(-700)
    end = visit.page.get_by_role("button", name="End ↓")
    await expect(end).to_be_visible()
    before = await visit.seen()
    assert 500 not in [row.seq for row in before]
    say(api, job_id, 501, 503)
    news = visit.page.get_by_role("button", name="3 new lines ↓")
    await expect(news).to_be_visible()
    assert await visit.seen() == before
    say(api, job_id, 504, 504)
    await visit.page.get_by_role("button", name="4 new lines ↓").click()
    await expect(visit.line(504)).to_be_in_viewport()
    say(api, job_id, 505, 505)
    await expect(visit.line(505)).to_be_in_viewport()


async def test_nothing_shifts_while_lines_arrive(visit: ViewerVisit, api: Api, job_id: str) -> None:
    await visit.open_job(job_id)
    await expect(visit.line(500)).to_be_in_viewport()
    await expect(visit.standing).to_have_text("Connected")
    await visit.ask(WATCH_SHIFTS)
    for first in range(501, 560, 10):
        say(api, job_id, first, first + 9)
        await expect(visit.line(first + 9)).to_be_in_viewport()
    shifted = set(await visit.ask("() => window.shifts"))
    assert not shifted, "\n".join(shifted)


async def test_levels_choose_lines(visit: ViewerVisit, api: Api, job_id: str) -> None:
    await visit.open_job(job_id)
    await visit.page.get_by_label("Levels", exact=True).click()
    await visit.page.get_by_label("From this level on").select_option("ERROR")
    await visit.until_seen([100, 200, 300, 400, 500])
    assert await visit.parameter("minLevel") == "ERROR"
    await expect(visit.page.get_by_text("5 of 500 lines")).to_be_visible()
    say(api, job_id, 501, 600)
    await visit.until_seen([100, 200, 300, 400, 500, 600])
    await visit.page.reload()
    await visit.until_seen([100, 200, 300, 400, 500, 600])
    await visit.page.get_by_role("button", name="Remove the filter ≥ ERROR").click()
    await expect(visit.line(599)).to_be_visible()
    await visit.open_job(job_id, "?level=DEBUG&stage=stage_1&until=2100-01-01T00:00:00Z")
    await expect(visit.page.get_by_text("22 of 600 lines")).to_be_visible()


async def test_a_search_goes_through_the_whole_job(visit: ViewerVisit, job_id: str) -> None:
    await visit.open_job(job_id)
    await visit.press("/")
    await visit.page.keyboard.type("LINE 12")
    await expect(visit.hits).to_have_text("11 matches")
    for step, hit, place in (("Enter", 12, "1 of 11"), ("Enter", 120, "2 of 11"), ("Shift+Enter", 12, "1 of 11")):
        await visit.press(step)
        await expect(visit.line(hit)).to_be_in_viewport()
        await expect(visit.hits).to_have_text(place)
    assert await visit.line(12).locator("mark").all_inner_texts() == ["line 12"]
    await visit.press("Shift+Enter")
    await expect(visit.line(129)).to_be_in_viewport()
    await expect(visit.hits).to_have_text("11 of 11")
    await visit.page.get_by_role("button", name="Filter: only matching lines").click()
    await visit.until_seen([12, *range(120, 130)])
    await visit.page.get_by_role("button", name="Regular expression").click()
    await visit.search.fill("line [34]00")
    await visit.until_seen([300, 400])
    await visit.search.fill("line (")
    await expect(visit.page.get_by_role("alert").first).to_contain_text("line (")
    await visit.press("Escape")
    await expect(visit.hits).to_be_empty()


async def test_the_browsers_key_for_finding_is_that_of_the_search_which_sees_the_whole_job(
    visit: ViewerVisit, job_id: str
) -> None:
    await visit.open_job(job_id)
    await visit.page.evaluate(
        "window.left = []; addEventListener('keydown', (event) => event.key === 'f' && left.push(!event.defaultPrevented))"
    )
    await visit.press("Control+f")
    await expect(visit.search).to_be_focused()
    await visit.press("Control+f")
    assert await visit.page.evaluate("window.left") == [False, True], "the second one is the browser's"


async def test_a_link_leads_to_its_lines(visit: ViewerVisit, job_id: str) -> None:
    await visit.open_job(job_id, "#L120-L140")
    for _ in range(2):
        await expect(visit.line(120)).to_be_in_viewport()
        marked = visit.page.locator("[role=row][aria-selected=true]")
        seqs = [int(seq or 0) for seq in await marked.evaluate_all("(rows) => rows.map((row) => row.dataset.seq)")]
        assert seqs == [seq for seq in range(120, 141) if seq in seqs]
        assert seqs[0] == 120
        assert len(seqs) > 5
        await visit.page.reload()
    await visit.page.get_by_role("link", name="Line 125", exact=True).click()
    await visit.page.get_by_role("link", name="Line 127", exact=True).click(modifiers=["Shift"])
    await expect(visit.page).to_have_url(re.compile("#L125-L127$"))
    for key, wanted in (("y", visit.page.url), ("c", "\n".join(f"line {n} of the log" for n in (125, 126, 127)))):
        await visit.press(key)
        await until(partial(has_copied, visit, wanted))


async def has_copied(visit: ViewerVisit, text: str) -> bool:
    return bool(await visit.ask("() => navigator.clipboard.readText()") == text)


async def test_a_line_shows_all_that_is_known_of_it(visit: ViewerVisit, api: Api) -> None:
    job_id = new_job_id("JB_LOG")
    trace = (
        "Traceback (most recent call last):\n" + "\n".join(f"  frame {n}" for n in range(30)) + "\nKeyError: 'email'"
    )
    long = "x" * 5_000 + " the end"
    api.capture(
        job_id,
        {"stage": "read", "message": "\x1b[31mred\x1b[0m <b>bold</b>", "metadata": {"score": 91.5}},
        {"stage": "read", "message": trace, "level": "ERROR"},
        {"stage": "read", "message": long, "taskId": "C_1"},
    )
    await visit.open_job(job_id)
    red = visit.line(1).get_by_text("red", exact=True)
    assert await visit.ask("(red) => getComputedStyle(red).color", await red.element_handle()) != await visit.ask(
        "(row) => getComputedStyle(row).color", await visit.line(1).element_handle()
    )
    await expect(visit.line(1)).to_contain_text("red <b>bold</b>")
    await visit.page.get_by_role("button", name="Show details of line 1").click()
    await expect(visit.line(1)).to_contain_text('"score": 91.5')
    await expect(visit.line(2)).to_contain_text("KeyError: 'email'")
    await expect(visit.line(2)).not_to_contain_text("frame 17")
    await visit.line(2).get_by_role("button", name="more lines").click()
    await expect(visit.line(2)).to_contain_text("frame 17")
    await visit.line(3).get_by_role("button", name="characters").click()
    await expect(visit.line(3).locator("[data-text]")).to_have_text(long)


async def test_a_log_is_downloaded(visit: ViewerVisit, api: Api, job_id: str, tmp_path: Path) -> None:
    await visit.open_job(job_id, "?minLevel=ERROR")
    for form, ending in (("Text", "log"), ("NDJSON", "ndjson")):
        await visit.page.get_by_label("Download", exact=True).click()
        async with visit.page.expect_download() as download:
            await visit.page.get_by_role("button", name=form, exact=True).click()
        saved = await download.value
        assert saved.suggested_filename == f"{job_id}.{ending}"
        await saved.save_as(tmp_path / ending)
        lines = (tmp_path / ending).read_text().splitlines()
        assert [re.search(r"line \d+", each)[0] for each in lines] == [f"line {n}00" for n in range(1, 6)]  # type: ignore[index]
        await visit.press("Escape")
