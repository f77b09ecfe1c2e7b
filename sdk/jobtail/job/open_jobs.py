"""The jobs that are open in this process, so that its end is theirs: a signal, os._exit, or a thread left behind."""

from __future__ import annotations

from typing import Protocol
from weakref import ReferenceType, ref

from jobtail.events import JobStatus
from jobtail.process.exit_hooks import on_departure


class EndingJob(Protocol):
    """An open job: `jobtail.job.session.JobCapture`."""

    def tell_end(self, status: JobStatus, error: str | None = None) -> None:
        """Say how the job ended. Nothing happens in another process than its own."""


_open: dict[int, ReferenceType[EndingJob]] = {}
"""By their addresses. No lock: a signal may come in the middle of anything."""


def note(job: EndingJob) -> None:
    """Let a job end with the process, unless it is left before."""
    on_departure(_end_all)
    key = id(job)
    _open[key] = ref(job, lambda _: _open.pop(key, None))


def forget(job: EndingJob) -> None:
    _open.pop(id(job), None)


def _end_all(reason: str) -> None:
    for reference in list(_open.values()):
        job = reference()
        if job is not None:
            job.tell_end(JobStatus.FAILED, reason)
