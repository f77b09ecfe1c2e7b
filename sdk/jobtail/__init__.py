"""Jobtail, the worker's side: captures what a job says while it runs, and never gets in its way."""

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
from jobtail.ledger import WriterStats
from jobtail.sink import BatchRejected, Sink, SinkUnavailable
from jobtail.writer import Writer

__all__ = [
    "Batch",
    "BatchRejected",
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
    "TaskChanged",
    "TaskStatus",
    "TaskTracker",
    "Writer",
    "WriterStats",
]
