"""Jobtail, the worker's side: captures what a job says while it runs, and never gets in its way."""

from jobtail.client import Stats, configure, flush, stats
from jobtail.current import carry
from jobtail.events import (
    Batch,
    Event,
    JobFinished,
    JobProgressed,
    JobStarted,
    JobStatus,
    Line,
    LogLevel,
    NumberedEvent,
    TaskChanged,
    TaskStatus,
)
from jobtail.job.emitter import LogCapturingEmitter, ProgressEmitter, TaskTracker
from jobtail.job.logging_handler import CaptureHandler
from jobtail.job.session import current_job, job
from jobtail.job.stage_and_task import stage, task
from jobtail.masking.masker import mask
from jobtail.sink import BatchRejected, Sink, SinkUnavailable
from jobtail.writer.accounts import WriterStats
from jobtail.writer.writer import Writer

__all__ = [
    "Batch",
    "BatchRejected",
    "CaptureHandler",
    "Event",
    "JobFinished",
    "JobProgressed",
    "JobStarted",
    "JobStatus",
    "Line",
    "LogCapturingEmitter",
    "LogLevel",
    "NumberedEvent",
    "ProgressEmitter",
    "Sink",
    "SinkUnavailable",
    "Stats",
    "TaskChanged",
    "TaskStatus",
    "TaskTracker",
    "Writer",
    "WriterStats",
    "carry",
    "configure",
    "current_job",
    "flush",
    "job",
    "mask",
    "stage",
    "stats",
    "task",
]
