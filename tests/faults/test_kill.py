"""A service that is killed with -9: whoever wrote goes on, and whoever read goes on at its cursor."""

from __future__ import annotations

import asyncio

from websockets.exceptions import ConnectionClosedError

from tests.conftest import serving
from tests.processes import Reader, writer_process

JOB = "job-that-outlives-the-service"


async def test_a_reader_goes_on_at_its_cursor_after_the_service_was_killed(database_url: str) -> None:
    reader = Reader(JOB)
    with writer_process(database_url, JOB, "writer", lines=0, batch_lines=10, pause_s=0.001) as worker:
        worker.begin()
        for _ in range(2):
            with serving(database_url) as service:
                async with reader.following(service.websocket_url) as reading:
                    await reader.until(reader.last_seq + 200)
                    service.process.kill()
                    await asyncio.wait_for(reading, 10)
                    assert isinstance(reader.failure, ConnectionClosedError)
        with serving(database_url) as service:
            async with reader.following(service.websocket_url):
                await reader.until(reader.last_seq + 200)
                worker.stop()
                captured = await asyncio.to_thread(worker.captured)
                await reader.until(captured)
    assert reader.seqs == list(range(1, captured + 1))
    assert reader.messages == [f"writer {number}" for number in range(captured)]
