"""The viewer as a whole: for everybody, on every screen, by keys alone, and with a token."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from playwright.async_api import Browser, expect

from domain.access import Scope
from graph.access.gate import make_token
from persistence.database import Database
from persistence.stores.token_store import PostgresTokenStore
from tests.browser.viewer import ViewerVisit
from tests.browser.visits import visiting
from tests.client import Api, new_job_id
from tests.conftest import ROOT, Service, serving

pytestmark = pytest.mark.asyncio(loop_scope="session")

AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
FINDINGS = """async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
}"""


@pytest.fixture
def failed_id(api: Api) -> str:
    """A job of an execution with what there is to see: tasks, all levels, a long record, an error, a run before it."""
    handler = new_job_id("handler")
    jobs = [new_job_id("JB_WHOLE") for _ in range(2)]
    for job_id, status in zip(jobs, ("COMPLETED", "FAILED"), strict=True):
        api.start(
            job_id, handler, source="https://example.com/" + "a" * 100, executionId=new_job_id("EX"), scheduleId=handler
        )
        api.capture(
            job_id,
            *({"stage": "read", "message": f"said at {level}", "level": level} for level in ("TRACE", "DEBUG", "INFO")),
            {"stage": "score", "taskId": "C_1", "message": "x" * 500, "metadata": {"score": 0.5}},
            {"stage": "score", "taskId": "C_2", "message": "\x1b[33mmany\x1b[0m\nlines\n" * 10, "level": "WARNING"},
        )
        if status == "FAILED":
            api.capture(job_id, {"stage": "store", "message": "Traceback\n  in f\nOSError", "level": "ERROR"})
        api.finish(job_id, status, error="OSError" if status == "FAILED" else None)
    return jobs[-1]


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_on_any_page(
    browser: Browser, shared: Service, failed_id: str, scheme: Literal["light", "dark"], width: int
) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not installed (make lint)")
    async with visiting(
        browser, ViewerVisit, shared.url, color_scheme=scheme, viewport={"width": width, "height": 900}
    ) as visit:
        found: dict[str, Any] = {}
        for view in ("", "?view=failure", "?view=comparison", "?minLevel=WARNING&search=lines"):
            await visit.open_job(failed_id, view, waits="view" not in view)
            if "view" in view:
                await expect(visit.page.locator("section.view")).to_be_visible()
            else:
                await visit.page.get_by_role("button", name="Show details of line").last.click()
            found[view] = await axe_findings(visit)
        await visit.press("?")
        found["keys"] = await axe_findings(visit)
        for path in ("/", "/executions", "/search?q=said", "/nowhere"):
            await visit.open(path)
            await expect(visit.page.get_by_role("heading").first).to_be_visible()
            found[path] = await axe_findings(visit)
        grave = {finding for findings in found.values() for finding in findings}
        assert not grave, "\n".join(sorted(grave))


async def axe_findings(visit: ViewerVisit) -> Any:
    if not await visit.ask("() => 'axe' in window"):
        await visit.ask(AXE.read_text(encoding="utf-8"))
    return await visit.ask(FINDINGS)


SCREENS: dict[str, dict[str, Any]] = {
    "phone": {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True},
    "4K": {"viewport": {"width": 3840, "height": 2160}},
}


@pytest.mark.parametrize("screen", SCREENS)
async def test_the_page_fits_the_screen(
    browser: Browser, shared: Service, api: Api, job_id: str, failed_id: str, screen: str
) -> None:
    async with visiting(browser, ViewerVisit, shared.url, **SCREENS[screen]) as visit:
        for path in ("/", "/executions", f"/jobs/{failed_id}?view=failure", f"/jobs/{failed_id}?view=comparison"):
            await visit.open(path)
            await expect(visit.page.get_by_role("heading").first).to_be_visible()
            assert await visit.overflow() <= 0, path
        await visit.open_job(job_id)
        await expect(visit.line(500)).to_be_in_viewport()
        assert await visit.overflow() <= 0
        seen = await visit.seen()
        assert len(seen) > (80 if screen == "4K" else 10)
        if screen == "phone":
            await visit.page.get_by_role("button", name="Stages").click()
            await visit.page.get_by_role("treeitem").filter(has_text="stage_0").click()
            await expect(visit.line(250)).to_be_in_viewport()
            assert await visit.overflow() <= 0
        visit.assert_quiet()


async def test_everything_is_reached_by_keys(visit: ViewerVisit, failed_id: str) -> None:
    await visit.open_job(failed_id)
    await visit.press("Tab")
    await expect(visit.page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await visit.press("?")
    keys = visit.page.get_by_role("dialog", name="Keys")
    for does in (
        "Search the log",
        "Next error",
        "Last line, and follow",
        "Compare with the last good run",
        "Dark or light",
    ):
        await expect(keys.get_by_text(does, exact=True)).to_be_visible()
    await visit.press("Escape")
    await expect(keys).to_be_hidden()
    await visit.press("s")
    await expect(visit.page.get_by_role("treeitem").first).to_be_focused()
    await visit.press("Enter")
    await visit.until_seen([1, 2, 3])
    await visit.page.get_by_role("button", name="Remove the filter stage read").press("Enter")
    await visit.press("g", "e")
    await expect(visit.page.locator("[role=row][data-seq='6'][aria-selected=true]")).to_be_visible()
    await visit.press("o")
    await expect(visit.line(6).get_by_role("button", name="Hide details")).to_be_visible()
    await visit.press("m")
    await expect(visit.page).to_have_url(re.compile("#L6$"))
    await visit.press("x")
    await expect(visit.page.get_by_role("region", name="Why it failed")).to_be_visible()
    await visit.press("d")
    await expect(visit.page.get_by_role("region", name="Beside the last good run")).to_be_visible()
    await visit.press("l")
    await expect(visit.lines).to_be_visible()
    await visit.press("2")
    await expect(visit.page.get_by_role("heading", name="Executions")).to_be_visible()
    await visit.press("1")
    await expect(visit.page.get_by_role("heading", name="Jobs")).to_be_visible()


async def test_dark_and_light_are_the_systems_or_the_visitors_choice(browser: Browser, shared: Service) -> None:
    async with visiting(browser, ViewerVisit, shared.url, color_scheme="dark") as visit:
        await visit.open()
        assert await brightness(visit) < 64
        await visit.page.emulate_media(color_scheme="light")
        assert await brightness(visit) > 192
        choice = visit.page.get_by_role("button", name="Colours:")
        await choice.click()
        await expect(choice).to_have_accessible_name("Colours: dark")
        for _ in range(2):
            assert await brightness(visit) < 64
            await visit.page.reload()
        await expect(choice).to_have_accessible_name("Colours: dark")
        await visit.press("T")
        await expect(choice).to_have_accessible_name("Colours: light")
        await visit.page.emulate_media(color_scheme="dark")
        assert await brightness(visit) > 192
        visit.assert_quiet()


async def brightness(visit: ViewerVisit) -> float:
    """Tell how bright the background is, from 0 to 255."""
    color = await visit.ask("() => getComputedStyle(document.documentElement).backgroundColor")
    parts = [float(part) for part in color[color.index("(") + 1 : -1].split(",")]
    return sum(parts[:3]) / 3


@pytest.fixture
def guarded(shared_url: str) -> Iterator[Service]:
    with serving(shared_url, JOBTAIL_ACCESS="tokens") as service:
        yield service


async def test_a_token_is_asked_for_once(browser: Browser, guarded: Service, shared_url: str, job_id: str) -> None:
    text, token = make_token([Scope.READ], job_prefix=None, valid=None)
    async with Database(shared_url) as database:
        await PostgresTokenStore(database).add(token)
    async with visiting(browser, ViewerVisit, guarded.url) as visit:
        await visit.open(f"/?search={job_id}")
        dialog = visit.page.get_by_role("dialog")
        await expect(dialog).to_contain_text("The service wants a token")
        for shown, follows in (("wrong", "This token is not valid"), (text, None)):
            await dialog.get_by_label("Token").fill(shown)
            await visit.press("Enter")
            if follows:
                await expect(dialog).to_contain_text(follows)
        await visit.page.get_by_role("link", name=job_id).click()
        await expect(visit.line(500)).to_be_in_viewport()
        await expect(visit.standing).to_have_text("Connected")
        await visit.page.reload()
        await expect(visit.standing).to_have_text("Connected")
        await expect(dialog).to_be_hidden()
        assert visit.foreign == []
    async with visiting(browser, ViewerVisit, guarded.url) as visit:
        await visit.open(f"/jobs/{job_id}")
        await expect(visit.page.get_by_role("dialog")).to_be_visible()
        assert "line 500" not in await visit.page.content()
