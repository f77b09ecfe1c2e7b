"""`make bench`: one run, one table, one picture."""

from __future__ import annotations

import asyncio
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import capturing, live, loading, reading, servers, storing
from bench.figures import Figure, picture, table
from persistence.database import Database
from persistence.embedded.embedded_server import EmbeddedPostgres
from persistence.migration import upgrade
from persistence.upkeep.maintenance import ensure_partitions

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
    job_id = await loading.job(database, ROWS)
    with servers.service(database_url) as (service_port, pid), servers.bare(database_url) as bare_port:
        trees = [await loading.hierarchy(database) for _ in range(8)]
        figures += await reading.measure(service_port, bare_port, job_id, DEPTH, trees)
        figures += await reading.measure_long(service_port, await loading.long_job(database), loading.LONG)
        figures += await live.measure(database_url, service_port, bare_port, pid)
        figures += await capturing.measure(database, service_port)
    return figures


if __name__ == "__main__":
    asyncio.run(main())
