"""Jobs of a procrastinate worker that a test runs. Its database is named by libpq's own variables."""

from __future__ import annotations

import asyncio
import logging
import os
import threading

from procrastinate import App, PsycopgConnector, RetryStrategy

import jobtail
from jobtail.integrations.procrastinate import install

app = App(connector=PsycopgConnector())
install(app, carries_parent=True)
install(app)

log = logging.getLogger("shop")
turns = {"ping": asyncio.Event(), "pong": asyncio.Event()}


@app.task(name="greet")
async def greet(name: str, **more: object) -> dict[str, str]:
    log.info("hello %s", name)
    with jobtail.stage("fetch"), jobtail.task("CNT_1"):
        log.info("in a task")
    return {"greeted": name}


@app.task(name="in_a_thread")
def in_a_thread() -> str:
    with jobtail.stage("thread"):
        log.info("in a thread")
    return threading.current_thread().name


@app.task(name="interleaved")
async def interleaved(me: str, other: str) -> None:
    """Speak in turns with another one that runs in the same loop."""
    with jobtail.stage(me):
        for number in range(3):
            log.info("%s %d", me, number)
            turns[other].set()
            await turns[me].wait()
            turns[me].clear()
        turns[other].set()


@app.task(name="broken")
def broken() -> None:
    raise ValueError("no")


@app.task(name="flaky", retry=RetryStrategy(max_attempts=3, wait=0, retry_exceptions={ValueError}), pass_context=True)
async def flaky(context: object, failures: int) -> str:
    attempts: int = context.job.attempts  # type: ignore[attr-defined]
    log.info("attempt %d", attempts)
    if attempts < failures:
        raise ValueError("not yet")
    return "done"


@app.task(name="leaves")
async def leaves(code: object) -> None:
    raise SystemExit(code)


@app.task(name="parent")
async def parent() -> int:
    return await child.defer_async(n=1)


@app.task(name="parent_in_a_thread")
def parent_in_a_thread() -> int:
    return child.defer(n=2)


@app.task(name="child")
async def child(n: int) -> None:
    log.info("child %d", n)


@app.periodic(cron="* * * * * *", periodic_id="each second")
@app.task(name="tick", queueing_lock="tick")
async def tick(timestamp: int) -> None:
    log.info("tick %d", timestamp)
    await child.defer_async(n=3)


@app.task(name="forever")
async def forever() -> None:
    log.info("process %d", os.getpid())
    await asyncio.Event().wait()
