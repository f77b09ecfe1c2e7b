"""The documentation is true: its operations run, its answers have their shape, its settings are those of the service."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from graph.settings import Settings
from tests.client import PATIENCE_S, REQUEST_ID, Api, by_sse, by_websocket
from tests.conftest import ROOT, Service
from tests.documents import FENCE, PAGES, Block, blocks, run_program, shown, table


def operations(page: str) -> Iterator[tuple[str, Any]]:
    """List the GraphQL operations of a page, each with the answer that is printed right behind it, if any."""
    found = blocks(page)
    for block, following in zip(found, [*found, Block("", "")][1:], strict=True):
        if block.language == "graphql":
            yield block.text, json.loads(following.text) if following.language == "json" else None


def shows(printed: Any, real: Any) -> bool:
    """Tell whether a real answer, of another job, has all that is printed in its place. Lists may differ in length."""
    if isinstance(printed, dict):
        return isinstance(real, dict) and all(name in real and shows(printed[name], real[name]) for name in printed)
    if isinstance(printed, list):
        return isinstance(real, list) and bool(real) and all(shows(item, real[0]) for item in printed)
    return printed is None or type(printed) is type(real)


def test_an_answer_that_lacks_a_printed_field_is_noticed() -> None:
    assert shows({"a": [{"b": 1}, {"b": 2}]}, {"a": [{"b": 3, "c": None}]})
    assert not shows({"a": [{"b": 1}]}, {"a": [{"c": 1}]})
    assert not shows({"a": [{"b": 1}]}, {"a": []})


@pytest.mark.parametrize("page", [page for page in PAGES if any(operations(page))])
async def test_the_operations_of_a_page_run_as_they_stand_and_in_their_order(page: str, service: Service) -> None:
    with Api(service) as api:
        api.http.headers["X-Request-Id"] = REQUEST_ID
        api.capture("JB_DOCS", "Reading job description")
        api.start("JB_DOCS", "ingest_jd")
        for query, printed in operations(page):
            if query.startswith("subscription"):
                real = await first_event(api, query)
            else:
                real = api.answer(query)
                expected_errors = printed.get("errors") if printed else None
                assert real.get("errors") == expected_errors, query
            is_shown = shows(printed, real) if page == "README.md" else printed == real
            assert printed is None or is_shown, (query, real)


async def first_event(api: Api, query: str) -> Any:
    """Read the first event by both protocols. Some come only when something happens, so something does."""
    events = []
    for subscribe in (by_websocket, by_sse):
        async with subscribe(api.service, query) as subscription, asyncio.timeout(PATIENCE_S):
            waiting = asyncio.create_task(subscription.next())
            while not waiting.done():
                await asyncio.to_thread(api.capture, "JB_DOCS", "312 words")
                await asyncio.wait({waiting}, timeout=0.3)
            events.append(await waiting)
    return events[0]


def test_the_table_of_settings_names_exactly_the_settings_and_their_defaults() -> None:
    named = {row[0]: row[1] for row in table("docs/operating.md", "## Settings")}
    assert list(named) == [f"`JOBTAIL_{name.upper()}`" for name in Settings.model_fields]
    for name, field in Settings.model_fields.items():
        if field.default is not None:
            assert named[f"`JOBTAIL_{name.upper()}`"] == f"`{field.default}`"


@pytest.mark.parametrize("page", PAGES)
def test_the_python_of_a_page_compiles(page: str) -> None:
    for block in blocks(page):
        if block.language == "python":
            compile(block.text, page, "exec")


@pytest.mark.parametrize("page", PAGES)
def test_the_links_of_a_page_lead_to_files_and_headings_that_exist(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    for target, _, heading in (
        found.partition("#") for found in re.findall(r"\]\((?!https?:)([^)]+)\)", FENCE.sub("", text))
    ):
        linked = (ROOT / page).parent.joinpath(target) if target else ROOT / page
        assert linked.exists(), target
        assert not heading or heading in anchors(linked.read_text("utf-8")), (target, heading)


def anchors(text: str) -> set[str]:
    """Name the headings of a page as forges do."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_program_that_captures_leaves_the_lines_that_its_page_shows(service: Service, tmp_path: Path) -> None:
    (program,) = [block.text for block in blocks("docs/capture.md") if "jobtail.configure" in block.text]
    run_program(program.replace("http://127.0.0.1:8820", service.url), JOBTAIL_SPOOL_DIR=str(tmp_path))
    with Api(service) as api:
        job = api.ask(
            '{ job(jobId: "JB_CAPTURE_1") { status logs { nodes { seq stage taskId level message metadata } } } }'
        )["job"]
    assert job["status"] == "COMPLETED"
    lines = [[shown(value) for value in line.values()] for line in job["logs"]["nodes"]]
    assert lines == table("docs/capture.md", "It leaves seven lines:")


async def test_the_python_client_follows_a_job_to_its_end(service: Service) -> None:
    (program,) = [block.text for block in blocks("docs/graphql.md") if block.language == "python"]
    with Api(service) as api:
        api.start("JB_DEMO_1")
        api.capture("JB_DEMO_1", "Reading job description", "312 words")
        api.finish("JB_DEMO_1")
    said = run_program(program.replace("ws://127.0.0.1:8820/graphql", service.websocket_url))
    assert said == "1 INFO Reading job description\n2 INFO 312 words\n"


@pytest.mark.parametrize("mark", ["graphql-ws", "Authorization"])
async def test_the_javascript_client_follows_a_job_to_its_end(mark: str, service: Service) -> None:
    (program,) = [block.text for block in blocks("docs/graphql.md") if block.language == "js" and mark in block.text]
    with Api(service) as api:
        api.start("JB_DEMO_1")
        api.capture("JB_DEMO_1", "Reading job description", "312 words")
        api.finish("JB_DEMO_1")
    there = program.replace("ws://127.0.0.1:8820/graphql", service.websocket_url)
    there = there.replace("http://127.0.0.1:8820", service.url)
    websocket = 'import * as ws from "ws"; globalThis.WebSocket ??= ws.WebSocket;\n'
    done = await asyncio.to_thread(
        subprocess.run,
        ["node", "--input-type=module", "--eval", websocket + there],
        cwd=ROOT / "web",
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split(" ")[0] for line in done.stdout.splitlines()] == ["1", "2"]
    assert done.stdout.endswith("312 words\n")
