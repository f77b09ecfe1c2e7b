"""`make run`: the service on this machine, and the recruiting jobs at work in it."""

from __future__ import annotations

import asyncio

from starlette.applications import Starlette

from examples.recruiting.live import run_forever
from graph.app import create_app
from graph.capture.recorder_sink import RecorderSink
from graph.commands.running import run
from graph.server.serving import serve
from jobtail import Writer

FLUSH_S = 2.0


async def work(app: Starlette) -> None:
    """Run the jobs until cancelled, then bring home what they said."""
    writer = Writer(RecorderSink(app.state.services.recorder, asyncio.get_running_loop()))
    try:
        await run_forever(writer, app.state.database_url)
    finally:
        await asyncio.to_thread(writer.close, FLUSH_S)


def main() -> None:
    run(lambda settings: serve(create_app(settings, companion=work), settings))


if __name__ == "__main__":
    main()
