"""The viewer as it is served: at each of its addresses, under its policy, small."""

from __future__ import annotations

import gzip
import re
from urllib.parse import quote

import httpx
import pytest

from graph.pages.viewer import VIEWER, VIEWER_CSP
from tests.conftest import Service

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
FIRST_LOAD_BYTES = 60_000


@pytest.fixture(autouse=True)
def _built() -> None:
    if not VIEWER.file.exists():
        pytest.skip("the viewer is not built (make web)")


async def test_a_browser_gets_the_page_at_every_address_of_it(service: Service) -> None:
    ids = ("JB_1", quote("a/b c?#%.logs", safe=""), quote("JB/logs", safe=""))
    paths = (
        "/",
        "/executions",
        "/jobs",
        "/search",
        "/jobs/JB_1/",
        "/executions/",
        *(f"/jobs/{each}" for each in ids),
        *(f"/executions/{each}" for each in ids),
    )
    async with httpx.AsyncClient(base_url=service.url, headers=BROWSER) as client:
        for path in paths:
            answer = await client.get(path)
            assert (answer.status_code, answer.text) == (200, VIEWER.html()), path
            assert answer.headers["content-security-policy"] == VIEWER_CSP
            assert answer.headers["cache-control"] == "no-cache"


async def test_a_browser_that_was_led_nowhere_gets_the_page_which_says_so(service: Service) -> None:
    async with httpx.AsyncClient(base_url=service.url, headers=BROWSER) as client:
        for path in ("/nowhere", "/jobs/a/b", "/jobs/a/b/"):
            answer = await client.get(path)
            assert (answer.status_code, answer.text) == (404, VIEWER.html()), path
        assert "html" not in (await client.get("/static/nothing.js")).headers["content-type"]


async def test_a_program_is_told_where_the_data_is(service: Service) -> None:
    async with httpx.AsyncClient(base_url=service.url) as client:
        for path in ("/jobs/JB_1", "/executions", "/executions/EX_1"):
            answer = await client.get(path)
            assert answer.status_code == 404
            assert "/graphql" in answer.json()["error"]["message"]


async def test_a_browser_gets_the_lines_where_a_program_does(service: Service) -> None:
    async with httpx.AsyncClient(base_url=service.url, headers=BROWSER) as client:
        await client.post("/graphql", json={"query": CAPTURE}, headers={"accept": "application/json"})
        assert (await client.get("/jobs/JB_1/logs")).json()["logs"][0]["message"] == "one line"


def test_the_policy_allows_nothing_inline_and_nothing_from_elsewhere() -> None:
    assert "unsafe" not in VIEWER_CSP
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|(?:src|href)=\"https?:", VIEWER.html())


async def test_the_first_load_is_small_compressed_and_kept(service: Service) -> None:
    files = re.findall(r'(?:src|href)="(/static/[^"]+)"', VIEWER.html())
    assert any(file.endswith(".js") for file in files)
    assert any(file.endswith(".css") for file in files)
    total = len(gzip.compress(VIEWER.html().encode()))
    async with httpx.AsyncClient(base_url=service.url) as client:
        for file in files:
            answer = await client.get(file)
            assert answer.headers["content-encoding"] == "gzip"
            assert "immutable" in answer.headers["cache-control"]
            total += len(gzip.compress(answer.content))
    assert total < FIRST_LOAD_BYTES


CAPTURE = """
mutation { captureLogs(jobId: "JB_1", lines: [{stage: "read", message: "one line"}]) { lastSeq } }
"""
