"""Stages and tasks as context managers: what is captured within belongs to them."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Token
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import cast

from jobtail import client
from jobtail.current import Place, enter, leave, present
from jobtail.events import MAIN_STAGE, TaskChanged, TaskStatus
from jobtail.job.exception_text import CANCELLATIONS
from jobtail.job.session import JobCapture
from jobtail.jsonable import named, shown


class PlaceCapture:
    """A stage or a task from its begin to its end: a context manager, sync and async. Outside a job it does nothing."""

    def __init__(
        self, place_in: Callable[[Place], Place], *, name: str | None = None, message: str | None = None
    ) -> None:
        self._place_in = place_in
        self._name = name
        self._message = message
        self._entered: list[tuple[Place, Token[Place | None]] | None] = []

    def __enter__(self) -> None:
        try:
            self._entered.append(self._enter())
        except Exception as error:  # noqa: BLE001 - no fault of the capture reaches the job
            self._entered.append(None)
            client.writer().report_fault(error)

    @client.guarded
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        entered = self._entered.pop() if self._entered else None
        if entered is None:
            return
        place, token = entered
        leave(token)
        job = _job_of(place)
        job.move()
        _end(job, place, error, tb)

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, tb)

    def _enter(self) -> tuple[Place, Token[Place | None]] | None:
        outer = present()
        if outer is None:
            return None
        place = self._place_in(outer)
        job = _job_of(place)
        job.origin.forget()
        _change(place, TaskStatus.RUNNING, name=self._name)
        if self._message is not None:
            job.say(shown(self._message), stage=place.stage, task_id=place.task_id)
        token = enter(place)
        job.move()
        return place, token


def stage(name: str, message: str | None = None) -> PlaceCapture:
    """Open a stage: what is captured within belongs to it. A message becomes its first line."""
    return PlaceCapture(lambda outer: replace(outer, stage=shown(name), task_id=None), message=message)


def task(task_id: str, name: str | None = None) -> PlaceCapture:
    """Open a task of the present stage: what is captured within belongs to it."""

    def place_in(outer: Place) -> Place:
        return replace(outer, stage=outer.stage or _job_of(outer).stage_now(), task_id=shown(task_id))

    return PlaceCapture(place_in, name=None if name is None else shown(name))


def _job_of(place: Place) -> JobCapture:
    return cast("JobCapture", place.job)  # nothing else goes to a place


def _end(job: JobCapture, place: Place, error: BaseException | None, tb: TracebackType | None) -> None:
    if error is None:
        job.origin.forget()
        _change(place, TaskStatus.COMPLETED)
    elif isinstance(error, CANCELLATIONS):
        _change(place, TaskStatus.CANCELLED)
    else:
        job.origin.note(error, tb, place)
        _change(place, TaskStatus.FAILED, result=named(error))


def _change(place: Place, status: TaskStatus, *, name: str | None = None, result: str | None = None) -> None:
    stage_name = place.stage or MAIN_STAGE
    client.writer().capture(
        TaskChanged(
            job_id=place.job_id,
            stage=stage_name,
            task_id=place.task_id or stage_name,
            status=status,
            name=name,
            result=result,
            at=datetime.now(UTC),
        )
    )
