"""`make run`: the service on this machine, and the recruiting jobs at work in it."""

from __future__ import annotations

import asyncio
import sys

from starlette.applications import Starlette

from domain.errors import JobtailError
from examples.recruiting.live import run_forever
from graph.app import create_app
from graph.capture.recorder_sink import RecorderSink
from graph.commands.running import run
from graph.observability.own_log import configure
from graph.server.serving import serve
from graph.settings import read_settings
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
    try:
        settings = read_settings()
    except JobtailError as error:
        sys.exit(f"jobtail: {error}")
    configure(settings.log_level, settings.log_format)
    run(serve(create_app(settings, companion=work), settings))


if __name__ == "__main__":
    main()
