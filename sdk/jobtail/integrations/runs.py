"""The run of a queue's task as a job: what the integrations have in common. It knows no queue."""

from __future__ import annotations

import reprlib
import time
from collections.abc import Mapping
from contextvars import Token
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from jobtail import client
from jobtail import current as context
from jobtail.events import Event, JobFinished, JobStarted, JobStatus, Line, LogLevel
from jobtail.job.exception_text import exception_facts, traceback_text
from jobtail.job.session import JobCapture, job
from jobtail.jsonable import jsonable_object, named

FLUSH_S = 5.0
"""How long a worker that ends waits for what it has captured to leave."""
PARENT, EXECUTION, SCHEDULE = "jobtail_parent_id", "jobtail_execution_id", "jobtail_schedule_id"
"""What a task that is sent carries: the job that sent it, the execution it is part of, the schedule that began that."""
RESULT_LENGTH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRun:
    """What a queue knows of a task that it runs."""

    job_id: str
    handler_name: str
    source: str | None = None
    parent_job_id: str | None = None
    execution_id: str | None = None
    schedule_id: str | None = None
    """What started the execution: of the run that is its root alone."""
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def begins(self) -> JobStarted:
        """Say that it runs, for one that runs elsewhere or never will. What is known of it already stays."""
        return JobStarted(
            job_id=self.job_id,
            handler_name=self.handler_name,
            source=self.source,
            parent_job_id=self.parent_job_id,
            execution_id=self.execution_id,
            schedule_id=self.schedule_id,
            metadata=jsonable_object(self.metadata) if self.metadata else None,
            at=datetime.now(UTC),
        )


class Attempt:
    """A run that is open in this context, until one of its methods ends it."""

    def __init__(self, run: TaskRun) -> None:
        self.job_id = run.job_id
        self.began_at = time.monotonic()
        self.is_sent_again = False
        """Set where the queue is given the task once more while it runs: the job does not end with this run."""
        self._outside: Token[context.Place | None] | None = context.enter(context.present())
        self._capture: JobCapture = job(
            run.job_id,
            handler_name=run.handler_name,
            source=run.source,
            parent_job_id=run.parent_job_id,
            execution_id=run.execution_id,
            schedule_id=run.schedule_id,
            metadata=run.metadata,
        )
        self._capture.start()

    @property
    def is_open(self) -> bool:
        return self._outside is not None

    def complete(self, result: Any) -> None:
        self._end(JobStatus.COMPLETED, result=brief(result))

    def fail(self, error: BaseException) -> None:
        """Fail by what the task raised. The queue has counted it as failed, sys.exit(0) too; a cancelled one was broken off."""
        if isinstance(error, SystemExit):
            self._capture.say(traceback_text(error), LogLevel.ERROR, exception_facts(error))
            self._end(JobStatus.FAILED, error=named(error))
            return
        try:
            self._capture.fail(error)
        finally:
            self.step_out()

    def cancel(self, reason: str) -> None:
        self._end(JobStatus.CANCELLED, error=reason)

    def give_up(self, reason: str) -> None:
        """Fail for a reason that is no exception of the task's."""
        self._capture.say(reason, LogLevel.ERROR)
        self._end(JobStatus.FAILED, error=reason)

    def leave(self, message: str | None = None, error: BaseException | None = None) -> None:
        """End the run and not the job, which goes on in another run or is ended elsewhere; a warning may say why."""
        try:
            if message is not None:
                self._capture.say(message, LogLevel.WARNING, None if error is None else _with_traceback(error))
            self._capture.leave()
        finally:
            self.step_out()

    def _end(self, status: JobStatus, *, error: str | None = None, result: str | None = None) -> None:
        try:
            self._capture.finish(status, error=error, result=result)
        finally:
            self.step_out()

    def step_out(self) -> None:
        """Go out of the job's context before it is known how the run ends."""
        outside, self._outside = self._outside, None
        if outside is not None:
            context.leave(outside)


def tell(*events: Event) -> None:
    """Capture what happened to a job that is not open in this context."""
    writer = client.writer()
    for event in events:
        writer.capture(event)


def warning(job_id: str, message: str, error: BaseException | None = None) -> Line:
    metadata = None if error is None else _with_traceback(error)
    return Line.now(job_id, message, LogLevel.WARNING, metadata=metadata)


def failure(job_id: str, error: BaseException, text: str | None = None) -> Line:
    """Make the line that says why a job failed. `text` is the traceback of an error that has lost its own."""
    return Line.now(job_id, text or traceback_text(error), LogLevel.ERROR, metadata=exception_facts(error))


def ended(job_id: str, status: JobStatus, error: str) -> JobFinished:
    return JobFinished(job_id=job_id, status=status, error=error, at=datetime.now(UTC))


def retry_message(number: int, most: int | None, in_s: float | None, reason: str) -> str:
    """Say which retry follows: `retry 1 of 3 in 5 s: ValueError: no`."""
    of = "" if most is None else f" of {most}"
    when = "" if in_s is None else f" in {round(max(in_s, 0), 1):g} s"
    return f"retry {number}{of}{when}: {reason}"


def seconds_until(moment: datetime) -> float:
    return (moment - datetime.now(moment.tzinfo)).total_seconds()


def brief(result: Any) -> str | None:
    """Say a result in brief, whatever it is; a text as it stands."""
    if result is None:
        return None
    text = result if isinstance(result, str) else _repr(result)
    return text if len(text) <= RESULT_LENGTH else f"{text[: RESULT_LENGTH - 1]}…"


def _repr(value: Any) -> str:
    # It looks at a few values of a container only: a result may hold millions.
    small = reprlib.Repr()
    small.maxstring = small.maxother = RESULT_LENGTH
    small.maxdict = small.maxlist = small.maxtuple = small.maxset = 20
    try:
        return small.repr(value)
    except Exception:  # noqa: BLE001 - a job's own __repr__ may raise anything
        return f"<{type(value).__qualname__} that cannot be shown>"


def _with_traceback(error: BaseException) -> dict[str, Any]:
    facts = exception_facts(error)
    return facts if error.__traceback__ is None else {**facts, "traceback": traceback_text(error)}
