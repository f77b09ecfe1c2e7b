"""A job of 1,000,000 lines in the viewer. What is measured is printed; the bounds are those of a machine that is busy."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from statistics import median

import pytest
from playwright.async_api import Browser, expect

from tests.browser.viewer import ViewerVisit
from tests.browser.visits import visiting
from tests.conftest import CloneDatabase, Service, serving
from tests.loading import load_unanalysed

pytestmark = pytest.mark.asyncio(loop_scope="session")

LINES = 1_000_000
LOAD = [
    "SELECT 1",
    f"""
    INSERT INTO task_logs (job_id, seq, stage, task_id, timestamp, recorded_at, level, message)
    SELECT 'long', n, 'stage_' || n / 100000, 'stage_' || n / 100000, at, at, CASE WHEN n % 100000 = 0 THEN 40 ELSE 20 END,
        'Scored candidate CNT_' || n || ', evidence found in the resume'
    FROM generate_series(1, {LINES}) AS n, LATERAL (SELECT now() - ({LINES} - n) * interval '1 microsecond') AS t(at)
    """,
    """
    INSERT INTO jobs (job_id, handler_name, status, last_seq, first_recorded_at, last_recorded_at, count_info, count_error)
    SELECT 'long', 'h', 'RUNNING', max(seq), min(recorded_at), max(recorded_at), count(*) - 10, 10 FROM task_logs
    """,
    """
    INSERT INTO job_tasks (job_id, stage, task_id, first_seq, first_at, last_at, count_info)
    SELECT job_id, stage, task_id, min(seq), min(timestamp), max(timestamp), count(*)
    FROM task_logs GROUP BY job_id, stage, task_id
    """,
]
FRAMES = """async (pixels) => {
  const scroller = document.querySelector('[role=grid][aria-label="Log lines"]');
  const frames = [];
  let before = await new Promise(requestAnimationFrame);
  for (let count = 0; count < 90; count++) {
    scroller.scrollTop += pixels;
    const now = await new Promise(requestAnimationFrame);
    frames.push(now - before);
    before = now;
  }
  return frames;
}"""


@pytest.fixture
def long_service(new_database: CloneDatabase, migrated_template: str) -> Iterator[Service]:
    url = new_database(migrated_template)
    load_unanalysed(url, LOAD)
    with serving(url) as service:
        yield service


async def test_a_million_lines_open_at_once_and_scroll(
    browser: Browser, long_service: Service, record_property: Callable[[str, object], None]
) -> None:
    async with visiting(browser, ViewerVisit, long_service.url) as visit:
        await visit.page.unroute_all()
        began = time.perf_counter()
        await visit.open_job("long")
        await expect(visit.line(LINES)).to_be_in_viewport()
        opened_s = time.perf_counter() - began

        began = time.perf_counter()
        await visit.press("g")
        await expect(visit.line(1)).to_be_in_viewport()
        await visit.until_text_of(1)
        went_s = time.perf_counter() - began

        slow, fast = [await visit.ask(FRAMES, pixels) for pixels in (30, 1_000_000)]
        await visit.press("/")
        began = time.perf_counter()
        await visit.page.keyboard.type("CNT_500000,")
        await expect(visit.hits).to_have_text("1 match")
        await visit.press("Enter")
        await expect(visit.line(500_000)).to_be_in_viewport()
        found_s = time.perf_counter() - began

        heap_mb = await heap(visit) / 2**20
        record_property(
            "1,000,000 lines in the viewer",
            f"last page {opened_s:.2f} s, first line {went_s:.2f} s, a hit {found_s:.2f} s; "
            f"frames p50/p95/max {told(slow)} ms reading, {told(fast)} ms flying; heap {heap_mb:.1f} MB",
        )
        visit.assert_quiet()
        assert opened_s < 10
        assert went_s < 5
        assert percentile(slow, 95) < 250
        assert percentile(fast, 95) < 500
        assert heap_mb < 100


async def heap(visit: ViewerVisit) -> float:
    """Tell how many bytes the page holds once its garbage is collected."""
    session = await visit.page.context.new_cdp_session(visit.page)
    await session.send("HeapProfiler.collectGarbage")
    usage = await session.send("Runtime.getHeapUsage")
    return float(usage["usedSize"])


def told(frames: list[float]) -> str:
    return f"{median(frames):.0f}/{percentile(frames, 95):.0f}/{max(frames):.0f}"


def percentile(frames: list[float], percent: int) -> float:
    return sorted(frames)[len(frames) * percent // 100]
