"""A job in two lines: from its start to its end, with the error and its traceback where it fails.

The job's own exceptions pass unchanged, and no fault of ours joins them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextvars import Token
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TypeVar, cast
from uuid import uuid4

from jobtail import client
from jobtail.current import EXECUTION_ID, JOB_ID, Place, enter, leave, present
from jobtail.events import MAIN_STAGE, JobFinished, JobStarted, JobStatus, Line, LogLevel
from jobtail.job import open_jobs
from jobtail.job.decorated import decorated
from jobtail.job.emitter import LogCapturingEmitter
from jobtail.job.exception_text import CANCELLATIONS, Origin, exception_facts, is_good_exit, traceback_text
from jobtail.job.narration import Narration
from jobtail.job.options import JobId, JobOptions
from jobtail.job.silent import SilentEmitter
from jobtail.jsonable import jsonable_object, named, shown

F = TypeVar("F", bound=Callable[..., Any])


class JobCapture:
    """A job from its start to its end: a context manager, sync and async, and a decorator. Made by `jobtail.job`.

    For hooks that come in pairs `start` does the same, and `finish`, `fail` or `leave`.
    """

    def __init__(self, options: JobOptions) -> None:
        self.job_id = options.job_id if isinstance(options.job_id, str) else ""
        """Empty until the job starts, where it was not given."""
        self.execution_id = options.execution_id
        self.metadata = options.metadata
        self.origin = Origin()
        """Where in the job the error that is under way came from."""
        self._options = options
        self._narration: Narration | None = None
        self._output: Any = None
        self._token: Token[Place | None] | None = None
        self._pid = 0
        self._is_ended = False

    def __repr__(self) -> str:
        return f"<JobCapture {self.job_id!r}>"

    @property
    def is_open(self) -> bool:
        return self._token is not None

    def start(self) -> Any:
        """Start the job, make it the present one, and give its emitter.

        Raises:
            RuntimeError: if it is open already.
        """
        if self.is_open:
            raise RuntimeError(f"the job {self.job_id!r} is open already: make another jobtail.job() for another run")
        base = SilentEmitter() if self._options.emitter is None else self._options.emitter
        try:
            return self._open(base)
        except Exception as error:  # noqa: BLE001 - no fault of the capture reaches the job
            client.writer().report_fault(error)
            return base

    def finish(self, status: JobStatus, *, error: str | None = None, result: str | None = None) -> None:
        """End the job and leave it. Nothing happens where it is not open."""
        if not self.is_open:
            return
        try:
            self._end_output()
            self.tell_end(status, error, result)
        finally:
            self.leave()
            client.leave_if_ending()

    @client.guarded
    def tell_end(self, status: JobStatus, error: str | None = None, result: str | None = None) -> None:
        """Say how the job ended, once, and stay in it."""
        if (
            self._is_ended or os.getpid() != self._pid
        ):  # a forked child that ran out of the block: the job is its parent's
            return
        self._is_ended = True
        if result is None and status is JobStatus.COMPLETED and self._narration is not None:
            result = self._narration.result
        event = JobFinished(
            job_id=self.job_id, status=JobStatus(status), error=error, result=result, at=datetime.now(UTC)
        )
        client.writer().capture(event)

    def fail(self, exception: BaseException) -> None:
        """End the job by an exception: cancelled, or failed with its whole traceback as a line."""
        if not self.is_open:
            return
        if isinstance(exception, CANCELLATIONS):
            self.finish(JobStatus.CANCELLED)
        elif isinstance(exception, SystemExit) and is_good_exit(exception):
            self.finish(JobStatus.COMPLETED)
        else:
            self._say_failure(exception)
            self.finish(JobStatus.FAILED, error=named(exception))

    def complete(self) -> None:
        """End the job well, and leave it."""
        self.finish(JobStatus.COMPLETED)

    def give_up(self, reason: str) -> None:
        """Fail the job for a reason that is no exception, and leave it."""
        self.say(reason, LogLevel.ERROR)
        self.finish(JobStatus.FAILED, error=reason)

    def step_out(self) -> None:
        """Go out of the job's context while it goes on."""
        if self._token is not None:
            leave(self._token)

    def step_in(self) -> None:
        """Go into the job's context again, wherever that is now."""
        if self._token is not None:
            self._token = enter(Place(self, self.job_id))

    def leave(self) -> None:
        """Take the job out of the context and say nothing of it: it goes on elsewhere, or later."""
        token, self._token = self._token, None
        if token is None:
            return
        open_jobs.forget(self)
        leave(token)
        self._end_output()

    def say(
        self,
        message: str,
        level: LogLevel = LogLevel.INFO,
        metadata: Mapping[str, Any] | None = None,
        *,
        stage: str | None = None,
        task_id: str | None = None,
        at: datetime | None = None,
    ) -> None:
        """Capture a line. Without a stage and a task it belongs where the job is now. Never raises."""
        writer = client.writer()
        try:
            if stage is None and task_id is None and self._narration is not None:
                stage, task_id = self.here()
            line = Line(
                job_id=self.job_id,
                message=message,
                level=level,
                stage=stage,
                task_id=task_id,
                at=at or datetime.now(UTC),
                metadata=jsonable_object(metadata),
            )
            writer.capture(line)
        except Exception as error:  # noqa: BLE001 - no fault of the capture reaches the job
            writer.report_fault(error)

    def here(self) -> tuple[str | None, str | None]:
        """Tell the stage and the task that a line belongs to which names neither."""
        return (None, None) if self._narration is None else self._narration.here()

    def move(self) -> None:
        """Note that a stage or task was entered or left here: output of child processes follows."""
        if self._output is not None:
            self._output.move()

    def stage_now(self) -> str:
        """Tell the stage that a line without one belongs to."""
        return self.here()[0] or MAIN_STAGE

    def __enter__(self) -> Any:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if error is None:
            self.finish(JobStatus.COMPLETED)
        else:
            self.fail(error)

    async def __aenter__(self) -> Any:
        return self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, tb)

    def __call__(self, function: F) -> F:
        """Make each call of a function a job of its own.

        Raises:
            TypeError: if it is no function, or one that yields.
        """
        return decorated(function, lambda *call: JobCapture(self._options.of_call(*call)))

    def _open(self, base: Any) -> Any:
        options, writer, outer = self._options, client.writer(), present()
        given = options.job_id() if callable(options.job_id) else options.job_id
        self.job_id = shown(given) if given else str(uuid4())
        around = (
            (outer.job_id, outer.job.execution_id) if outer else (os.environ.get(JOB_ID), os.environ.get(EXECUTION_ID))
        )
        parent_job_id = options.parent_job_id or around[0] or None
        own_execution = self.job_id if options.schedule_id else None
        self.execution_id = options.execution_id or own_execution or around[1] or None
        self._pid, self.origin = os.getpid(), Origin()
        self._narration = Narration(writer, self.job_id, keeps_completion=True)
        self._is_ended = False
        self._token = enter(Place(self, self.job_id))
        if client.is_on():
            open_jobs.note(self)
        writer.capture(
            JobStarted(
                job_id=self.job_id,
                handler_name=options.handler_name or "job",
                source=options.source,
                execution_id=self.execution_id,
                schedule_id=options.schedule_id,
                parent_job_id=parent_job_id,
                metadata=jsonable_object(options.metadata),
                total=options.total,
                at=datetime.now(UTC),
            )
        )
        if options.capture_output and client.is_on():
            self._begin_output()
        return LogCapturingEmitter(base, writer, self.job_id, narration=self._narration)

    @client.guarded
    def _say_failure(self, exception: BaseException) -> None:
        stage, task_id = self.origin.of(exception) or (None, None)
        facts = exception_facts(exception)
        self.say(traceback_text(exception), LogLevel.ERROR, facts, stage=stage, task_id=task_id)

    @client.guarded
    def _begin_output(self) -> None:
        from jobtail.output.stream_capture import OutputCapture  # noqa: PLC0415 - only for a job that asks for it

        output = OutputCapture(self)
        output.start()
        self._output = output

    @client.guarded
    def _end_output(self) -> None:
        output, self._output = self._output, None
        if output is not None:
            output.stop()


def job(
    job_id: JobId = None,
    *,
    handler_name: str | None = None,
    source: str | None = None,
    execution_id: str | None = None,
    schedule_id: str | None = None,
    parent_job_id: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    total: int | None = None,
    emitter: Any = None,
    capture_output: bool = False,
) -> JobCapture:
    """Capture a job: `with jobtail.job("JB_1") as emitter:`, or `@jobtail.job()`.

    Args:
        job_id: without it a new UUID. As a decorator's it may be a function of the call's arguments.
        handler_name: what kind of job it is; as a decorator the function's qualified name unless given.
        source: what asked for it.
        execution_id: the scheduled run that it belongs to; with a schedule the job's id, inside another job that job's.
        schedule_id: the schedule that started this execution.
        parent_job_id: the job that started it; inside another job that one.
        metadata: facts about the job.
        total: how much there is to do.
        emitter: the job's own one, which hears every call; without it one that does nothing.
        capture_output: capture what is printed, too.
    """
    options = JobOptions(
        job_id=job_id,
        handler_name=handler_name,
        source=source,
        execution_id=execution_id,
        schedule_id=schedule_id,
        parent_job_id=parent_job_id,
        metadata=metadata,
        total=total,
        emitter=emitter,
        capture_output=capture_output,
    )
    return JobCapture(options)


def current_job() -> JobCapture | None:
    """Give the job that is open here."""
    place = present()
    return None if place is None else cast("JobCapture", place.job)
