"""`make bench`: one run, one table, one picture."""

from __future__ import annotations

import asyncio
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from bench import capturing, live, reading, servers, storing
from bench.figures import Figure, picture, table
from domain.cursors import log_cursor
from domain.recorder import Recorder
from jobtail.events import Batch, NumberedEvent
from persistence.database import Database
from persistence.embedded import EmbeddedPostgres
from persistence.log_store import PostgresLogStore
from persistence.maintenance import ensure_partitions
from persistence.migration import upgrade

RESULTS = Path(__file__).parent / "results"
DEPTH, ROWS = 50_000, 100_000


async def main() -> None:
    with TemporaryDirectory(prefix="jobtail-bench-") as directory:
        async with EmbeddedPostgres(Path(directory)) as postgres, Database(postgres.url) as database:
            await upgrade(database.engine)
            await ensure_partitions(database)
            figures = await measure(postgres.url, database)
    title = f"Jobtail beside the raw limit, {os.cpu_count()} cores, {platform.machine()}, {datetime.now(UTC):%Y-%m-%d}"
    print(f"\n{title}\n\n{table(figures)}")
    RESULTS.mkdir(exist_ok=True)
    target = RESULTS / "bench.svg"
    target.write_text(picture(figures, title), "utf-8")
    print(f"\n{target.relative_to(Path.cwd())} shows it.")


async def measure(database_url: str, database: Database) -> list[Figure]:
    figures = await storing.measure(database)
    job_id = await _load(database)
    with servers.service(database_url) as service_port, servers.bare(database_url) as bare_port:
        ours = reading.graphql_request(job_id, log_cursor(job_id, DEPTH))
        figures += await reading.measure(service_port, bare_port, ours, reading.bare_request(job_id, DEPTH))
        figures += await live.measure(database_url, service_port, bare_port)
        figures += await capturing.measure(database, service_port)
    return figures


async def _load(database: Database) -> str:
    """Fill a job to read from."""
    job_id, writer_id = f"JB_{uuid4()}", uuid4()
    recorder = Recorder(PostgresLogStore(database), storing.Silent())
    events = [NumberedEvent(n, line) for n, line in enumerate(storing.lines(job_id, ROWS), 1)]
    for start in range(0, ROWS, 1000):
        await recorder.record(Batch(writer_id, tuple(events[start : start + 1000])))
    return job_id


if __name__ == "__main__":
    asyncio.run(main())
