"""A visitor in a real browser with an empty profile, who notes what the page asks for and complains of."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, Request, Route, WebSocket, async_playwright

CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    if not CHROMIUM:
        pytest.skip("no chromium on the PATH (Debian: apt-get install chromium)")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Visit:
    page: Page
    service_url: str
    foreign: list[str] = field(default_factory=list)
    """What was asked of somebody else."""
    sent: list[dict[str, Any]] = field(default_factory=list)
    """What the page said by websocket."""
    complaints: list[str] = field(default_factory=list)

    async def begin(self) -> None:
        """Listen to the page, and let it reach the service alone."""
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._on_request)
        self.page.on("websocket", self._on_websocket)
        await self.page.route("**/*", self._only_the_service)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def _on_request(self, request: Request) -> None:
        if not self._is_own(request.url):
            self.foreign.append(request.url)

    def _on_websocket(self, websocket: WebSocket) -> None:
        if not self._is_own(websocket.url.replace("ws", "http", 1)):
            self.foreign.append(websocket.url)
        websocket.on("framesent", lambda message: self.sent.append(json.loads(message)))

    async def _only_the_service(self, route: Route) -> None:
        await (route.continue_() if self._is_own(route.request.url) else route.abort())

    def _is_own(self, url: str) -> bool:
        return url.startswith((f"{self.service_url}/", "data:", f"blob:{self.service_url}/"))

    def assert_quiet(self) -> None:
        assert (self.foreign, self.complaints) == ([], [])

    async def ask(self, script: str, argument: Any = None) -> Any:
        """Run a function in the page."""
        return await self.page.evaluate(script, argument)


SomeVisit = TypeVar("SomeVisit", bound=Visit)


@asynccontextmanager
async def visiting(
    browser: Browser, kind: type[SomeVisit], service_url: str, **options: Any
) -> AsyncIterator[SomeVisit]:
    """Come as a new visitor; options are those of a browser context."""
    context = await browser.new_context(**options)
    try:
        visit = kind(await context.new_page(), service_url)
        await visit.begin()
        yield visit
    finally:
        await context.close()
