"""Tasks of a taskiq worker and scheduler that a test runs."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from typing import Any

from taskiq import Context, SimpleRetryMiddleware, TaskiqDepends, TaskiqScheduler
from taskiq.schedule_sources import LabelScheduleSource
from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

import jobtail
from jobtail.integrations.taskiq import JobtailMiddleware, install

URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
broker = RedisStreamBroker(URL).with_result_backend(RedisAsyncResultBackend(URL))
broker.add_middlewares(SimpleRetryMiddleware(default_retry_count=3))
install(broker)
install(broker)
broker.add_middlewares(JobtailMiddleware())
scheduler = TaskiqScheduler(broker, [LabelScheduleSource(broker)])

OWN: Any = TaskiqDepends()
log = logging.getLogger("shop")
turns: dict[str, asyncio.Event] = {}


@broker.task(task_name="greet")
async def greet(name: str, **more: str) -> dict[str, str]:
    log.info("hello %s", name)
    with jobtail.stage("fetch"), jobtail.task("CNT_1"):
        log.info("in a task")
    return {"greeted": name}


@broker.task(task_name="in_a_thread")
def in_a_thread() -> str:
    with jobtail.stage("thread"):
        log.info("in a thread")
    return threading.current_thread().name


@broker.task(task_name="interleaved")
async def interleaved(me: str, other: str) -> None:
    """Speak in turns with another one that runs in the same loop."""
    mine, others = turns.setdefault(me, asyncio.Event()), turns.setdefault(other, asyncio.Event())
    with jobtail.stage(me):
        for number in range(3):
            log.info("%s %d", me, number)
            others.set()
            await mine.wait()
            mine.clear()
        others.set()


@broker.task(task_name="broken")
async def broken() -> None:
    raise ValueError("no")


@broker.task(task_name="flaky", retry_on_error=True)
async def flaky(failures: int, context: Context = OWN) -> str:
    retries = int(context.message.labels.get("_retries", 0))
    log.info("attempt %d", retries)
    if retries < failures:
        raise ValueError("not yet")
    return "done"


@broker.task(task_name="parent")
async def parent() -> str:
    return (await child.kiq(1)).task_id


@broker.task(task_name="child")
async def child(n: int) -> None:
    log.info("child %d", n)


@broker.task(task_name="tick", schedule=[{"interval": 1, "schedule_id": "each second"}])
async def tick() -> None:
    log.info("tick")
    await child.kiq(3)


@broker.task(task_name="requeued")
async def requeued(context: Context = OWN) -> None:
    log.info("delivered")
    if "X-Taskiq-requeue" not in context.message.labels:
        await context.requeue()


@broker.task(task_name="leaves")
async def leaves(code: Any) -> None:
    raise SystemExit(code)


@broker.task(task_name="cancelled")
async def cancelled() -> None:
    raise asyncio.CancelledError
