"""Why a job failed: its first grave line and what was said around it."""

from __future__ import annotations

from typing import Annotated, Self

import strawberry

from domain import jobs, logs
from domain.errors import InvalidInput
from domain.filters import EVERYTHING, LogFilter
from domain.pages import MAX_PAGE_SIZE, Window
from domain.requests import LogPageRequest, LogScope
from graph.context import Info, Loaders
from graph.types.lines import TaskLog
from jobtail.events import LogLevel

LINES_BEFORE = 10
LINES_AFTER = 5
GRAVE = LogFilter(min_level=LogLevel.ERROR)


@strawberry.type(description="Why it failed: the first line at ERROR or above, with the lines around it.")
class JobFailure:
    stage: str | None = strawberry.field(description="The stage that said it.")
    task_id: str | None = strawberry.field(description="The task that said it; null for the stage itself.")
    first_error: TaskLog = strawberry.field(description="The job's first line at ERROR or above that was not pruned.")
    line: strawberry.Private[logs.TaskLog]

    @classmethod
    def from_domain(cls, line: logs.TaskLog) -> Self:
        return cls(stage=line.stage, task_id=line.task_id, first_error=TaskLog.from_domain(line), line=line)

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


async def load_failure(loaders: Loaders, job: jobs.Job) -> JobFailure | None:
    """Load the first grave line of a job, None where the kept counts tell that there is none, or where it is gone."""
    if not job.log_counts.failures:
        return None
    scope = LogScope(job_id=job.job_id)
    page = await loaders.log_pages.load(LogPageRequest(scope=scope, window=Window(limit=1), filter=GRAVE))
    return next(map(JobFailure.from_domain, page.items), None)


def _window_around(seq: int, before: int, after: int) -> Window[int]:
    for name, lines in (("before", before), ("after", after)):
        if lines < 0:
            raise InvalidInput(f"{name} must not be negative, and is {lines}")
    size = before + 1 + after
    if size > MAX_PAGE_SIZE:
        raise InvalidInput(f"before and after must be {MAX_PAGE_SIZE - 1} together at most, not {size - 1}")
    return Window(limit=size, after=seq - before - 1, before=seq + after + 1)
