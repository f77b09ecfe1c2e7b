"""A service that stores lines itself, as it does with those that workers post, for viewers of its own process.

A job that is followed by as many viewers as its id says gets its lines: JB_NEAR_<viewers>_<lines a batch>_<anything>.
"""

from __future__ import annotations

import asyncio
import time
from uuid import uuid4

from starlette.applications import Starlette

from bench.live import BATCHES, PAUSE_S, batch
from domain.live.tail_hub import TailHub
from graph.app import create_app
from graph.commands.running import run
from graph.context import Services
from graph.server.serving import serve


async def store(app: Starlette) -> None:
    hub: TailHub = app.state.hub
    services: Services = app.state.services
    stored = set()
    while True:
        for tail in hub.tails:
            count, lines = map(int, tail.job_id.split("_")[2:4])
            if tail.readers == count and tail.job_id not in stored:
                stored.add(tail.job_id)
                await asyncio.sleep(0.5)  # they are told first that they are caught up
                writer_id = uuid4()
                for first in range(1, BATCHES * lines + 1, lines):
                    await services.recorder.record(
                        batch(tail.job_id, writer_id, first, lines, str(time.perf_counter_ns()))
                    )
                    await asyncio.sleep(PAUSE_S)
        await asyncio.sleep(0.05)


def main() -> None:
    run(lambda settings: serve(create_app(settings, companion=store), settings))
