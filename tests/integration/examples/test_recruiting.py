"""The sample jobs on a real Postgres and a real HTTP server."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import create_async_engine

from examples.recruiting import DATA
from examples.recruiting.attestations import attestation_for
from examples.recruiting.emitter import RecruitingEmitter
from examples.recruiting.handlers import HANDLERS
from examples.recruiting.kept_jobs import delete_old_jobs
from examples.recruiting.live import SCHEDULE, run_rounds, serving
from examples.recruiting.queue import Hooks, JobQueue, JobSpec, Outcome, run_job
from examples.recruiting.requirements import Description, Requirement, extract
from examples.recruiting.results import PostgresResults, open_results, requirements, scores
from examples.recruiting.scoring import Score
from examples.recruiting.sources import SourceError, read_links, read_text
from jobtail import Line
from persistence.database import Database
from tests.client import worker


class Witness:
    """Keeps what becomes of jobs, and lets a test wait for it."""

    def __init__(self) -> None:
        self.started: list[JobSpec] = []
        self.finished: list[tuple[JobSpec, Outcome, str | None]] = []
        self.most_at_once = 0
        self._changed = asyncio.Event()

    def hooks(self) -> Hooks:
        return Hooks(lambda spec: RecruitingEmitter(spec.job_id), self._on_started, self._on_finished)

    def _on_started(self, spec: JobSpec) -> None:
        self.started.append(spec)
        self.most_at_once = max(self.most_at_once, len(self.started) - len(self.finished))
        self._changed.set()

    def _on_finished(self, spec: JobSpec, outcome: Outcome, error: str | None) -> None:
        self.finished.append((spec, outcome, error))
        self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


@asynccontextmanager
async def working(
    witness: Witness, url: str, *, pause_s: float = 0, pace: float = 0
) -> AsyncIterator[asyncio.Task[None]]:
    jobs = asyncio.create_task(run_rounds(witness.hooks(), url, pause_s=pause_s, pace=pace))
    try:
        yield jobs
    finally:
        jobs.cancel()
        await asyncio.gather(jobs, return_exceptions=True)


@pytest.fixture
async def results(postgres_url: str) -> AsyncIterator[PostgresResults]:
    async with open_results(postgres_url) as opened:
        yield opened


def test_texts_and_links_are_fetched_by_http() -> None:
    with serving(DATA) as site:
        assert read_text(f"{site}/descriptions/electrician.txt").startswith("Electrician for Building Services\n")
        assert read_text(f"{site}/descriptions/ux-designer.html").startswith("UX Designer for Medical Devices\nKolibri")
        links = read_links(f"{site}/vacancies.html")
        assert links[0] == (f"{site}/descriptions/backend-engineer.txt", "Backend Engineer (Python)")
        with pytest.raises(SourceError, match=rf"^HTTP 404 File not found: {site}/gone.html$"):
            read_text(f"{site}/gone.html")
    assert urlsplit(site).hostname == "127.0.0.1"
    with pytest.raises(SourceError, match=f"^cannot fetch {site}/: .*refused"):
        read_text(f"{site}/")


async def test_old_sample_jobs_are_deleted_whole_and_nobody_elses(database_url: str) -> None:
    samples = [f"JB_INGEST_20261130_2200{number:02}_{number}" for number in range(5)]
    async with worker(database_url) as recorder:
        for job_id in ["JB_MINE", *samples]:
            line = Line(job_id=job_id, message="Reading", stage="read_jd", task_id="T_1", at=datetime.now(UTC))
            await recorder.record_job(job_id, [line], handler_name="ingest_jd")
    assert await delete_old_jobs(database_url, kept=2) == 3
    assert await delete_old_jobs(database_url, kept=2) == 0
    async with Database(database_url) as database, database.engine.connect() as connection:
        for name in ("jobs", "job_tasks", "task_logs", "stored_batches"):
            rows = await connection.scalars(text(f"SELECT DISTINCT job_id FROM {name} ORDER BY job_id"))
            assert rows.all() == [*samples[3:], "JB_MINE"], name


async def test_storing_again_replaces_what_was_there(results: PostgresResults, postgres_url: str) -> None:
    first = [Requirement("skill", "Python"), Requirement("degree", "degree", 3, is_must=False)]
    second = [Requirement("language", "English", 5), Requirement("skill", "Python")]
    other = Description("mate", "Mate", "file:///mate.txt", 50, tuple(first))
    await results.save_description(other, [attestation_for(requirement) for requirement in first])
    for wanted in (first, second, second):
        description = Description("pilot", "Pilot; DROP TABLE x; --'", "file:///pilot.txt", 50, tuple(wanted))
        await results.save_description(description, [attestation_for(requirement) for requirement in wanted])
    for value in (10.0, 55.5):
        await results.save_score("pilot", "CNT_1", Score(value, ("Python",), (), ("English C1",)))

    stored = await results.requirements_of("pilot")
    assert [(str(requirement), requirement.is_must) for requirement in stored] == [
        ("English C1", True),
        ("Python", True),
    ]
    assert await results.scores_of("pilot") == {"CNT_1": 55.5}
    assert len(await results.requirements_of("mate")) == 2
    assert await results.requirements_of("unknown") == ()
    async with open_results(postgres_url) as again:
        assert await again.scores_of("pilot") == {"CNT_1": 55.5}


async def test_tables_may_be_made_by_several_at_once_and_keep_to_their_schema(postgres_url: str) -> None:
    async def open_once() -> None:
        async with open_results(postgres_url):
            pass

    await asyncio.gather(*(open_once() for _ in range(4)))
    engine = create_async_engine(postgres_url)
    async with engine.connect() as connection:
        query = text(
            "SELECT table_schema || '.' || table_name FROM information_schema.tables WHERE table_schema = ANY(:s)"
        )
        found = await connection.scalars(query, {"s": ["public", "recruiting"]})
        assert set(found) == {"recruiting.descriptions", "recruiting.requirements", "recruiting.scores"}
    await engine.dispose()


async def test_an_ingestion_by_http_stores_requirements_and_scores(results: PostgresResults, postgres_url: str) -> None:
    with serving(DATA) as site:
        source = f"{site}/descriptions/data-analyst.html"
        spec = JobSpec(job_id="JB_1", handler="ingest_jd", payload={"source": source})
        emitter = RecruitingEmitter(spec.job_id)
        witness = Witness()
        hooks = Hooks(lambda _spec: emitter, witness.hooks().on_started, witness.hooks().on_finished)
        assert await run_job(spec, HANDLERS, hooks, results, JobQueue().enqueue) is Outcome.COMPLETED
        expected = extract(source).requirements

    assert await results.requirements_of("data-analyst") == expected
    best, *_ = (stored := await results.scores_of("data-analyst"))
    assert (best, stored[best], len(stored)) == ("CNT_1026", 89.0, 32)
    assert Counter(task.completed for task in emitter.tasks.values()) == {True: 32, False: 4}
    engine = create_async_engine(postgres_url)
    async with engine.connect() as connection:
        assert await connection.scalar(select(func.count()).select_from(scores)) == 32
        assert await connection.scalar(select(func.count()).select_from(requirements)) == len(expected)
    await engine.dispose()


async def test_rounds_go_on_with_three_jobs_at_once_and_unique_ids(postgres_url: str) -> None:
    witness = Witness()
    async with working(witness, postgres_url):
        await witness.until(lambda: len(witness.finished) >= 13)

    ids = [spec.job_id for spec in witness.started]
    assert len(ids) == len(set(ids))
    assert witness.most_at_once == 3
    scraper = next(spec for spec in witness.started if spec.handler == "scrape_vacancies")
    ends = {spec.payload.get("source"): (outcome, error) for spec, outcome, error in witness.finished}
    children = [spec.payload["source"] for spec in witness.started if spec.parent_job_id == scraper.job_id]
    assert len(children) == 8
    assert scraper.schedule_id == SCHEDULE
    parts = [spec for spec in witness.started if scraper.execution_id and spec.execution_id == scraper.execution_id]
    assert {spec.parent_job_id: spec.schedule_id for spec in parts} == {None: SCHEDULE, scraper.job_id: None}
    assert len(parts) == 9
    failures = [str(ends[child][1]) for child in children if ends[child][0] is Outcome.FAILED]
    assert [failure.partition(":")[0] for failure in failures] == [
        "job description too short",
        "HTTP 404 File not found",
    ]
    withdrawn = DATA / "descriptions" / "withdrawn-position.txt"
    assert ends[withdrawn.as_uri()] == (Outcome.FAILED, f"file not found: file:{withdrawn}")


async def test_jobs_in_flight_are_reported_cancelled_at_once(postgres_url: str) -> None:
    witness = Witness()
    async with working(witness, postgres_url, pace=1000) as jobs:
        await witness.until(lambda: len(witness.started) == 3)
        loop = asyncio.get_running_loop()
        before = loop.time()
        jobs.cancel()
        with pytest.raises(asyncio.CancelledError):
            await jobs
        assert timedelta(seconds=loop.time() - before) < timedelta(seconds=2)
    assert [outcome for _spec, outcome, _error in witness.finished] == [Outcome.CANCELLED] * 3


async def test_a_database_that_is_away_is_tried_again() -> None:
    witness = Witness()
    tries = Tries()
    logger = logging.getLogger("examples.recruiting.live")
    logger.addHandler(tries)
    try:
        async with working(witness, "postgresql://nobody@127.0.0.1:1/none") as jobs, asyncio.timeout(20):
            await tries.second.wait()
            assert not jobs.done()
    finally:
        logger.removeHandler(tries)
    assert "the results database is away" in tries.messages[0]
    assert witness.started == []


class Tries(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []
        self.second = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())
        if len(self.messages) == 2:
            self.second.set()
