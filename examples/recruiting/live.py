"""The jobs at work, again and again, so that there is always something to watch."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy.exc import SQLAlchemyError

from examples.recruiting import DATA
from examples.recruiting.capture import captured
from examples.recruiting.handlers import HANDLERS
from examples.recruiting.kept_jobs import delete_old_jobs
from examples.recruiting.queue import Hooks, JobQueue
from examples.recruiting.results import open_results
from jobtail import Writer

CONCURRENCY = 3

SCHEDULE = "hourly_vacancies"
"""What starts the scraper; its time passes quickly here."""

AWAY = (OSError, SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""A connection that fails says so in the words of asyncpg, a statement in those of SQLAlchemy."""

logger = logging.getLogger(__name__)


async def run_forever(writer: Writer, database_url: str, *, pause_s: float = 15.0, pace: float = 1.0) -> None:
    """Run rounds of jobs with pauses in between until cancelled. Jobs in flight are then reported as cancelled.

    `pace` 1.0 is that of a person who reads along, 0 goes at full speed.
    """
    await run_rounds(captured(writer), database_url, pause_s=pause_s, pace=pace)


async def run_rounds(hooks: Hooks, database_url: str, *, pause_s: float, pace: float) -> None:
    """Run rounds until cancelled, whoever listens. A database that is away is tried again after the pause."""
    queue = JobQueue(pace=pace)
    with serving(DATA) as site:
        while True:
            try:
                await _work(queue, hooks, database_url, site, pause_s)
            except* AWAY as away:
                logger.warning("the results database is away, trying again: %s", away.exceptions[0])
                await asyncio.sleep(pause_s)


async def _work(queue: JobQueue, hooks: Hooks, database_url: str, site: str, pause_s: float) -> None:
    async with open_results(database_url) as results, asyncio.TaskGroup() as workers:
        for _ in range(CONCURRENCY):
            workers.create_task(queue.work(HANDLERS, hooks, results))
        for number in count():
            enqueue_round(queue, number, site)
            await queue.join()
            await delete_old_jobs(database_url)
            await asyncio.sleep(pause_s)


def enqueue_round(queue: JobQueue, number: int, site: str) -> None:
    """Put in what is due: the page and its children every third time, files in turn, now and then one that is gone."""
    files = sorted((DATA / "descriptions").iterdir())
    if number % 3 == 0:
        queue.enqueue("scrape_vacancies", {"source": f"{site}/vacancies.html"}, schedule_id=SCHEDULE)
    queue.enqueue("ingest_jd", {"source": files[number % len(files)].as_uri()})
    if number % 3 == 1:
        queue.enqueue("ingest_jd", {"source": (DATA / "descriptions" / "withdrawn-position.txt").as_uri()})
    if number > 0:
        queue.enqueue("score_candidates", {"description_id": files[(number - 1) % len(files)].stem})


@contextmanager
def serving(directory: Path) -> Iterator[str]:
    """Serve a directory by HTTP on a free port of this machine alone, and yield its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(directory))) as server:
        thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.05), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        logger.debug(format, *args)
