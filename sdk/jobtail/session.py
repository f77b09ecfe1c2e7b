"""Jobs in two lines: what is opened by `job`, `stage` and `task` becomes events, and errors are said with their traceback.

The job's own exceptions pass unchanged, and no fault of ours joins them.
"""

from __future__ import annotations

import functools
import inspect
import os
from asyncio import CancelledError
from collections.abc import Callable, Mapping
from contextvars import Token
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TypeVar, cast
from uuid import uuid4

from jobtail import client
from jobtail.context import Place, enter, leave, present
from jobtail.emitter import LogCapturingEmitter
from jobtail.events import (
    MAIN_STAGE,
    JobFinished,
    JobStarted,
    JobStatus,
    Line,
    LogLevel,
    TaskChanged,
    TaskStatus,
)
from jobtail.failure import Origin, exception_facts, traceback_text
from jobtail.jsonable import jsonable_object, shown
from jobtail.ledger import named
from jobtail.narration import Narration

F = TypeVar("F", bound=Callable[..., Any])
JobId = str | Callable[..., Any] | None

_CANCELLATIONS = (CancelledError, KeyboardInterrupt, GeneratorExit)


class SilentEmitter:
    """The emitter of a job that has none: each call does nothing but be captured."""

    def emit_stage(self, stage: str, message: str = "") -> None:
        """Say that a stage begins."""

    def emit_info(self, message: str, **metadata: Any) -> None:
        """Say something about the present stage."""

    def emit_progress(self, count: int, metadata: Mapping[str, Any] | None = None) -> None:
        """Say how much is done; `metadata` may name the `total`."""

    def emit_complete(self, summary: Any = None) -> None:
        """Say that the job is done."""

    def emit_error(self, stage: str, error: Any = None) -> None:
        """Say that a stage failed."""

    def add_task(self, task_id: str, name: str | None = None) -> None:
        """Say that work on a unit begins or is due."""

    def update_task_status(self, task_id: str, completed: bool, result: str | None = None) -> None:  # noqa: FBT001
        """Say how a unit ended."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("emit_"):
            return _say_nothing
        raise AttributeError(f"{type(self).__qualname__!r} has no attribute {name!r}")


def _say_nothing(*args: Any, **kwargs: Any) -> None:
    del args, kwargs


class JobCapture:
    """A job from its start to its end: a context manager, sync and async, and a decorator.

    For hooks that come in pairs `start` and `finish` or `fail` do the same. Made by `jobtail.job`.
    """

    def __init__(
        self,
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
    ) -> None:
        self.job_id = job_id if isinstance(job_id, str) else ""
        """Empty until the job starts, where it was not given."""
        self.execution_id = execution_id
        self.metadata = metadata
        self.handler_name = handler_name
        self._job_id = job_id
        self._source = source
        self._schedule_id = schedule_id
        self._parent_job_id = parent_job_id
        self._execution_id = execution_id
        self._total = total
        self._base = emitter
        self._captures_output = capture_output
        self._output: Any = None
        self._narration: Narration | None = None
        self._emitter: Any = None
        self._token: Token[Place | None] | None = None
        self._pid = 0
        self.origin = Origin()
        """Where the error that is under way came from."""

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
        self._emitter = base = SilentEmitter() if self._base is None else self._base
        try:
            self._open(base)
        except Exception as error:  # noqa: BLE001 - no fault of the capture reaches the job
            client.writer().report_fault(error)
        return self._emitter

    def finish(self, status: JobStatus, *, error: str | None = None, result: str | None = None) -> None:
        """End the job and leave it. Nothing happens where it is not open."""
        token, self._token = self._token, None
        if token is None:
            return
        try:
            self._close(JobStatus(status), error, result)
        except Exception as fault:  # noqa: BLE001 - no fault of the capture reaches the job
            client.writer().report_fault(fault)
        finally:
            leave(token)

    def fail(self, exception: BaseException) -> None:
        """End the job by an exception: cancelled, or failed with its whole traceback as a line."""
        if not self.is_open:
            return
        if isinstance(exception, _CANCELLATIONS):
            self.finish(JobStatus.CANCELLED)
        elif isinstance(exception, SystemExit) and exception.code in {None, 0}:
            self.finish(JobStatus.COMPLETED)
        else:
            self._say_failure(exception)
            self.finish(JobStatus.FAILED, error=named(exception))

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
        """Capture a line. Without a stage it belongs where the job is now. Never raises."""
        writer = client.writer()
        try:
            if stage is None and task_id is None and self._narration is not None:
                stage, task_id = self._narration.here()
            writer.capture(
                Line(
                    job_id=self.job_id,
                    message=message,
                    level=level,
                    stage=stage,
                    task_id=task_id,
                    at=at or datetime.now(UTC),
                    metadata=jsonable_object(metadata),
                )
            )
        except Exception as error:  # noqa: BLE001 - no fault of the capture reaches the job
            writer.report_fault(error)

    def stage_now(self) -> str:
        """Tell the stage that a line without one belongs to."""
        stage = None if self._narration is None else self._narration.here()[0]
        return stage or MAIN_STAGE

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
        if not callable(function) or inspect.isclass(function):
            raise TypeError("jobtail.job() decorates a function; write @jobtail.job() with its parentheses")
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            name = getattr(function, "__qualname__", repr(function))
            raise TypeError(f"{name} yields, and a job is one call: decorate the function that iterates over it")
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def run_async(*args: Any, **kwargs: Any) -> Any:
                with self._of_call(function, args, kwargs):
                    return await function(*args, **kwargs)

            return cast("F", run_async)

        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            with self._of_call(function, args, kwargs):
                return function(*args, **kwargs)

        return cast("F", run)

    def _of_call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> JobCapture:
        """Make the job of one call of the function."""
        job_id = self._job_id
        if callable(job_id):
            try:
                job_id = shown(job_id(*args, **kwargs))
            except Exception as error:  # noqa: BLE001 - the call itself goes on, and has a job all the same
                client.writer().report_fault(error)
                job_id = None
        return JobCapture(
            job_id,
            handler_name=self.handler_name or getattr(function, "__qualname__", None),
            source=self._source,
            execution_id=self._execution_id,
            schedule_id=self._schedule_id,
            parent_job_id=self._parent_job_id,
            metadata=self.metadata,
            total=self._total,
            emitter=self._base,
            capture_output=self._captures_output,
        )

    def _open(self, base: Any) -> None:
        writer, outer = client.writer(), present()
        given = self._job_id() if callable(self._job_id) else self._job_id
        self.job_id = shown(given) if given else str(uuid4())
        self.execution_id, parent_job_id = self._execution_id, self._parent_job_id
        if outer is not None:
            parent_job_id = parent_job_id or outer.job_id
            self.execution_id = self.execution_id or outer.job.execution_id
        self._pid, self.origin = os.getpid(), Origin()
        self._token = enter(Place(self, self.job_id))
        self._narration = Narration(writer, self.job_id, keeps_completion=True)
        self._emitter = LogCapturingEmitter(base, writer, self.job_id, narration=self._narration)
        writer.capture(
            JobStarted(
                job_id=self.job_id,
                handler_name=self.handler_name or "job",
                source=self._source,
                execution_id=self.execution_id,
                schedule_id=self._schedule_id,
                parent_job_id=parent_job_id,
                metadata=jsonable_object(self.metadata),
                total=self._total,
                at=datetime.now(UTC),
            )
        )
        if self._captures_output and client.is_on():
            self._output = _output_of(self)

    def _close(self, status: JobStatus, error: str | None, result: str | None) -> None:
        output, self._output = self._output, None
        if output is not None:
            output.stop()
        if os.getpid() != self._pid:
            return  # a forked child that ran out of the block: the job is its parent's
        if result is None and self._narration is not None and status is JobStatus.COMPLETED:
            result = self._narration.result
        event = JobFinished(job_id=self.job_id, status=status, error=error, result=result, at=datetime.now(UTC))
        client.writer().capture(event)

    def _say_failure(self, exception: BaseException) -> None:
        try:
            stage, task_id = self.origin.of(exception) or (None, None)
            facts = exception_facts(exception)
            self.say(traceback_text(exception), LogLevel.ERROR, facts, stage=stage, task_id=task_id)
        except Exception as error:  # noqa: BLE001 - no fault of the capture reaches the job
            client.writer().report_fault(error)


class PlaceCapture:
    """A stage or a task from its begin to its end: a context manager, sync and async. Outside a job it does nothing."""

    def __init__(
        self, place_in: Callable[[Place], Place], *, name: str | None = None, message: str | None = None
    ) -> None:
        self._place_in = place_in
        self._name = name
        self._message = message
        self._entered: list[tuple[Place, Token[Place | None]]] = []

    def __enter__(self) -> None:
        outer = present()
        if outer is None:
            return
        try:
            place = self._place_in(outer)
            self._entered.append((place, enter(place)))
            outer.job.origin.forget()
            _change(place, TaskStatus.RUNNING, name=self._name)
            if self._message is not None:
                place.job.say(shown(self._message), stage=place.stage, task_id=place.task_id)
        except Exception as error:  # noqa: BLE001 - no fault of the capture reaches the job
            client.writer().report_fault(error)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if not self._entered:
            return
        place, token = self._entered.pop()
        leave(token)
        try:
            _leave_place(place, error, tb)
        except Exception as fault:  # noqa: BLE001 - no fault of the capture reaches the job
            client.writer().report_fault(fault)

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, tb)


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
        execution_id: the scheduled run that it belongs to; inside another job that job's.
        schedule_id: the schedule that started this execution.
        parent_job_id: the job that started it; inside another job that one.
        metadata: facts about the job, JSON-able.
        total: how much there is to do.
        emitter: the job's own one, which hears every call; without it one that does nothing.
        capture_output: capture what is printed, too.
    """
    return JobCapture(
        job_id,
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


def stage(name: str, message: str | None = None) -> PlaceCapture:
    """Open a stage: what is captured within belongs to it. A message becomes its first line."""
    label = shown(name)
    return PlaceCapture(lambda outer: replace(outer, stage=label, task_id=None), message=message)


def task(task_id: str, name: str | None = None) -> PlaceCapture:
    """Open a task of the present stage: what is captured within belongs to it."""
    label = shown(task_id)

    def place_in(outer: Place) -> Place:
        return replace(outer, stage=outer.stage or outer.job.stage_now(), task_id=label)

    return PlaceCapture(place_in, name=None if name is None else shown(name))


def current_job() -> JobCapture | None:
    """Give the job that is open here."""
    place = present()
    return None if place is None else place.job


def _leave_place(place: Place, error: BaseException | None, tb: TracebackType | None) -> None:
    origin = place.job.origin
    if error is None:
        origin.forget()
        _change(place, TaskStatus.COMPLETED)
    elif isinstance(error, _CANCELLATIONS):
        _change(place, TaskStatus.CANCELLED)
    else:
        origin.note(error, tb, place)
        _change(place, TaskStatus.FAILED, result=named(error))


def _change(place: Place, status: TaskStatus, *, name: str | None = None, result: str | None = None) -> None:
    stage = place.stage or MAIN_STAGE
    client.writer().capture(
        TaskChanged(
            job_id=place.job_id,
            stage=stage,
            task_id=place.task_id or stage,
            status=status,
            name=name,
            result=result,
            at=datetime.now(UTC),
        )
    )


def _output_of(job: JobCapture) -> Any:
    from jobtail.output import OutputCapture  # noqa: PLC0415 - only a job that asks for it

    output = OutputCapture(job)
    output.start()
    return output
