"""Batches as they may leave the process. What cannot be masked is withheld, and says so in its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from jobtail.events import Event, JobFinished, JobProgressed, JobStarted, Line, LogLevel, NumberedEvent

WITHHELD = "withheld: it could not be searched for secrets"


def masked(
    events: tuple[NumberedEvent, ...],
    mask: Callable[[Event], Event],
    report_fault: Callable[[Exception], None],
) -> tuple[NumberedEvent, ...]:
    """Mask each event of a batch. Never raises: a fault of `mask` is reported, and the event's texts are withheld."""
    return tuple([_masked(numbered, mask, report_fault) for numbered in events])


def _masked(
    numbered: NumberedEvent, mask: Callable[[Event], Event], report_fault: Callable[[Exception], None]
) -> NumberedEvent:
    n, event = numbered
    try:
        masked_event = mask(event)
    except Exception as error:  # noqa: BLE001 - a fault of masking must cost a text, never a line
        report_fault(error)
        masked_event = _withheld(event)
    return numbered if masked_event is event else NumberedEvent(n, masked_event)


def _withheld(event: Event) -> Event:
    match event:
        case Line():
            return replace(event, message=WITHHELD, stage=None, task_id=None, metadata=None)
        case JobStarted():
            return JobStarted(job_id=event.job_id, handler_name=WITHHELD, total=event.total, at=event.at)
        case JobFinished():
            error = None if event.error is None else WITHHELD
            return replace(event, error=error, result=None if event.result is None else WITHHELD)
        case JobProgressed():
            return event
    message = f"a task's status was {WITHHELD}"
    return Line(job_id=event.job_id, message=message, level=LogLevel.WARNING, at=event.at)
