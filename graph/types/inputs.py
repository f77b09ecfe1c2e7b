"""Input types, which clients send: filters, lines and jobs."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Annotated, Any, TypeAlias, TypeVar

import strawberry
from strawberry import UNSET
from strawberry.scalars import JSON

from domain import filters
from domain.errors import InvalidInput
from domain.executions import ExecutionStatus
from domain.logs import storable, storable_json, storable_label
from graph.formats.scalars import BigInt
from jobtail.events import JobFinished, JobStarted, JobStatus, Line, LogLevel

Value = TypeVar("Value")

strawberry.enum(LogLevel, description="How grave a line is, ascending.")
strawberry.enum(JobStatus, description="How a job stands.")
strawberry.enum(ExecutionStatus, description="How an execution stands. One that was cancelled is FAILED.")

First: TypeAlias = Annotated[int | None, strawberry.argument(description="At most this many from the beginning.")]
After: TypeAlias = Annotated[str | None, strawberry.argument(description="Only what comes behind this cursor.")]
Last: TypeAlias = Annotated[int | None, strawberry.argument(description="At most this many from the end.")]
Before: TypeAlias = Annotated[str | None, strawberry.argument(description="Only what comes before this cursor.")]
Around: TypeAlias = Annotated[
    BigInt | None,
    strawberry.argument(
        description="The seq of a line: `first` lines around it (100 if left out), half of them before it; nearer to an end "
        "of the list, and beyond it, the first or the last ones. Not together with `after`, `last` and `before`."
    ),
]


def given(value: Value) -> Value | None:
    """Read an optional argument: one that was left out counts as null."""
    return None if value is UNSET else value


MOST_CHOICES = 1_000
"""Of one list of an argument."""
MOST_VALUES_OF_METADATA = 100
MOST_LEVELS_OF_METADATA = 5
"""That a filter by metadata may have: each line that somebody follows is compared with all of it."""


def _chosen(values: Collection[Value] | None) -> frozenset[Value] | None:
    values = given(values)
    if values is None:
        return None
    if len(values) > MOST_CHOICES:
        raise InvalidInput(f"a list of a filter has {MOST_CHOICES:,} items at most, not {len(values):,}: divide it")
    return frozenset(values)


def _texts(values: Collection[str] | None) -> frozenset[str] | None:
    """Read texts as they are stored, so that what is asked for is found."""
    chosen = _chosen(values)
    return None if chosen is None else frozenset(map(storable, chosen))


def _labels(values: Collection[str] | None) -> frozenset[str] | None:
    chosen = _chosen(values)
    return None if chosen is None else frozenset(map(storable_label, chosen))


def _text(value: str | None) -> str | None:
    value = given(value)
    return None if value is None else storable(value)


def _label(value: str | None) -> str | None:
    value = given(value)
    return None if value is None else storable_label(value)


def _object(value: Any, name: str) -> dict[str, Any] | None:
    value = given(value)
    if value is None or isinstance(value, dict):
        return value
    raise InvalidInput(f'{name} must be a JSON object such as {{"attempt": 2}}, not {value!r}'[:300])


def _small(metadata: dict[str, Any] | None) -> dict[str, Any] | None:
    waiting, count = [(metadata, 0)], 0
    while waiting:
        value, level = waiting.pop()
        count += 1
        if count > MOST_VALUES_OF_METADATA or level > MOST_LEVELS_OF_METADATA:
            raise InvalidInput(
                f"filter.metadata has {MOST_VALUES_OF_METADATA} values and {MOST_LEVELS_OF_METADATA} levels at most: ask for less"
            )
        if isinstance(value, dict | list):
            waiting += [(part, level + 1) for part in (value.values() if isinstance(value, dict) else value)]
    return metadata


@strawberry.input(description="Lines that satisfy everything that is set.")
class LogFilter:
    levels: list[LogLevel] | None = strawberry.field(default=UNSET, description="One of these levels.")
    min_level: LogLevel | None = strawberry.field(default=UNSET, description="This level or a graver one.")
    stages: list[str] | None = strawberry.field(default=UNSET, description="In one of these stages.")
    task_ids: list[str] | None = strawberry.field(
        default=UNSET,
        description="Of one of these tasks; a stage's own lines have the stage's name as their task.",
    )
    execution_id: str | None = strawberry.field(default=UNSET, description="Captured in this execution.")
    since: datetime | None = strawberry.field(default=UNSET, description="Said at this time or later. Inclusive.")
    until: datetime | None = strawberry.field(default=UNSET, description="Said before this time. Exclusive.")
    since_seq: BigInt | None = strawberry.field(
        default=UNSET, description="This line of its job or a later one. Inclusive."
    )
    until_seq: BigInt | None = strawberry.field(default=UNSET, description="Before this line of its job. Exclusive.")
    search: str | None = strawberry.field(
        default=UNSET,
        description="Case-insensitive, a plain substring of the message, or with `regex` a regular expression. What is searched is "
        "what a terminal shows of the message: colours and other invisible characters neither hide a match nor make one.",
    )
    regex: bool | None = strawberry.field(
        default=False,
        description="Whether `search` is a regular expression: case-insensitive unless it begins with (?-i), `^` and `$` at "
        "the ends of each line, without back references and looks around. The search has a time bound.",
    )
    metadata: JSON | None = strawberry.field(default=UNSET, description="Lines whose metadata contains this object.")
    not_: LogFilter | None = strawberry.field(
        name="not",
        default=UNSET,
        description="Lines that do not match this: the same fields, one level deep.",
    )

    def to_domain(self) -> filters.LogFilter:
        without = given(self.not_)
        if without is not None and given(without.not_) is not None:
            raise InvalidInput("filter.not goes one level deep: it has no `not` of its own")
        return filters.LogFilter(
            levels=_chosen(self.levels),
            min_level=given(self.min_level),
            stages=_labels(self.stages),
            task_ids=_labels(self.task_ids),
            execution_id=_label(self.execution_id),
            since=given(self.since),
            until=given(self.until),
            since_seq=given(self.since_seq),
            until_seq=given(self.until_seq),
            search=_text(self.search),
            regex=bool(given(self.regex)),
            metadata=storable_json(_small(_object(self.metadata, "filter.metadata"))),
            without=None if without is None else without.to_domain(),
        )


@strawberry.input(description="Jobs that satisfy everything that is set.")
class JobFilter:
    statuses: list[JobStatus] | None = strawberry.field(default=UNSET, description="With one of these statuses.")
    handler_names: list[str] | None = strawberry.field(default=UNSET, description="Run by one of these handlers.")
    execution_id: str | None = strawberry.field(default=UNSET, description="Part of this execution.")
    parent_job_id: str | None = strawberry.field(default=UNSET, description="Children of this job.")
    created_since: datetime | None = strawberry.field(default=UNSET, description="Created then or later. Inclusive.")
    created_until: datetime | None = strawberry.field(default=UNSET, description="Created before then. Exclusive.")
    search: str | None = strawberry.field(
        default=UNSET,
        description="Case-insensitive, a plain substring of the job id, the handler's name, the source or the error.",
    )
    has_errors: bool | None = strawberry.field(
        default=UNSET,
        description="Whether a line at ERROR or above was captured.",
    )

    def to_domain(self) -> filters.JobFilter:
        return filters.JobFilter(
            statuses=_chosen(self.statuses),
            handler_names=_texts(self.handler_names),
            execution_id=_label(self.execution_id),
            parent_job_id=_label(self.parent_job_id),
            created_since=given(self.created_since),
            created_until=given(self.created_until),
            search=_text(self.search),
            has_errors=given(self.has_errors),
        )


LogFilterArgument: TypeAlias = Annotated[LogFilter | None, strawberry.argument(description="Which lines.")]
JobFilterArgument: TypeAlias = Annotated[JobFilter | None, strawberry.argument(description="Which jobs.")]


def log_filter(value: LogFilter | None) -> filters.LogFilter:
    return value.to_domain() if value else filters.EVERYTHING


def job_filter(value: JobFilter | None) -> filters.JobFilter:
    return value.to_domain() if value else filters.ANY_JOB


def execution_filter(schedule_id: str | None, statuses: Collection[ExecutionStatus] | None) -> filters.ExecutionFilter:
    return filters.ExecutionFilter(schedule_id=_label(schedule_id), statuses=_chosen(statuses))


@strawberry.input(description="A job that starts.")
class StartJobInput:
    job_id: str = strawberry.field(description="The id that its emitter gives it.")
    handler_name: str = strawberry.field(description="What runs it.")
    source: str | None = strawberry.field(default=UNSET, description="Where it came from, such as a queue or a URL.")
    execution_id: str | None = strawberry.field(default=UNSET, description="The execution that it is part of.")
    schedule_id: str | None = strawberry.field(
        default=UNSET, description="The schedule that started the execution, if it did so by this job."
    )
    parent_job_id: str | None = strawberry.field(default=UNSET, description="The job that started it.")
    metadata: JSON | None = strawberry.field(default=UNSET, description="An object of whatever else is known of it.")
    progress_total: BigInt | None = strawberry.field(default=UNSET, description="How many units of work it has.")

    def to_event(self) -> JobStarted:
        if given(self.parent_job_id) == self.job_id:
            raise InvalidInput("a job cannot be its own parent; leave parentJobId out or name another job")
        if given(self.schedule_id) is not None and given(self.execution_id) is None:
            raise InvalidInput("scheduleId says what started an execution; give its executionId too")
        total = given(self.progress_total)
        if total is not None and total < 0:
            raise InvalidInput(f"progressTotal must not be negative, and is {total}")
        return JobStarted(
            job_id=self.job_id,
            handler_name=self.handler_name,
            source=given(self.source),
            execution_id=given(self.execution_id),
            schedule_id=given(self.schedule_id),
            parent_job_id=given(self.parent_job_id),
            metadata=_object(self.metadata, "metadata"),
            total=total,
        )


@strawberry.input(description="A line to capture.")
class CaptureLineInput:
    stage: str | None = strawberry.field(default=UNSET, description="The stage that it belongs to; main, if left out.")
    task_id: str | None = strawberry.field(default=UNSET, description="The task; left out for the stage's own lines.")
    timestamp: datetime | None = strawberry.field(default=UNSET, description="When it was said; now, if left out.")
    level: LogLevel = strawberry.field(default=LogLevel.INFO, description="How grave it is.")
    message: str = strawberry.field(description="The whole message, however long.")
    metadata: JSON | None = strawberry.field(default=UNSET, description="An object of whatever belongs to it.")

    def to_event(self, job_id: str) -> Line:
        return Line(
            job_id=job_id,
            message=self.message,
            level=self.level,
            stage=given(self.stage),
            task_id=given(self.task_id),
            at=given(self.timestamp),
            metadata=_object(self.metadata, "metadata"),
        )


@strawberry.input(description="A job that ends. status: COMPLETED, FAILED or CANCELLED.")
class FinishJobInput:
    job_id: str = strawberry.field(description="The job that ends.")
    status: JobStatus = strawberry.field(description="How it ends: COMPLETED, FAILED or CANCELLED.")
    error: str | None = strawberry.field(default=UNSET, description="Why it failed.")
    result: str | None = strawberry.field(default=UNSET, description="What came of it, in brief.")

    def to_event(self) -> JobFinished:
        if not self.status.is_final:
            raise InvalidInput(f"a job ends COMPLETED, FAILED or CANCELLED, not {self.status}")
        return JobFinished(job_id=self.job_id, status=self.status, error=given(self.error), result=given(self.result))
