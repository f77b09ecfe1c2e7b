"""Announcements: what processes tell each other of stored lines."""

from __future__ import annotations

from dataclasses import dataclass

from domain.logs import TaskLog
from jobtail.events import JobStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """What the doorbell says after a commit: a job has changed, and which lines are new."""

    job_id: str
    first_seq: int
    last_seq: int
    """The job's newest seq after the commit; below `first_seq` where no line was stored."""
    status: JobStatus
    rows: tuple[TaskLog, ...] = ()
    """The new lines, all of them or, where they are too large to carry, none."""


@dataclass(frozen=True, slots=True)
class Resync:
    """The channel was away: announcements may have been missed, so look at the database."""
