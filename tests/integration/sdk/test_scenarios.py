"""The six classic scenarios: a job's emitter, captured by the SDK, recorded in Postgres, read back."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from domain.filters import EVERYTHING
from domain.logs import TaskLog
from domain.pages import Window
from domain.requests import LogPageRequest, LogScope
from graph.capture.recorder_sink import RecorderSink
from graph.context import Context
from graph.formats.json_fragment import to_bytes
from graph.schema import schema
from jobtail import LogCapturingEmitter, LogLevel, Writer
from persistence.database import Database
from persistence.embedded.embedded_server import EmbeddedPostgres
from persistence.migration import upgrade
from persistence.stores.log_store import PostgresLogStore
from persistence.upkeep.maintenance import ensure_partitions
from tests.client import worker
from tests.services import services_over

JOB = "JB_SCENARIO"
PATIENCE_S = 20


class Emitter:
    """A job system's own emitter: it keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def emit_stage(self, stage: str, message: str) -> None:
        self.told.append((stage, message))

    def emit_info(self, message: str) -> None:
        self.told.append((message,))

    def emit_candidate_match(self, candidate_id: str, score: float, message: str) -> None:
        self.told.append((candidate_id, score, message))

    def emit_error(self, stage: str, error: Any) -> None:
        self.told.append((stage, error))


class Capture:
    """A job under capture, and what Postgres holds of it."""

    def __init__(self, database_url: str, writer: Writer) -> None:
        self._database_url = database_url
        self.writer = writer
        self.base = Emitter()
        self.emitter: Any = LogCapturingEmitter(self.base, writer, JOB)

    async def lines(self) -> Sequence[TaskLog]:
        """Read the job's log once all that was said has left the writer."""
        assert await asyncio.to_thread(self.writer.flush, PATIENCE_S)
        async with Database(self._database_url) as database:
            request = LogPageRequest(scope=LogScope(job_id=JOB), window=Window(limit=1000), filter=EVERYTHING)
            (page,) = await PostgresLogStore(database).pages([request])
            return page.items


@asynccontextmanager
async def capturing(database_url: str) -> AsyncIterator[Capture]:
    async with worker(database_url) as recorder:
        writer = Writer(RecorderSink(recorder, asyncio.get_running_loop()), first_pause_s=0.02, max_pause_s=0.1)
        try:
            yield Capture(database_url, writer)
        finally:
            await asyncio.to_thread(writer.close, PATIENCE_S)


@pytest.fixture
async def capture(database_url: str) -> AsyncIterator[Capture]:
    async with capturing(database_url) as running:
        yield running


async def test_info_is_stored(capture: Capture) -> None:
    capture.emitter.emit_info("Hello from the job")
    (line,) = await capture.lines()
    assert (line.job_id, line.seq, line.message, line.level) == (JOB, 1, "Hello from the job", LogLevel.INFO)
    assert (line.stage, line.task_id, line.metadata) == ("main", None, None)
    assert capture.base.told == [("Hello from the job",)]


async def test_a_stage_sets_the_context(capture: Capture) -> None:
    capture.emitter.emit_info("before")
    capture.emitter.emit_stage("read_jd", "Reading")
    capture.emitter.emit_info("within")
    lines = await capture.lines()
    assert [(line.stage, line.message) for line in lines] == [
        ("main", "before"),
        ("read_jd", "Reading"),
        ("read_jd", "within"),
    ]
    assert {line.task_id for line in lines} == {None}


async def test_a_candidate_match_fills_task_id(capture: Capture) -> None:
    capture.emitter.emit_stage("score_candidates", "Scoring")
    capture.emitter.emit_candidate_match("CNT_7", 87.5, "Ada fits")
    capture.emitter.emit_info("next")
    lines = await capture.lines()
    assert [(line.stage, line.task_id, line.message) for line in lines] == [
        ("score_candidates", None, "Scoring"),
        ("score_candidates", "CNT_7", "Ada fits"),
        ("score_candidates", None, "next"),
    ]
    assert lines[1].metadata == {"score": 87.5}
    assert capture.base.told[1] == ("CNT_7", 87.5, "Ada fits")


async def test_several_stages_follow_each_other(capture: Capture, database_url: str) -> None:
    names = ["read_jd", "extract_requirements", "persist_data"]
    for name in names:
        capture.emitter.emit_stage(name, f"Beginning {name}")
        capture.emitter.emit_info(f"Working on {name}")
    lines = await capture.lines()
    assert [line.seq for line in lines] == [1, 2, 3, 4, 5, 6]
    assert [line.stage for line in lines] == [name for name in names for _ in range(2)]
    async with Database(database_url) as database:
        query = f'{{ job(jobId: "{JOB}") {{ stages {{ name status logCounts {{ total }} }} }} }}'
        result = await schema.execute(query, context_value=Context(services_over(database)))
    assert result.data is not None
    stages = result.data["job"]["stages"]
    assert [(stage["name"], stage["status"], stage["logCounts"]["total"]) for stage in stages] == [
        ("read_jd", "COMPLETED", 2),
        ("extract_requirements", "COMPLETED", 2),
        ("persist_data", "RUNNING", 2),
    ]


async def test_a_database_fault_does_not_break_the_job(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    server = EmbeddedPostgres(tmp_path, settings={"fsync": "off"})
    async with server:
        async with Database(server.url) as database:
            await upgrade(database.engine)
            await ensure_partitions(database)
        async with capturing(server.url) as capture:
            capture.emitter.emit_stage("read_jd", "all is well")
            await capture.lines()

            await server.__aexit__(None, None, None)
            loop = asyncio.get_running_loop()
            before = loop.time()
            with caplog.at_level(logging.CRITICAL):
                for n in range(500):
                    capture.emitter.emit_info(f"the database is away {n}")
                capture.emitter.emit_candidate_match("CNT_1", 1.0, "and the job goes on")
                took_s = loop.time() - before
                async with asyncio.timeout(PATIENCE_S):
                    while capture.writer.stats().last_error is None:  # noqa: ASYNC110 - a failure is not told
                        await asyncio.sleep(0.01)
            assert took_s < 1
            assert len(capture.base.told) == 502
            assert capture.writer.stats().faults == 0
            assert capture.writer.stats().dropped == 0

            await server.__aenter__()
            lines = await capture.lines()
            assert [line.seq for line in lines] == list(range(1, 503))
            assert [line.message for line in lines] == [
                "all is well",
                *(f"the database is away {n}" for n in range(500)),
                "and the job goes on",
            ]
            assert lines[-1].task_id == "CNT_1"


async def test_timestamps_are_rfc_3339(capture: Capture, database_url: str) -> None:
    before = datetime.now(UTC)
    capture.emitter.emit_info("now")
    await asyncio.to_thread(capture.writer.flush, PATIENCE_S)
    async with Database(database_url) as database:
        query = f'{{ job(jobId: "{JOB}") {{ createdAt startedAt logs {{ nodes {{ timestamp }} }} }} }}'
        result = await schema.execute(query, context_value=Context(services_over(database)))
    job = orjson.loads(to_bytes(result.data))["job"]
    for said in (job["createdAt"], job["startedAt"], job["logs"]["nodes"][0]["timestamp"]):
        assert re.fullmatch(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z", said)
        assert abs(datetime.fromisoformat(said) - before) < timedelta(seconds=10)


async def test_a_number_beyond_64_bits_holds_up_no_other_line(capture: Capture) -> None:
    capture.emitter.emit_candidate_match("CNT_1", 10**30, "an odd score")
    capture.emitter.emit_info("and on")
    assert [(line.message, line.metadata) for line in await capture.lines()] == [
        ("an odd score", {"score": str(10**30)}),
        ("and on", None),
    ]
