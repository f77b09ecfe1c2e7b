"""The viewer as its visitors see it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from playwright.async_api import Locator, expect

from tests.browser.visits import Visit

SEEN_ROWS = """() => {
  const grid = document.querySelector('[role=grid][aria-label="Log lines"]');
  if (!grid) return [];
  const { top, bottom } = grid.getBoundingClientRect();
  return [...grid.querySelectorAll('[role=row]')].flatMap((row) => {
    const place = row.getBoundingClientRect();
    const isSeen = place.bottom > top + 1 && place.top < bottom - 1;
    const text = row.querySelector('[data-text]')?.textContent ?? null;
    return isSeen ? [[Number(row.dataset.seq), text, place.top - top]] : [];
  });
}"""


class Row(NamedTuple):
    """A line that is in view."""

    seq: int
    text: str | None
    """None while it is loading."""
    top: float
    """In pixels from the top of the log."""


class ViewerVisit(Visit):
    async def open(self, path: str = "/") -> None:
        await self.page.goto(f"{self.service_url}{path}")

    async def open_job(self, job_id: str, more: str = "", *, waits: bool = True) -> None:
        """Open a job's page, and wait for its log; `more` is a query string, a hash or both."""
        await self.open(f"/jobs/{quote(job_id, '')}{more}")
        if waits:
            await expect(self.lines).to_have_attribute("aria-busy", "false")

    @property
    def lines(self) -> Locator:
        return self.page.get_by_role("grid", name="Log lines")

    def line(self, seq: int) -> Locator:
        return self.page.locator(f"#line-{seq}")

    @property
    def standing(self) -> Locator:
        """What is said of how live the log is."""
        return self.page.get_by_role("status", name="State of the log")

    @property
    def search(self) -> Locator:
        return self.page.get_by_role("searchbox", name="Search the log")

    @property
    def hits(self) -> Locator:
        return self.page.locator("#log-search-state")

    async def seen(self) -> list[Row]:
        """List the lines that are in view."""
        return [Row(*row) for row in await self.page.evaluate(SEEN_ROWS)]

    async def seqs(self) -> list[int]:
        return [row.seq for row in await self.seen()]

    async def until_seen(self, seqs: Sequence[int]) -> None:
        """Wait until these lines, and no others, are in view with their texts."""
        await self.page.wait_for_function(
            f"(seqs) => JSON.stringify(({SEEN_ROWS})().map(([seq, text]) => text === null ? null : seq)) === seqs",
            arg=str(list(seqs)).replace(" ", ""),
        )

    async def until_text_of(self, seq: int) -> None:
        """Wait until the line has come."""
        await expect(self.line(seq).locator("[data-text]").first).to_be_visible()

    async def scroll(self, pixels: int) -> None:
        await self.lines.hover()
        await self.page.mouse.wheel(0, pixels)

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.page.keyboard.press(key)

    async def overflow(self) -> int:
        """Tell by how many pixels the page is wider than the screen."""
        return int(await self.ask("() => document.documentElement.scrollWidth - innerWidth"))

    async def parameter(self, name: str) -> Any:
        """Read a parameter of the address."""
        return await self.ask("(name) => new URLSearchParams(location.search).get(name)", name)
