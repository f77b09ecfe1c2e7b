"""Procrastinate: each job of its queue is a job here, told by a worker middleware and by what its job manager is asked."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import Any, NamedTuple

from procrastinate import App, JobContext, RetryStrategy
from procrastinate.exceptions import TaskNotFound
from procrastinate.job_context import AbortReason
from procrastinate.jobs import Job, Status
from procrastinate.periodic import PeriodicTask

from jobtail import client
from jobtail import current as context
from jobtail.events import JobStatus
from jobtail.integrations.record_hook import listen
from jobtail.integrations.runs import (
    EXECUTION,
    PARENT,
    Attempt,
    TaskRun,
    ended,
    failure,
    retry_message,
    seconds_until,
    tell,
    warning,
)
from jobtail.jsonable import named

CARRIED = "_jobtail"
"""The argument under which a job carries its parent. It is taken out before the task sees its arguments."""
_ABORTIONS = {AbortReason.USER_REQUEST: "aborted by request", AbortReason.SHUTDOWN: "aborted by the worker's shutdown"}

Method = Callable[..., Any]


def install(app: App, *, name: str = "procrastinate", carries_parent: bool = False) -> None:
    """Capture every job that a worker of this app runs. Call it where the app is made; twice is once.

    Args:
        app: its workers are reached however they are started, unless they are given a `worker_middleware` of their own.
        name: job 17 of the queue is `<name>-17` here. Apps with queues in several databases need a name for each.
        carries_parent: have jobs know which job deferred them. It puts an argument of ours beside the task's own into
            the queue, which a worker without `install` would pass on to the task: every worker needs it first.
    """
    present = app.worker_defaults.get("worker_middleware", [])
    if any(isinstance(middleware, RunMiddleware) for middleware in present):
        return
    middleware = RunMiddleware(app, name)
    app.worker_defaults = {**app.worker_defaults, "worker_middleware": [middleware, *present]}
    middleware.attend(carries_parent=carries_parent)


class BrokenOff(NamedTuple):
    """A run that an error has ended, until the queue is told what becomes of the job."""

    attempt: Attempt
    error: BaseException
    abortion: AbortReason | None
    attempts: int
    """Those before it."""
    most_retries: int | None


class RunMiddleware:
    """Opens a job around each run, and tells its end when the queue has been told."""

    def __init__(self, app: App, name: str) -> None:
        self._app = app
        self._name = name
        self._broken_off: dict[int | None, BrokenOff] = {}

    async def __call__(self, call_next: Callable[[], Awaitable[Any]], job_context: JobContext, worker: object) -> Any:
        del worker
        attempt = self._begun(job_context)
        if attempt is None:
            return await call_next()
        try:
            result = await call_next()
        except BaseException as error:
            self._break_off(attempt, job_context, error)
            raise
        attempt.complete(result)
        return result

    def attend(self, *, carries_parent: bool) -> None:
        """Hear what the job manager is asked: only there is it known whether a job is retried, given up or cancelled."""
        hearings: dict[str, Callable[[Method], Method]] = {
            "finish_job": self._hearing_end,
            "retry_job_by_id_async": self._hearing_retry,
            "retry_job_by_id": self._hearing_retry_sync,
            "cancel_job_by_id_async": self._hearing_cancel,
            "cancel_job_by_id": self._hearing_cancel_sync,
        }
        if carries_parent:
            hearings |= {"batch_defer_jobs_async": self._carrying, "batch_defer_jobs": self._carrying}
        for method, hearing in hearings.items():
            setattr(self._app.job_manager, method, hearing(getattr(self._app.job_manager, method)))

    def _begun(self, job_context: JobContext) -> Attempt | None:
        try:
            carried = job_context.job.task_kwargs.pop(CARRIED, None)
            listen(apart_from=["procrastinate.jobs", "procrastinate.worker", "procrastinate.worker.worker"])
            return Attempt(self._run(job_context.job, carried, worker=job_context.worker_name))
        except Exception as error:  # noqa: BLE001 - no fault of the capture reaches the job
            client.writer().report_fault(error)
            return None

    @client.guarded
    def _break_off(self, attempt: Attempt, job_context: JobContext, error: BaseException) -> None:
        attempt.step_out()
        self._broken_off[job_context.job.id] = BrokenOff(
            attempt, error, job_context.abort_reason(), job_context.job.attempts, _most_retries(job_context)
        )

    def _run(self, job: Job, carried: Any = None, *, worker: str | None = None) -> TaskRun:
        carried = carried if isinstance(carried, dict) else {}
        job_id = self._job_id(job.id)
        periodic = _periodic(self._app, job)
        return TaskRun(
            job_id=job_id,
            handler_name=job.task_name,
            source=f"procrastinate:{job.queue}",
            parent_job_id=carried.get(PARENT),
            execution_id=carried.get(EXECUTION) if periodic is None else job_id,
            schedule_id=None if periodic is None else _schedule_id(periodic),
            metadata={
                "kwargs": {name: value for name, value in job.task_kwargs.items() if name != CARRIED},
                "attempts": job.attempts,
                "worker": worker,
            },
        )

    def _job_id(self, number: int | None) -> str:
        return f"{self._name}-{number}"

    def _hearing_end(self, finish_job: Method) -> Method:
        @functools.wraps(finish_job)
        async def heard(job: Job, status: Status, *args: Any, **kwargs: Any) -> None:
            broken_off = self._broken_off.pop(job.id, None)
            await finish_job(job, status, *args, **kwargs)
            self._tell_end(job, status, broken_off)

        return heard

    def _hearing_retry(self, retry_job: Method) -> Method:
        @functools.wraps(retry_job)
        async def heard(job_id: int, retry_at: datetime, *args: Any, **kwargs: Any) -> None:
            broken_off = self._broken_off.pop(job_id, None)
            await retry_job(job_id, retry_at, *args, **kwargs)
            self._tell_retry(job_id, retry_at, broken_off)

        return heard

    def _hearing_retry_sync(self, retry_job: Method) -> Method:
        @functools.wraps(retry_job)
        def heard(job_id: int, retry_at: datetime, *args: Any, **kwargs: Any) -> None:
            retry_job(job_id, retry_at, *args, **kwargs)
            self._tell_retry(job_id, retry_at, None)

        return heard

    def _hearing_cancel(self, cancel_job: Method) -> Method:
        @functools.wraps(cancel_job)
        async def heard(job_id: int, *args: Any, **kwargs: Any) -> Any:
            waiting = await self._app.job_manager.list_jobs_async(id=job_id, status=Status.TODO.value)
            is_done = await cancel_job(job_id, *args, **kwargs)
            self._tell_cancel(waiting if is_done else [])
            return is_done

        return heard

    def _hearing_cancel_sync(self, cancel_job: Method) -> Method:
        @functools.wraps(cancel_job)
        def heard(job_id: int, *args: Any, **kwargs: Any) -> Any:
            waiting = self._app.job_manager.list_jobs(id=job_id, status=Status.TODO.value)
            is_done = cancel_job(job_id, *args, **kwargs)
            self._tell_cancel(waiting if is_done else [])
            return is_done

        return heard

    def _carrying(self, defer_jobs: Method) -> Method:
        @functools.wraps(defer_jobs)
        def carrying(jobs: list[Job], *args: Any, **kwargs: Any) -> Any:
            place = context.present()
            if place is None:
                return defer_jobs(jobs, *args, **kwargs)
            carried = {PARENT: place.job_id, EXECUTION: place.job.execution_id}
            children = [job.evolve(task_kwargs={**job.task_kwargs, CARRIED: carried}) for job in jobs]
            return defer_jobs(children, *args, **kwargs)

        return carrying

    @client.guarded
    def _tell_end(self, job: Job, status: Status, broken_off: BrokenOff | None) -> None:
        if broken_off is None:
            if status is Status.FAILED:  # it never began: no task has its name
                run, error = self._run(job), TaskNotFound(f"there is no task {job.task_name}")
                tell(run.begins(), failure(run.job_id, error), ended(run.job_id, JobStatus.FAILED, named(error)))
        elif status is Status.ABORTED:
            abortion = broken_off.abortion
            broken_off.attempt.cancel("aborted" if abortion is None else _ABORTIONS[abortion])
        else:
            broken_off.attempt.fail(broken_off.error)

    @client.guarded
    def _tell_retry(self, number: int, retry_at: datetime, broken_off: BrokenOff | None) -> None:
        if broken_off is None:
            tell(warning(self._job_id(number), "put back into the queue"))
            return
        attempt, error, _, attempts, most = broken_off
        attempt.leave(retry_message(attempts + 1, most, seconds_until(retry_at), named(error)), error)

    @client.guarded
    def _tell_cancel(self, waiting: Iterable[Job]) -> None:
        reason = "cancelled while it waited"
        for job in waiting:
            run = self._run(job)
            tell(run.begins(), warning(run.job_id, reason), ended(run.job_id, JobStatus.CANCELLED, reason))


def _most_retries(job_context: JobContext) -> int | None:
    strategy = job_context.task.retry_strategy
    return strategy.max_attempts if isinstance(strategy, RetryStrategy) else None


def _periodic(app: App, job: Job) -> PeriodicTask[Any, Any, Any] | None:
    """Find the periodic task that a job is a run of: it has the timestamp that the schedule gave it."""
    timestamp = job.task_kwargs.get("timestamp")
    if not isinstance(timestamp, int):
        return None
    due = [
        periodic
        for periodic in app.periodic_registry.periodic_tasks.values()
        if periodic.task.name == job.task_name and _is_due(periodic, timestamp)
    ]
    own = {name: value for name, value in job.task_kwargs.items() if name not in {"timestamp", CARRIED}}
    return next((periodic for periodic in due if _arguments(periodic) == own), due[0] if due else None)


def _is_due(periodic: PeriodicTask[Any, Any, Any], timestamp: int) -> bool:
    schedule: Any = type(periodic.croniter)(periodic.cron, timestamp - 1)  # the task's own one is in use
    return bool(round(schedule.get_next(float)) == timestamp)


def _arguments(periodic: PeriodicTask[Any, Any, Any]) -> dict[str, Any]:
    arguments = periodic.configure_kwargs.get("task_kwargs") or {}
    return {name: value for name, value in arguments.items() if name != "timestamp"}


def _schedule_id(periodic: PeriodicTask[Any, Any, Any]) -> str:
    return f"{periodic.task.name}:{periodic.periodic_id}" if periodic.periodic_id else periodic.task.name
