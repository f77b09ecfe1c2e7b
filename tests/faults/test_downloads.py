"""Downloads of whole logs: complete, in bounded memory, and never a part that looks whole."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from urllib.parse import urlsplit

import httpx
import psutil  # type: ignore[import-untyped] # its stubs are a package of their own
import pytest

from tests.client import PATIENCE_S
from tests.conftest import CloneDatabase, Service, connect, serving

JOB = """
INSERT INTO jobs (job_id, handler_name, status, last_seq, count_info, first_recorded_at, last_recorded_at)
VALUES ('large', 'import', 'COMPLETED', $1::bigint, $1::bigint, now(), now())
"""
LOGS = """
INSERT INTO task_logs (job_id, seq, stage, task_id, timestamp, recorded_at, level, message)
SELECT 'large', n, 'score', 'c-' || n % 100, now(), now(), 20, 'Scored candidate ' || n || repeat('.', 100)
FROM generate_series(1, $1::bigint) AS n
"""


async def load(database_url: str, lines: int) -> None:
    connection = await connect(database_url)
    try:
        async with connection.transaction():  # now() is the same in both
            await connection.execute(JOB, lines)
            await connection.execute(LOGS, lines)
    finally:
        await connection.close()


def resident(service: Service) -> int:
    return int(psutil.Process(service.process.pid).memory_info().rss)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("lines", [200_000, pytest.param(1_000_000, marks=pytest.mark.long)])
@pytest.mark.parametrize("form", ["text", "ndjson"])
def test_a_long_log_comes_whole_in_flat_memory(
    new_database: CloneDatabase, migrated_template: str, form: str, lines: int
) -> None:
    url = new_database(migrated_template)
    asyncio.run(load(url, lines))
    with serving(url) as service, httpx.Client(timeout=PATIENCE_S) as http:
        assert http.get(f"{service.url}/jobs/large/logs?limit=1000").status_code == 200
        before, peak, seen = resident(service), 0, 0
        with http.stream("GET", f"{service.url}/jobs/large/logs?format={form}") as response:
            for line in response.iter_lines():
                seen += 1
                message = json.loads(line)["message"] if form == "ndjson" else line.split("  ")[-1]
                assert message.startswith(f"Scored candidate {seen}.")
                if seen % 50_000 == 0:
                    peak = max(peak, resident(service))
        assert seen == lines
        assert peak - before < 30 * 1024 * 1024


def reading_slowly(service: Service) -> socket.socket:
    """Ask for a whole log, read its beginning, and then nothing."""
    address = urlsplit(service.url)
    client = socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=PATIENCE_S)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.sendall(b"GET /jobs/large/logs?format=text HTTP/1.1\r\nHost: jobtail\r\n\r\n")
    assert client.recv(15) == b"HTTP/1.1 200 OK"
    return client


def test_a_client_that_reads_nothing_holds_no_memory_and_no_connection(service: Service, database_url: str) -> None:
    asyncio.run(load(database_url, 100_000))
    clients = [reading_slowly(service) for _ in range(30)]  # three times the pool
    try:
        with httpx.Client(timeout=PATIENCE_S) as http:
            before = resident(service)
            for _ in range(20):
                assert http.get(f"{service.url}/jobs/large/logs?limit=1000").status_code == 200
            assert resident(service) - before < 30 * 1024 * 1024
    finally:
        for client in clients:
            client.close()
    process, deadline = psutil.Process(service.process.pid), time.monotonic() + PATIENCE_S
    while any(each.laddr.port == urlsplit(service.url).port and each.raddr for each in process.net_connections("tcp")):
        assert time.monotonic() < deadline, "a connection of a client that has gone is still there"
        time.sleep(0.05)


def test_a_fault_in_the_middle_cuts_the_answer(service: Service, database_url: str) -> None:
    asyncio.run(load(database_url, 200_000))

    async def break_it() -> None:
        connection = await connect(database_url)
        await connection.execute("ALTER TABLE task_logs RENAME TO gone")
        await connection.close()

    with (
        httpx.Client(timeout=PATIENCE_S) as http,
        http.stream("GET", f"{service.url}/jobs/large/logs?format=text") as response,
    ):
        lines = response.iter_lines()
        assert next(lines).endswith(f"Scored candidate 1{'.' * 100}")
        asyncio.run(break_it())
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
            list(lines)
