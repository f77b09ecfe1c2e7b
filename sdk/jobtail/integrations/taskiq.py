"""Taskiq: each run of a task is a job, told by a middleware of its broker. Clients, schedulers and workers share it."""

from __future__ import annotations

import asyncio
import functools
import re
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any

from taskiq import (
    AckableMessage,
    AsyncBroker,
    SimpleRetryMiddleware,
    SmartRetryMiddleware,
    TaskiqMessage,
    TaskiqMiddleware,
    TaskiqResult,
)
from taskiq.exceptions import NoResultError
from taskiq.receiver import Receiver

from jobtail import client
from jobtail import current as context
from jobtail.events import JobStatus
from jobtail.integrations.record_hook import listen
from jobtail.integrations.runs import (
    EXECUTION,
    FLUSH_S,
    PARENT,
    SCHEDULE,
    Attempt,
    TaskRun,
    ended,
    failure,
    retry_message,
    tell,
)
from jobtail.jsonable import named

REQUEUED = "X-Taskiq-requeue"
_UNNAMED = re.compile("[0-9a-f]{32}")
"""The id of a schedule that nobody named: another one after each start of the scheduler."""


@dataclass(slots=True)
class OpenRun:
    """What is remembered of a run while its task works."""

    attempt: Attempt
    message: TaskiqMessage
    outer: OpenRun | None
    retries: int
    requeued: str | None
    error: BaseException | None = None
    delay_s: float | None = None


_run: ContextVar[OpenRun | None] = ContextVar("jobtail_taskiq_run", default=None)


def install(broker: AsyncBroker, *, prefix: str = "") -> None:
    """Capture every task that a worker of this broker runs. Call it where the broker is made; twice is once.

    Args:
        broker: its workers are reached however they are started.
        prefix: what the ids of jobs begin with, before the task's own: a token may be for jobs of one prefix.
    """
    if _middleware_of(broker) is None:
        broker.add_middlewares(JobtailMiddleware(prefix=prefix))


class JobtailMiddleware(TaskiqMiddleware):
    """Opens a job around each run; `broker.add_middlewares(JobtailMiddleware())` does what `install(broker)` does."""

    def __init__(self, *, prefix: str = "") -> None:
        super().__init__()
        self.prefix = prefix
        _hear_receivers()

    def pre_send(self, message: TaskiqMessage) -> TaskiqMessage:
        self._label(message)
        return message

    def pre_execute(self, message: TaskiqMessage) -> TaskiqMessage:
        self._begin(message)
        return message

    @client.guarded
    def on_error(self, message: TaskiqMessage, result: TaskiqResult[Any], exception: BaseException) -> None:
        del result
        run = _run.get()
        if run is not None and run.attempt.job_id == self.job_id(message):
            run.error = exception

    @client.guarded
    def post_execute(self, message: TaskiqMessage, result: TaskiqResult[Any]) -> None:
        run = _run.get()
        if run is None or run.attempt.job_id != self.job_id(message):
            return
        _run.set(run.outer)
        error = run.error
        if error is None:
            run.attempt.complete(result.return_value)
        elif run.attempt.is_sent_again or _is_retried(error, result):
            most = _most_retries(self.broker, message)
            run.attempt.leave(retry_message(run.retries + 1, most, run.delay_s, named(error)), error)
        elif not isinstance(error, NoResultError):
            run.attempt.fail(error)
        elif message.labels.get(REQUEUED) != run.requeued:
            run.attempt.leave("put back into the queue")
        else:
            run.attempt.complete(None)

    async def shutdown(self) -> None:
        """Wait for what was captured to leave: a worker's process ends without asking further."""
        await asyncio.to_thread(client.flush, FLUSH_S)

    def job_id(self, message: TaskiqMessage) -> str:
        return f"{self.prefix}{message.task_id}"

    def task_run(self, message: TaskiqMessage) -> TaskRun:
        labels, job_id = message.labels, self.job_id(message)
        queue = labels.get("queue_name") or getattr(self.broker, "queue_name", None)
        execution_id = labels.get(EXECUTION)
        return TaskRun(
            job_id=job_id,
            handler_name=message.task_name,
            source=f"taskiq:{queue}" if queue else "taskiq",
            parent_job_id=labels.get(PARENT),
            execution_id=execution_id,
            schedule_id=labels.get(SCHEDULE) if execution_id == job_id else None,
            metadata={"args": message.args, "kwargs": message.kwargs, "retries": int(labels.get("_retries", 0))},
        )

    def tell_failure(self, message: TaskiqMessage, error: BaseException) -> None:
        """Tell of a message whose run never began."""
        run = self.task_run(message)
        tell(run.begins(), failure(run.job_id, error), ended(run.job_id, JobStatus.FAILED, named(error)))

    @client.guarded
    def _label(self, message: TaskiqMessage) -> None:
        """Give a task that is sent its parent and its execution. A retry has the labels of the run before."""
        labels, run = message.labels, _run.get()
        if run is not None and run.attempt.job_id == self.job_id(message):
            run.attempt.is_sent_again = True
            run.delay_s = _seconds(labels.get("delay"))
            return
        place, schedule_id = context.present(), labels.get("schedule_id")
        if EXECUTION in labels or PARENT in labels or "_retries" in labels:
            return
        if place is not None:
            labels[PARENT] = place.job_id
            if place.job.execution_id:
                labels[EXECUTION] = place.job.execution_id
        elif schedule_id:
            labels[EXECUTION] = self.job_id(message)
            labels[SCHEDULE] = message.task_name if _UNNAMED.fullmatch(str(schedule_id)) else str(schedule_id)

    @client.guarded
    def _begin(self, message: TaskiqMessage) -> None:
        outer = _run.get()
        if outer is not None and outer.message is message:
            return  # the middleware was added twice
        receipt = _receipt.get()
        if receipt is not None:
            receipt.has_begun = True
        listen(apart_from=["taskiq.receiver.receiver", "taskiq.retry_middleware", "taskiq.smart_retry_middleware"])
        labels = message.labels
        attempt = Attempt(self.task_run(message))
        _run.set(OpenRun(attempt, message, outer, int(labels.get("_retries", 0)), labels.get(REQUEUED)))


def _middleware_of(broker: AsyncBroker) -> JobtailMiddleware | None:
    return next((present for present in broker.middlewares if isinstance(present, JobtailMiddleware)), None)


@dataclass(slots=True)
class Receipt:
    """What is remembered of a message while a receiver works on it."""

    outer: OpenRun | None
    has_begun: bool = False


_receipt: ContextVar[Receipt | None] = ContextVar("jobtail_taskiq_receipt", default=None)


@cache
def _hear_receivers() -> None:
    """Hear how a message ends that no middleware is told of: its task is unknown, or a middleware of somebody's raises."""
    callback: Any = Receiver.callback

    @functools.wraps(callback)
    async def heard(receiver: Receiver, message: bytes | AckableMessage, *args: Any, **kwargs: Any) -> None:
        receipt, error = Receipt(_run.get()), None
        token = _receipt.set(receipt)
        try:
            await callback(receiver, message, *args, **kwargs)
        except BaseException as raised:
            error = raised
            raise
        finally:
            _receipt.reset(token)
            _settle(receiver.broker, message, receipt, error)

    setattr(Receiver, "callback", heard)  # noqa: B010 - there is no other way to hear it


@client.guarded
def _settle(
    broker: AsyncBroker, message: bytes | AckableMessage, receipt: Receipt, error: BaseException | None
) -> None:
    """End what a message has begun and nobody ended; tell of one whose run never began."""
    run = _run.get()
    _run.set(receipt.outer)
    if receipt.has_begun:
        if run is not None and run is not receipt.outer and run.attempt.is_open:
            run.attempt.fail(error or RuntimeError("the run ended without an outcome"))
        return
    middleware = _middleware_of(broker)
    if middleware is None:
        return
    said = broker.formatter.loads(message=message.data if isinstance(message, AckableMessage) else message)
    if error is None and broker.find_task(said.task_name) is None:
        error = TaskNotFound(f"there is no task {said.task_name}")
    if error is not None:
        middleware.tell_failure(said, error)


class TaskNotFound(Exception):
    """No task has the name that a message asks for."""


def _is_retried(error: BaseException, result: TaskiqResult[Any]) -> bool:
    """Tell whether a retry by a schedule follows, which sends nothing yet: it takes the result away."""
    return isinstance(result.error, NoResultError) and not isinstance(error, NoResultError)


def _most_retries(broker: AsyncBroker, message: TaskiqMessage) -> int | None:
    """Tell how many retries a task has at most: the label counts its runs."""
    for middleware in broker.middlewares:
        if isinstance(middleware, SimpleRetryMiddleware | SmartRetryMiddleware):
            return int(message.labels.get("max_retries", middleware.default_retry_count)) - 1
    return None


def _seconds(delay: Any) -> float | None:
    try:
        return None if delay is None else float(delay)
    except ValueError:
        return None
