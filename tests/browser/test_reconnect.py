"""The viewer while the service restarts: nothing missing, nothing twice, and no old page that looks alive."""

from __future__ import annotations

import re
import socket
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from domain.cursors import log_cursor
from jobtail.events import Line
from tests.browser.viewer import Row, ViewerVisit
from tests.browser.visits import visiting
from tests.client import worker
from tests.conftest import serving

pytestmark = pytest.mark.asyncio(loop_scope="session")

PATIENCE_MS = 20_000


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


async def test_a_restart_of_the_service_costs_no_line(browser: Browser, database_url: str) -> None:
    port, job_id = str(free_port()), "JB_RESTART"
    async with worker(database_url) as recorder:

        async def say(first: int, last: int) -> None:
            lines = [Line(job_id=job_id, message=f"line {n}", stage="read") for n in range(first, last + 1)]
            await recorder.record_job(job_id, lines)

        await say(1, 100)
        with serving(database_url, JOBTAIL_PORT=port) as service:
            async with visiting(browser, ViewerVisit, service.url) as visit:
                await visit.open_job(job_id)
                await expect(visit.standing).to_have_text("Connected")
                await say(101, 150)
                await expect(visit.line(150)).to_be_in_viewport()
                service.process.terminate()
                service.process.wait(30)
                await expect(visit.standing).to_have_text(re.compile("reconnecting", re.IGNORECASE))
                await expect(visit.page.get_by_text("Connection lost, reconnecting")).to_be_visible()
                await say(151, 200)
                with serving(database_url, JOBTAIL_PORT=port):
                    await expect(visit.standing).to_have_text("Connected", timeout=PATIENCE_MS)
                    await say(201, 250)
                    await expect(visit.line(250)).to_be_in_viewport(timeout=PATIENCE_MS)
                    await expect(visit.page.get_by_text("Connection lost, reconnecting")).to_be_hidden()
                    assert await read_whole(visit) == [(n, f"line {n}") for n in range(1, 251)]
                    # Lines that came twice would be dropped unseen, so what is asked for has to be looked at.
                    first, *again = places(visit)
                    assert first == {"afterSeq": 100}
                    assert again == [{"after": log_cursor(job_id, 150)}] * max(len(again), 1)


def places(visit: ViewerVisit) -> list[dict[str, Any]]:
    """List behind which places the page asked for lines, one a subscription."""
    asked = [message["payload"]["variables"] for message in visit.sent if "jobLogs" in str(message)]
    return [{name: value for name, value in each.items() if name in {"after", "afterSeq"}} for each in asked]


async def read_whole(visit: ViewerVisit) -> list[tuple[int, str | None]]:
    """Read the log from its first line to its last as one who pages through it."""
    read: list[Row] = []
    await visit.press("g")
    await visit.until_text_of(1)
    while not read or read[-1].seq < 250:
        await visit.page.wait_for_function("() => document.querySelector('.log-skeleton') === null")
        last = read[-1].seq if read else 0
        read += [row for row in await visit.seen() if row.seq > last]
        await visit.press("PageDown")
    return [(row.seq, row.text) for row in read]
