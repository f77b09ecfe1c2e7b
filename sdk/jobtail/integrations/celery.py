"""Celery: each run of a task is a job, told by the signals of the worker, its pool processes and beat."""

from __future__ import annotations

import signal as signals_of_the_system
import sys
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

from celery import Celery, current_app, current_task, signals, states
from celery.app.task import Context
from celery.exceptions import Reject
from celery.utils.saferepr import saferepr

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
    seconds_until,
    tell,
    warning,
)
from jobtail.jsonable import named

REPLACED = "jobtail_replaced_id"
"""What a message carries that goes on in the stead of a task: that task."""
_prefixes: WeakKeyDictionary[Celery, str] = WeakKeyDictionary()
_open: dict[tuple[int, str], Attempt] = {}
"""The runs of this process by thread and task. A task that was delivered twice may run in two threads at once."""
_due_entry: ContextVar[str | None] = ContextVar("jobtail_due_entry", default=None)
_told_dead: dict[str, None] = {}
"""Tasks whose end this process has told for the pool: Celery says some of them twice. The oldest are forgotten."""
TOLD_DEAD = 1_000
SETTLED_S = 0.5
"""A run that is terminated sooner says so too: what the worker says of it may be stored before its start."""


def install(app: Celery, *, prefix: str = "") -> None:
    """Capture every task that a worker of this process runs. Call it where the app is made; twice is once.

    Args:
        app: Celery's signals are of the process: one app is enough for all of them.
        prefix: what the ids of jobs of this app begin with, before the task's own: a token may be for jobs of one prefix.
    """
    _prefixes[app] = prefix
    for signal, hook in (
        (signals.before_task_publish, _on_publish),
        (signals.task_prerun, _on_prerun),
        (signals.task_postrun, _on_postrun),
        (signals.task_received, _on_received),
        (signals.task_retry, _on_retry_elsewhere),
        (signals.task_failure, _on_failure_elsewhere),
        (signals.task_revoked, _on_revoked),
        (signals.task_unknown, _on_unknown),
        (signals.beat_init, _on_beat),
        (signals.worker_process_shutdown, _on_shutdown),
        (signals.worker_shutdown, _on_shutdown),
    ):
        signal.connect(hook, weak=False, dispatch_uid=f"jobtail.{hook.__name__}")


@client.guarded
def _on_publish(*, headers: Any = None, body: Any = None, **_: Any) -> None:
    """Give a task that is sent its parent and its execution. A retry carries the headers of the run before."""
    task_id = headers.get("id")
    if task_id is None:  # a message of Celery's first protocol, whose headers no task sees
        return
    attempt = _open.get(_here(task_id))
    if attempt is not None:
        attempt.is_sent_again = True
        return
    if current_task:
        _mark_replaced(current_task.request, headers, body)
    entry, place = _due_entry.get(), context.present()
    if entry is not None:
        headers.setdefault(SCHEDULE, entry)
        headers.setdefault(EXECUTION, _job_id(current_app, task_id))
    elif place is not None and place.job_id != _job_id(current_app, task_id):
        if not headers.get("parent_id"):
            headers.setdefault(PARENT, place.job_id)
        if place.job.execution_id:
            headers.setdefault(EXECUTION, place.job.execution_id)


def _mark_replaced(running: Any, headers: Any, body: Any) -> None:
    """Let what goes on in a task's stead say so, down to the last one, which runs under the task's own id."""
    embedded = body[2] if isinstance(body, tuple) else {}
    ahead = [embedded.get("chain"), embedded.get("chord")]
    for replaced_id in (running.id, running.get(REPLACED)):
        if replaced_id and (headers["id"] == replaced_id or _names_task(ahead, replaced_id)):
            headers.setdefault(REPLACED, replaced_id)


def _names_task(signatures: Any, task_id: str) -> bool:
    if isinstance(signatures, dict):
        is_it: bool = (signatures.get("options") or {}).get("task_id") == task_id
        return is_it or _names_task(list((signatures.get("kwargs") or {}).values()), task_id)
    return isinstance(signatures, list | tuple) and any(_names_task(each, task_id) for each in signatures)


@client.guarded
def _on_prerun(*, task_id: str, task: Any, args: Any, kwargs: Any, **_: Any) -> None:
    # A task's logger from celery.utils.log does not pass on to the root.
    listen(apart_from=["celery.app.trace"], also_to=["celery.task"])
    if not task.request.called_directly and not task.request.is_eager:
        _leave_behind()
    run = _run(task.request, task.name, args, kwargs, app=task.app)
    _open[_here(task_id)] = Attempt(run)


def _leave_behind() -> None:
    """End what this thread has begun and not left, which a run would be a child of. Eager tasks alone are nested."""
    for key in [key for key in list(_open) if key[0] == threading.get_ident()]:
        _open.pop(key).fail(RuntimeError("the run ended without an outcome"))


@client.guarded
def _on_postrun(*, task_id: str, task: Any, retval: Any = None, state: str | None = None, **_: Any) -> None:
    attempt = _open.pop(_here(task_id), None)
    if attempt is None:
        return
    if state == states.RETRY:
        attempt.leave(_retry(task, task.request, retval), retval.exc)
    elif state == states.IGNORED and str(retval).startswith("Replaced"):
        attempt.leave("replaced by another task")
    elif attempt.is_sent_again and state != states.FAILURE:
        attempt.leave()
    elif state in {states.SUCCESS, states.IGNORED}:
        attempt.complete(retval if state == states.SUCCESS else f"ignored: {retval}")
    elif state == states.REJECTED:
        _reject(attempt, retval)
    elif state == states.FAILURE:
        attempt.fail(retval)
    else:
        _break_off(attempt, sys.exc_info()[1])


def _reject(attempt: Attempt, rejection: Any) -> None:
    if rejection.requeue:
        attempt.leave("rejected, to be delivered again")
    elif isinstance(rejection.reason, BaseException):  # a retry that could not be sent
        attempt.fail(rejection.reason)
    else:
        attempt.give_up(f"rejected: {rejection.reason}")


def _break_off(attempt: Attempt, error: BaseException | None) -> None:
    """End a run that no outcome of Celery's ended."""
    if not (isinstance(error, SystemExit) and isinstance(error.code, int) and error.code < 0):
        attempt.fail(error or RuntimeError("the run ended without an outcome"))
    elif time.monotonic() - attempt.began_at < SETTLED_S:
        attempt.cancel(f"terminated by {_signal_name(256 + error.code)}")
    else:
        # A pool process hears of a signal so. Only the worker knows whether it was a time limit or a revocation.
        attempt.leave()


@client.guarded
def _on_received(*, request: Any, **_: Any) -> None:
    _told_dead.pop(request.id, None)


@client.guarded
def _on_retry_elsewhere(*, sender: Any, request: Any, reason: Any = None, **_: Any) -> None:
    """Tell of a retry that the worker decided and not the run, whose pool process is lost."""
    if _here(request.id) in _open:
        return
    tell(warning(_job_id(sender.app, request.id), _retry(sender, request, reason)))


@client.guarded
def _on_failure_elsewhere(
    *, sender: Any, task_id: str, exception: BaseException, traceback: Any = None, einfo: Any = None, **_: Any
) -> None:
    """Tell of a failure that the run itself could not: its pool process was lost, or killed at the time limit."""
    if _here(task_id) in _open or isinstance(exception, Reject) or task_id in _told_dead:
        return
    _note_dead(task_id)
    text = traceback if isinstance(traceback, str) else getattr(einfo, "traceback", None)
    is_lost = type(exception).__name__ == "WorkerLostError"
    job_id = _job_id(sender.app, task_id)
    tell(
        TaskRun(job_id=job_id, handler_name=sender.name).begins(),
        failure(job_id, exception, text),
        ended(job_id, JobStatus.FAILED, f"worker lost: {exception}" if is_lost else named(exception)),
    )


@client.guarded
def _on_unknown(*, sender: Any, message: Any, exc: Exception, name: str, id: str, **_: Any) -> None:  # noqa: A002 - Celery's name
    """Tell of a message that no task of this worker has the name of: Celery fails it, and runs nothing."""
    request = Context(message.headers or {}, id=id, delivery_info=message.delivery_info)
    run = _run(request, name, request.args, request.kwargs, app=sender.app)
    error = f"NotRegistered: no task of this worker is called {name}"
    tell(run.begins(), failure(run.job_id, exc, error), ended(run.job_id, JobStatus.FAILED, error))


@client.guarded
def _on_revoked(
    *, sender: Any, request: Any, terminated: bool, signum: Any = None, expired: bool = False, **_: Any
) -> None:
    reason = "expired before it ran" if expired else "revoked before it ran"
    if terminated:
        reason = f"terminated by {_signal_name(signum)}"
    else:
        tell(_run(request, sender.name, request.args, request.kwargs, app=sender.app).begins())
    job_id = _job_id(sender.app, request.id)
    tell(warning(job_id, reason), ended(job_id, JobStatus.CANCELLED, reason))


@client.guarded
def _on_beat(*, sender: Any, **_: Any) -> None:
    """Know which entry of the schedule a task is sent for, whatever scheduler sends it."""
    scheduler = sender.scheduler
    send: Callable[..., Any] = scheduler.apply_async

    def apply_async(entry: Any, *args: Any, **kwargs: Any) -> Any:
        token = _due_entry.set(getattr(entry, "name", None))
        try:
            return send(entry, *args, **kwargs)
        finally:
            _due_entry.reset(token)

    scheduler.apply_async = apply_async


@client.guarded
def _on_shutdown(**_: Any) -> None:
    # A pool process leaves by os._exit, which asks nobody.
    client.flush(FLUSH_S)


def _here(task_id: str) -> tuple[int, str]:
    return threading.get_ident(), task_id


def _run(request: Any, name: str, args: Any, kwargs: Any, *, app: Any) -> TaskRun:
    job_id = _job_id(app, request.id)
    execution_id, schedule_id = _schedule(request, name, job_id)
    delivery = request.get("delivery_info") or {}
    queue = delivery.get("routing_key")
    return TaskRun(
        job_id=job_id,
        handler_name=name,
        source=f"celery:{queue}" if queue else "celery",
        parent_job_id=_parent(request, app),
        execution_id=execution_id,
        schedule_id=schedule_id,
        metadata={
            "args": _arguments(tuple(args or ()), request.get("argsrepr"), app.amqp.argsrepr_maxsize, app),
            "kwargs": _arguments(dict(kwargs or {}), request.get("kwargsrepr"), app.amqp.kwargsrepr_maxsize, app),
            "retries": request.get("retries") or 0,
            "worker": request.get("hostname"),
        },
    )


def _parent(request: Any, app: Any) -> str | None:
    parent_id, carried = request.get("parent_id"), request.get(PARENT)
    # To Celery the first retry of a task is a child of itself, and one that was replaced of what replaced it.
    if not parent_id or request.id in {parent_id, request.get(REPLACED)}:
        return str(carried) if carried else None
    return _job_id(app, parent_id)


def _job_id(app: Any, task_id: str) -> str:
    """Name the job of a task. Of an app without a prefix its own, the prefix is that of the only one there is."""
    prefix = _prefixes.get(getattr(app, "_get_current_object", lambda: app)())
    if prefix is None:
        prefix = next(iter(_prefixes.values()), "")
    return f"{prefix}{task_id}"


def _schedule(request: Any, name: str, job_id: str) -> tuple[str | None, str | None]:
    """Tell the execution that a run is part of, and the schedule if it is the execution's root."""
    execution_id, schedule_id = request.get(EXECUTION), request.get(SCHEDULE)
    if execution_id is None:
        # A beat without our hooks: django-celery-beat names its entry, others say only that it was beat.
        properties = request.get("properties") or {}
        schedule_id = request.get("periodic_task_name") or properties.get("periodic_task_name")
        if schedule_id is None and request.get("celery_beat_task"):
            schedule_id = name
        execution_id = job_id if schedule_id is not None else None
    return execution_id, schedule_id if execution_id == job_id else None


def _arguments(values: Any, said: str | None, maxsize: int, app: Any) -> Any:
    """Give the arguments, or what the sender had shown in their place by `argsrepr` and `kwargsrepr`."""
    if not said:
        return values
    forms = [values, list(values)] if isinstance(values, tuple) else [values]
    levels = app.conf.task_repr_maxlevels
    return values if said in {saferepr(form, maxsize, maxlevels=levels) for form in forms} else said


def _retry(task: Any, request: Any, reason: Any) -> str:
    when = getattr(reason, "when", None)
    in_s = seconds_until(when) if isinstance(when, datetime) else when
    error = getattr(reason, "exc", None)
    most = getattr(task, "override_max_retries", None)
    return retry_message(
        (request.get("retries") or 0) + 1,
        task.max_retries if most is None else most,
        in_s,
        named(error) if isinstance(error, BaseException) else str(reason or "cancelled by the worker"),
    )


def _signal_name(number: Any) -> str:
    try:
        return signals_of_the_system.Signals(number).name
    except ValueError:
        return str(number)


def _note_dead(task_id: str) -> None:
    _told_dead[task_id] = None
    while len(_told_dead) > TOLD_DEAD:
        del _told_dead[next(iter(_told_dead))]
