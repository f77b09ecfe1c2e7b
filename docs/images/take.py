"""Takes the pictures of the README and the docs from a running service with the sample jobs.

`make screenshots` beside `make run`; of a service at another address `make screenshots URL=http://127.0.0.1:8821`.
"""

# ruff: noqa: INP001 - a script beside the pictures that it takes
from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).parent
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
JOBS = """query ($status: JobStatus!, $search: String) {
  jobs(first: 1, filter: {handlerNames: ["ingest_jd"], statuses: [$status], search: $search}) {
    nodes { jobId progress { percentage } }
  }
}"""
JOB_LOGS = """# A job's lines from the first on, then live,
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
COLOURS = ("light", "dark")
HALF_DONE = 45.0
PATIENCE_S = 180.0


def main(url: str) -> None:
    take_graphiql(url)
    take_jobs(url)
    take_job(url)


def take_job(url: str) -> None:
    """A job that is half done."""
    job = wait_for(url, "RUNNING", lambda job: (job["progress"] or {}).get("percentage", 0) > HALF_DONE)
    for colours in COLOURS:
        with browser_page(colours) as page:
            page.goto(f"{url}/jobs/{job['jobId']}")
            page.get_by_role("treeitem").filter(has_text="score_candidates").press("ArrowRight")
            page.get_by_role("treeitem", level=2).nth(5).wait_for()
            page.mouse.move(0, 0)
            page.screenshot(path=HERE / f"job-{colours}.png")


def take_jobs(url: str) -> None:
    wait_for(url, "RUNNING", lambda job: job["progress"] is not None)
    for colours in COLOURS:
        with browser_page(colours) as page:
            page.goto(url)
            page.get_by_role("row").nth(12).wait_for(timeout=PATIENCE_S * 1000)
            page.get_by_text("Live", exact=True).wait_for()
            page.screenshot(path=HERE / f"jobs-{colours}.png")


def take_graphiql(url: str) -> None:
    """The log of a job that has ended, read by a subscription."""
    job = wait_for(url, "COMPLETED", lambda _: True, search="http:")
    with browser_page("light") as page:
        page.goto(f"{url}/graphql")
        page.get_by_role("tab", name="JobLogs").click()
        # GraphiQL sees a moment later which operation the button runs.
        page.wait_for_function("() => localStorage.getItem('graphiql:operationName') === 'JobLogs'")
        fill(page, ".graphiql-query-editor .CodeMirror", JOB_LOGS)
        fill(page, ".graphiql-editor-tool .CodeMirror", json.dumps({"jobId": job["jobId"]}, indent=2))
        page.get_by_role("button", name="Execute query").click()
        page.wait_for_function(
            "() => document.querySelector('.result-window .CodeMirror').CodeMirror.getValue().includes('COMPLETED')"
        )
        page.screenshot(path=HERE / "graphiql.png")


def wait_for(url: str, status: str, is_fit: Any, *, search: str | None = None) -> dict[str, Any]:
    """Wait until the newest sample job of that status is fit for a picture."""
    deadline = time.monotonic() + PATIENCE_S
    asked = {"query": JOBS, "variables": {"status": status, "search": search}}
    while time.monotonic() < deadline:
        answer: dict[str, Any] = httpx.post(f"{url}/graphql", json=asked).json()
        for job in answer["data"]["jobs"]["nodes"]:
            if is_fit(job):
                return dict(job)
        time.sleep(0.3)
    sys.exit(f"no job at {url} came to be fit within {PATIENCE_S:g} s; are the sample jobs running?")


@contextmanager
def browser_page(colours: Any) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        try:
            yield browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme=colours)
        finally:
            browser.close()


def fill(page: Page, editor: str, text: str) -> None:
    page.locator(editor).first.evaluate("(element, text) => element.CodeMirror.setValue(text)", text)


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/"))
