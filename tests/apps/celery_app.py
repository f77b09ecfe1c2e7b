"""Tasks of a Celery worker that a test runs; none of them knows that it is captured, but for the stages of one."""

from __future__ import annotations

import logging
import os
import threading
from typing import Any

from celery import Celery, chain, chord, group
from celery.exceptions import Ignore, Reject
from celery.utils.log import get_task_logger

import jobtail
from jobtail.integrations.celery import install

app = Celery("tests")
app.conf.broker_connection_retry_on_startup = True
app.conf.beat_schedule = {"every second": {"task": "tick", "schedule": 1.0, "args": ["tock"]}}
install(app)
install(app)

log = logging.getLogger("shop")
task_log = get_task_logger("orders")


class Unpicklable(Exception):
    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} and {second}")
        self.lock = threading.Lock()


@app.task(name="greet")
def greet(name: str, **more: Any) -> dict[str, str]:
    log.debug("too quiet to be heard")
    log.info("hello %s", name)
    task_log.warning("the task's own logger")
    print("printed")  # noqa: T201 - Celery makes a line of its log of it
    with jobtail.stage("fetch"):
        log.info("in a stage")
        with jobtail.task("CNT_1"):
            log.info("in a task")
    return {"greeted": name}


@app.task(name="flaky", bind=True, max_retries=3)
def flaky(self: Any, failures: int, countdown: float = 0) -> str:
    log.info("attempt %d", self.request.retries)
    if self.request.retries < failures:
        try:
            int("not yet")
        except ValueError as error:
            raise self.retry(exc=error, countdown=countdown) from None
    return "done"


@app.task(name="broken")
def broken() -> None:
    log.info("before")
    raise Unpicklable("this", "that")


@app.task(name="parent")
def parent() -> str:
    log.info("sending")
    return str(child.delay().id)


@app.task(name="child")
def child(*args: Any) -> None:
    log.info("child of %r", args)


@app.task(name="canvas")
def canvas() -> None:
    chain(child.s("first"), child.si("second")).delay()
    chord([greet.s("left"), greet.s("right")], child.si("body")).delay()


@app.task(name="tick")
def tick(word: str) -> str:
    log.info("%s", word)
    child.delay(word)
    return word


@app.task(name="ignored")
def ignored() -> None:
    raise Ignore("nothing to do")


@app.task(name="rejected")
def rejected() -> None:
    raise Reject("not for me", requeue=False)


@app.task(name="replaced", bind=True)
def replaced(self: Any) -> None:
    log.info("first half")
    raise self.replace(chain(child.si(), greet.si("second half")))


@app.task(name="replaced_by", bind=True)
def replaced_by(self: Any, how: str) -> None:
    replacements = {
        "chain": chain(child.si("one"), child.si("two"), child.si("last")),
        "chord": chord([child.si("left"), child.si("right")], child.si("last")),
        "group": group(child.si("left"), child.si("right")),
    }
    raise self.replace(replacements[how])


@app.task(name="sends")
def sends(how: str) -> str:
    return str(replaced_by.delay(how).id)


@app.task(name="leaves")
def leaves(code: Any) -> None:
    log.info("leaving")
    raise SystemExit(code)


@app.task(name="forever")
def forever() -> None:
    log.info("process %d", os.getpid())
    threading.Event().wait(60)


@app.task(name="too_long", time_limit=1)
def too_long() -> None:
    log.info("begun")
    threading.Event().wait(60)
