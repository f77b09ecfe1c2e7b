"""Why a job failed: the line that ended it, its first grave line with what was said around it, and all kinds of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Self, TypeAlias

import strawberry

from domain import jobs, logs
from domain.analysis.message_templates import template
from domain.analysis.telling_line import telling
from domain.errors import InvalidInput
from domain.failure_cause import carrying
from domain.filters import EVERYTHING, JobFilter, LogFilter
from domain.pages import MAX_PAGE_SIZE, Window, window
from domain.requests import JobPageRequest, LogPageRequest, LogScope
from domain.stages.stage_status import stages_of
from graph.context import Context, Info, Loaders
from graph.formats.scalars import BigInt
from graph.types.lines import TaskLog
from jobtail.events import JobStatus, LogLevel, TaskStatus
from jobtail.shown_text import shown

if TYPE_CHECKING:
    from graph.types.jobs import Job

LINES_BEFORE = 10
LINES_AFTER = 5
GRAVE = LogFilter(min_level=LogLevel.ERROR)
KINDS = 20
NEWEST = 50
"""So many of the last lines at ERROR and above are looked at before the job's error is searched for."""
MOST_COUNTED = 5_000


Kind: TypeAlias = tuple[LogLevel, str, str]


@strawberry.type(description="Lines that say the same but for numbers, ids, dates and quoted texts.")
class MessageCount:
    template: str = strawberry.field(description="What they say, `<*>` for what varies.")
    level: LogLevel = strawberry.field(description="How grave they are.")
    stage: str = strawberry.field(description="The stage that they belong to.")
    count: BigInt = strawberry.field(description="How many they are.")
    example: TaskLog | None = strawberry.field(description="The first of them; of the cause's kind, the cause.")

    @classmethod
    def of(cls, kind: Kind, count: int, example: logs.TaskLog) -> Self:
        level, stage, said = kind
        return cls(template=said, level=level, stage=stage, count=BigInt(count), example=TaskLog.from_domain(example))


@strawberry.type(description="Why it failed: the first line at ERROR or above, with the lines around it.")
class JobFailure:
    stage: str | None = strawberry.field(description="The stage that said it.")
    task_id: str | None = strawberry.field(description="The task that said it; null for the stage itself.")
    first_error: TaskLog = strawberry.field(description="The job's first line at ERROR or above that was not pruned.")
    line: strawberry.Private[logs.TaskLog]
    job: strawberry.Private[jobs.Job]
    to_job: strawberry.Private[Callable[[jobs.Job], Any]]
    causing: strawberry.Private[asyncio.Future[logs.TaskLog | None] | None] = None

    @classmethod
    def from_domain(cls, line: logs.TaskLog, job: jobs.Job, to_job: Callable[[jobs.Job], Any]) -> Self:
        first_error = TaskLog.from_domain(line)
        return cls(stage=line.stage, task_id=line.task_id, first_error=first_error, line=line, job=job, to_job=to_job)

    @strawberry.field(
        description="The line that ended the job: the last at ERROR or above that carries the job's error, else the last one of "
        "the stage that failed, else the last one. Null for a job that completed."
    )
    async def cause(self, info: Info) -> TaskLog | None:
        line = await self._cause(info.context.loaders)
        return None if line is None else TaskLog.from_domain(line)

    @strawberry.field(
        description=f"Every kind of error that it said, by template: that of `cause` first, then the most frequent. Counted are "
        f"its first {MOST_COUNTED:,} lines at ERROR or above."
    )
    async def errors(
        self,
        info: Info,
        first: Annotated[int | None, strawberry.argument(description="At most this many kinds.")] = KINDS,
    ) -> list[MessageCount]:
        limit = window(first=KINDS if first is None else first).limit
        loaders = info.context.loaders
        cause, lines = await self._cause(loaders), await _grave_lines(loaders, self.job.job_id)
        counts = Counter(map(_kind, lines))
        examples = {_kind(line): line for line in reversed(lines)}
        if cause is not None:
            examples[_kind(cause)] = cause
        of_cause = None if cause is None else _kind(cause)
        kinds = sorted(examples, key=lambda kind: (kind != of_cause, -counts[kind], examples[kind].seq))
        return [MessageCount.of(kind, max(counts[kind], 1), examples[kind]) for kind in kinds[:limit]]

    @strawberry.field(description="The children that failed, the first to fail first.")
    async def failed_children(
        self,
        info: Info,
        first: Annotated[int | None, strawberry.argument(description="At most this many.")] = KINDS,
    ) -> list[Annotated[Job, strawberry.lazy("graph.types.jobs")]]:
        limit = window(first=KINDS if first is None else first).limit
        failed = JobFilter(parent_job_id=self.job.job_id, statuses=frozenset([JobStatus.FAILED]))
        request = JobPageRequest(window=Window(limit=MAX_PAGE_SIZE), filter=failed)
        page = await info.context.loaders.job_pages.load(request)
        in_order = sorted(page.items, key=lambda child: (child.finished_at or child.created_at, child.job_id))
        return list(map(self.to_job, in_order[:limit]))

    def _cause(self, loaders: Loaders) -> Awaitable[logs.TaskLog | None]:
        """Find the line that ended the job once for all fields that ask for it."""
        if self.causing is None:
            self.causing = asyncio.ensure_future(_find_cause(loaders, self.job))
        return self.causing

    @strawberry.field(
        description="The lines of the whole job around `firstError`, in order, that line among them. Fewer at an end of the "
        "log, and where they are larger than 16 MiB together."
    )
    async def context(
        self,
        info: Info,
        before: Annotated[int | None, strawberry.argument(description="How many lines before it.")] = LINES_BEFORE,
        after: Annotated[int | None, strawberry.argument(description="How many lines behind it.")] = LINES_AFTER,
    ) -> list[TaskLog]:
        asked = _window_around(
            self.line.seq,
            LINES_BEFORE if before is None else before,
            LINES_AFTER if after is None else after,
        )
        scope = LogScope(job_id=self.line.job_id)
        page = await info.context.loaders.log_pages.load(LogPageRequest(scope=scope, window=asked, filter=EVERYTHING))
        return [TaskLog.from_domain(line) for line in page.items]


async def load_failure(context: Context, job: jobs.Job, to_job: Callable[[jobs.Job], Any]) -> JobFailure | None:
    """Load the first grave line of a job, None where the kept counts tell that there is none, or where it is gone."""
    if not job.log_counts.failures:
        return None
    line = await _one_line(context.loaders, LogScope(job_id=job.job_id), GRAVE, backward=False)
    return None if line is None else JobFailure.from_domain(line, job, to_job)


async def _one_line(loaders: Loaders, scope: LogScope, chosen: LogFilter, *, backward: bool) -> logs.TaskLog | None:
    page = await loaders.log_pages.load(
        LogPageRequest(scope=scope, window=Window(limit=1, backward=backward), filter=chosen)
    )
    return next(iter(page.items), None)


async def _find_cause(loaders: Loaders, job: jobs.Job) -> logs.TaskLog | None:
    if job.status is JobStatus.COMPLETED:
        return None
    scope = LogScope(job_id=job.job_id)
    newest = LogPageRequest(scope=scope, window=Window(limit=NEWEST, backward=True), filter=GRAVE)
    lines = (await loaders.log_pages.load(newest)).items
    if job.error:
        found = carrying(job.error, lines)
        if found is None and len(lines) == NEWEST and (said := telling(job.error)):
            found = await _one_line(loaders, scope, replace(GRAVE, search=said), backward=True)
        if found is not None:
            return found
    return await _last_of_failed_stage(loaders, job) or max(lines, key=lambda line: line.seq, default=None)


async def _last_of_failed_stage(loaders: Loaders, job: jobs.Job) -> logs.TaskLog | None:
    stages = stages_of(job, await loaders.stages.load(job.job_id))
    failed = [stage.record.name for stage in stages if stage.status is TaskStatus.FAILED]
    if not failed:
        return None
    return await _one_line(loaders, LogScope(job_id=job.job_id, stage=failed[-1]), GRAVE, backward=True)


async def _grave_lines(loaders: Loaders, job_id: str) -> list[logs.TaskLog]:
    lines: list[logs.TaskLog] = []
    while len(lines) < MOST_COUNTED:
        after = lines[-1].seq if lines else None
        asked = Window(limit=MAX_PAGE_SIZE, after=after)
        page = await loaders.log_pages.load(LogPageRequest(scope=LogScope(job_id=job_id), window=asked, filter=GRAVE))
        lines += page.items
        if not page.items or not page.has_next:
            break
    return lines[:MOST_COUNTED]


def _kind(line: logs.TaskLog) -> Kind:
    return line.level, line.stage, template(shown(line.message))


def _window_around(seq: int, before: int, after: int) -> Window[int]:
    for name, lines in (("before", before), ("after", after)):
        if lines < 0:
            raise InvalidInput(f"{name} must not be negative, and is {lines}")
    size = before + 1 + after
    if size > MAX_PAGE_SIZE:
        raise InvalidInput(f"before and after must be {MAX_PAGE_SIZE - 1} together at most, not {size - 1}")
    return Window(limit=size, after=seq - before - 1, before=seq + after + 1)
