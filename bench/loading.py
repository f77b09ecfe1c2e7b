"""Jobs to read from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from uuid import uuid4

from bench.storing import Silent, lines
from domain.recorder import Recorder
from jobtail.events import Batch, Line, LogLevel, NumberedEvent
from persistence.database import Database
from persistence.stores.log_store import PostgresLogStore

LONG = 1_000_000
RARE = 100_000
STAGES, TASKS = 10, 5


async def job(database: Database, count: int) -> str:
    """Fill a job with lines as working code writes them; name it."""
    job_id = f"JB_{uuid4()}"
    await _record(database, lines(job_id, count))
    return job_id


async def hierarchy(database: Database) -> tuple[str, int]:
    """Fill a job of 4 stages with 5 tasks each; name it, and count its tasks."""
    job_id = f"JB_{uuid4()}"
    await _record(
        database,
        (
            Line(job_id=job_id, message=f"step {step}", stage=f"stage_{stage}", task_id=f"task_{stage}_{task}")
            for stage in range(4)
            for task in range(5)
            for step in range(10)
        ),
    )
    return job_id, 20


async def long_job(database: Database, count: int = LONG) -> str:
    """Fill a job stage by stage and task by task; one line in 100,000 is an ERROR, and one TRACE. Name it."""
    job_id = f"JB_{uuid4()}"
    await _record(database, _long(job_id, count))
    return job_id


def _long(job_id: str, count: int) -> Iterator[Line]:
    for number in range(count):
        stage = number * STAGES // count
        task = number * STAGES * TASKS // count % TASKS
        rare = {RARE // 2: LogLevel.ERROR, RARE // 3: LogLevel.TRACE}.get(number % RARE)
        yield Line(
            job_id=job_id,
            message=f"Scored candidate CNT_{number:07}: 0.{number % 97:02} of 1, evidence found in the resume",
            level=rare or LogLevel.INFO,
            stage=f"stage_{stage}",
            task_id=f"task_{stage}_{task}",
            metadata={"score": number % 97} if number % 10 == 0 else None,
        )


async def _record(database: Database, said: Iterable[Line]) -> None:
    recorder, writer_id = Recorder(PostgresLogStore(database), Silent()), uuid4()
    events = (NumberedEvent(n, line) for n, line in enumerate(said, 1))
    while part := tuple(islice(events, 1000)):
        await recorder.record(Batch(writer_id, part))
