"""Jobtail, the worker's side: captures what a job says while it runs, and never gets in its way."""

from jobtail.client import Stats, configure, flush, stats
from jobtail.context import carry
from jobtail.emitter import LogCapturingEmitter, ProgressEmitter, TaskTracker
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
from jobtail.handler import CaptureHandler
from jobtail.ledger import WriterStats
from jobtail.masking import mask
from jobtail.places import stage, task
from jobtail.session import job
from jobtail.sink import BatchRejected, Sink, SinkUnavailable
from jobtail.writer import Writer

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
    "flush",
    "job",
    "mask",
    "stage",
    "stats",
    "task",
]
