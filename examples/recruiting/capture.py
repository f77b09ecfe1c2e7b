"""The few lines that give these jobs a log: nothing in the handlers changes."""

from __future__ import annotations

from typing import cast

from examples.recruiting.emitter import RecruitingEmitter
from examples.recruiting.queue import Hooks, JobSpec, Outcome
from jobtail import LogCapturingEmitter, Writer
from jobtail.events import JobFinished, JobStarted, JobStatus


def captured(writer: Writer) -> Hooks:
    """Report the jobs to a writer: their start, what they say, and their end."""
    emitters: dict[str, RecruitingEmitter] = {}

    def emitter_for(spec: JobSpec) -> RecruitingEmitter:
        emitter = emitters[spec.job_id] = RecruitingEmitter(spec.job_id)
        return cast("RecruitingEmitter", LogCapturingEmitter(emitter, writer, spec.job_id))

    def on_started(spec: JobSpec) -> None:
        writer.capture(
            JobStarted(
                job_id=spec.job_id,
                handler_name=spec.handler,
                source=spec.payload.get("source"),
                execution_id=spec.execution_id,
                schedule_id=spec.schedule_id,
                parent_job_id=spec.parent_job_id,
                metadata=dict(spec.payload),
            ),
        )

    def on_finished(spec: JobSpec, outcome: Outcome, error: str | None) -> None:
        emitter = emitters.pop(spec.job_id, None)
        result = emitter.summary if emitter and outcome is Outcome.COMPLETED else None
        writer.capture(JobFinished(job_id=spec.job_id, status=JobStatus(outcome), error=error, result=result))

    return Hooks(emitter_for, on_started, on_finished)
