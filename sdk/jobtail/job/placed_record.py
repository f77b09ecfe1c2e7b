"""A record of logging that knows the place in a job where it was made, for a handler that hears of it elsewhere.

A QueueHandler hands records to the thread of a QueueListener, or to another process, where no job is open.
"""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

from jobtail.job.session import current_job


class RecordPlace(NamedTuple):
    """The job, and the stage and task in it."""

    job_id: str
    stage: str | None
    task_id: str | None


class PlacedRecord(logging.LogRecord):
    """An ordinary record but for the slot, which no formatter takes for one of the application's own fields."""

    __slots__ = ("jobtail_place",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        job = current_job()
        self.jobtail_place = None if job is None else RecordPlace(job.job_id, *job.here())


def make_placed_records() -> None:
    """Have records know their places. An application that makes records of its own keeps them, without places."""
    if logging.getLogRecordFactory() is logging.LogRecord:
        logging.setLogRecordFactory(PlacedRecord)


def place_of(record: logging.LogRecord) -> RecordPlace | None:
    place = getattr(record, "jobtail_place", None)
    return place if isinstance(place, RecordPlace) else None
