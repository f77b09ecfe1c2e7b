"""A job system of one process: what a job is, the queue of those that wait, and how one is run.

It tells whoever composes it what becomes of a job, and knows nothing of who listens.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Protocol

from examples.recruiting.emitter import RecruitingEmitter
from examples.recruiting.results import Results

MAX_WAITING = 200

logger = logging.getLogger(__name__)


class Outcome(StrEnum):
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    job_id: str
    handler: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    parent_job_id: str | None = None
    execution_id: str | None = None
    """The run of a schedule that it is part of, that of the job which started it."""
    schedule_id: str | None = None
    """The schedule that started it."""
    pace: float = 0.0
    """How leisurely the job works: at 1.0 it rests for 0.05 to 0.5 s between units of work, at 0 not at all."""

    async def rest(self) -> None:
        """Leave the machine to others for a moment."""
        await asyncio.sleep(self.pace * random.uniform(0.05, 0.5))  # noqa: S311


class Enqueue(Protocol):
    def __call__(
        self,
        handler: str,
        payload: Mapping[str, Any],
        *,
        parent: JobSpec | None = None,
        schedule_id: str | None = None,
    ) -> JobSpec:
        """Put a job into the queue, started by another job or by a schedule."""


Handler = Callable[[JobSpec, RecruitingEmitter, Results, Enqueue], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the composition adds to running a job."""

    emitter_for: Callable[[JobSpec], RecruitingEmitter]
    on_started: Callable[[JobSpec], None]
    on_finished: Callable[[JobSpec, Outcome, str | None], None]
    """With the error of a job that failed."""


class QueueIsFull(Exception):
    """As many jobs wait as the queue holds."""

    def __init__(self) -> None:
        super().__init__(f"{MAX_WAITING} jobs are waiting already")


class JobQueue:
    """Jobs in the order in which they were put in, at most MAX_WAITING: over that `enqueue` raises QueueIsFull."""

    def __init__(self, *, pace: float = 0.0) -> None:
        self._pace = pace
        self._waiting: asyncio.Queue[JobSpec] = asyncio.Queue(MAX_WAITING)
        self._count = 0

    def enqueue(
        self,
        handler: str,
        payload: Mapping[str, Any],
        *,
        parent: JobSpec | None = None,
        schedule_id: str | None = None,
    ) -> JobSpec:
        self._count += 1
        kind, number = handler.partition("_")[0].upper(), f"{datetime.now(UTC):%Y%m%d_%H%M%S}_{self._count}"
        spec = JobSpec(
            job_id=f"JB_{kind}_{number}",
            handler=handler,
            payload=payload,
            parent_job_id=parent.job_id if parent else None,
            execution_id=f"EX_{number}" if schedule_id else parent.execution_id if parent else None,
            schedule_id=schedule_id,
            pace=self._pace,
        )
        try:
            self._waiting.put_nowait(spec)
        except asyncio.QueueFull:
            raise QueueIsFull from None
        return spec

    async def work(self, handlers: Mapping[str, Handler], hooks: Hooks, results: Results) -> None:
        """Run one job after the other until cancelled."""
        while True:
            spec = await self._waiting.get()
            try:
                await run_job(spec, handlers, hooks, results, self.enqueue)
            finally:
                self._waiting.task_done()

    async def join(self) -> None:
        """Wait until nothing waits and nothing runs."""
        await self._waiting.join()


async def run_job(
    spec: JobSpec,
    handlers: Mapping[str, Handler],
    hooks: Hooks,
    results: Results,
    enqueue: Enqueue,
) -> Outcome:
    """Run a job to its end, whatever that is. A failure is told to the hooks, not raised."""
    hooks.on_started(spec)
    try:
        await handlers[spec.handler](spec, hooks.emitter_for(spec), results, enqueue)
    except asyncio.CancelledError:
        hooks.on_finished(spec, Outcome.CANCELLED, None)
        raise
    except Exception as error:  # noqa: BLE001 - a handler may fail in any way
        logger.info("job %s failed: %s", spec.job_id, error)
        hooks.on_finished(spec, Outcome.FAILED, str(error) or type(error).__name__)
        return Outcome.FAILED
    hooks.on_finished(spec, Outcome.COMPLETED, None)
    return Outcome.COMPLETED
