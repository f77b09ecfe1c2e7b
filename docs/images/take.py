"""Takes the picture of the README: GraphiQL on a running service, following a job's log.

`python docs/images/take.py URL TARGET`, such as `http://127.0.0.1:8820 docs/images/graphiql.png`, beside `make run`.
"""

# ruff: noqa: INP001 - a script beside the picture that it takes
from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from playwright.sync_api import Page, sync_playwright

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
FINISHED = """{
  jobs(first: 1, filter: {handlerNames: ["ingest_jd"], statuses: [COMPLETED], search: "http:"}) { nodes { jobId } }
}"""
QUERY = """# A job's lines from the first on, then live,
# until it ends. Its id is a variable below.
subscription JobLogs($jobId: String!) {
  jobLogs(jobId: $jobId, afterSeq: 0) {
    logs {
      seq
      timestamp
      level
      stage
      taskId
      message
    }
    caughtUp
    lastSeq
    jobStatus
  }
}"""
PATIENCE_S = 120.0


def main(url: str, target: str) -> None:
    job_id = finished_job(url)
    with browser_page() as page:
        page.goto(f"{url}/graphql")
        page.get_by_role("tab", name="JobLogs").click()
        fill(page, ".graphiql-query-editor .CodeMirror", QUERY)
        fill(page, ".graphiql-editor-tool .CodeMirror", json.dumps({"jobId": job_id}, indent=2))
        page.get_by_role("button", name="Execute query").click()
        page.wait_for_function(
            "() => document.querySelector('.result-window .CodeMirror').CodeMirror.getValue().includes('COMPLETED')"
        )
        page.screenshot(path=target)


def finished_job(url: str) -> str:
    """Wait until a sample job that fetched its input has ended, and name the newest."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        answer: dict[str, Any] = httpx.post(f"{url}/graphql", json={"query": FINISHED}).json()
        for node in answer["data"]["jobs"]["nodes"]:
            return str(node["jobId"])
        time.sleep(1)
    sys.exit(f"no job has ended at {url} within {PATIENCE_S:g} s; are the sample jobs running?")


@contextmanager
def browser_page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        try:
            yield browser.new_page(viewport={"width": 1280, "height": 800})
        finally:
            browser.close()


def fill(page: Page, editor: str, text: str) -> None:
    page.locator(editor).first.evaluate("(element, text) => element.CodeMirror.setValue(text)", text)


if __name__ == "__main__":
    main(*sys.argv[1:])
