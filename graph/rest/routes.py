"""The log by plain HTTP, for scripts and downloads: the same stores, filters and errors as by GraphQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Self, TypeAlias

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from domain.access import Scope
from domain.errors import NotFound
from domain.filters import LogFilter
from domain.logs import TaskLog, storable_label
from domain.pages import DEFAULT_PAGE_SIZE, MAX_PAGE_BYTES, MAX_PAGE_SIZE, Window
from domain.requests import TaskPageRequest
from domain.stages.stage_status import TaskRecord
from graph.access.admitted import entered
from graph.context import Services
from graph.errors import error_body
from graph.operations.limits import QueryLimits
from graph.rest.downloads import Download
from graph.rest.line_formats import (
    MEDIA_TYPES,
    SUFFIXES,
    LineFormat,
    accepted_form,
    array_in,
    layout,
    line_of_job,
    placed_line,
)
from graph.rest.line_sources import ExecutionLines, JobLines, LineList, pages_of
from graph.rest.query_parameters import FILTERS, Parameters
from graph.server.raw_path_route import RawPathRoute

KNOWN = (*FILTERS, "after", "limit", "format", "download")
WHOLE = 2**53 - 1
View: TypeAlias = Callable[[TaskLog], dict[str, Any]]
NAMED_JOBS = 100
"""How many jobs an answer names that have the same task."""


def rest_routes() -> list[BaseRoute]:
    return [
        RawPathRoute("/api/pulse/jobs/{job_id}/stages", stages),
        RawPathRoute("/api/pulse/jobs/{job_id}/tasks/{task_id}/logs", task_logs),
        RawPathRoute("/api/pulse/tasks/{task_id}/logs", task_logs_of_any_job),
        RawPathRoute("/jobs/{job_id}/logs", job_logs),
        RawPathRoute("/executions/{execution_id}/logs", execution_logs),
    ]


@dataclass(frozen=True, slots=True)
class LinesRequest:
    """What a client wants of a list of lines, and how."""

    filter: LogFilter
    form: LineFormat
    limit: int | None
    is_download: bool

    @classmethod
    def of(cls, request: Request, given: Parameters) -> Self:
        form = given.choice("format", LineFormat) or accepted_form(request)
        return cls(
            filter=given.log_filter(),
            form=form,
            limit=given.whole("limit", most=MAX_PAGE_SIZE if form is LineFormat.JSON else WHOLE),
            is_download=given.flag("download"),
        )


async def job_logs(request: Request) -> Response:
    """Answer with a page of a job's lines, or with all of them as text or NDJSON."""
    services, given = await entered(request, Scope.READ), Parameters(request, KNOWN)
    job_id = _label(request, "job_id")
    asked, after = LinesRequest.of(request, given), given.whole("after")
    async with _in_time(request, asked.form):
        job = (await services.jobs.get([job_id])).get(job_id)
        if job is None:
            raise NotFound("job", job_id)
        lines = JobLines(services, job_id, asked.filter)
        if asked.form is LineFormat.JSON:
            return await _page(lines, asked, after, {"job_id": job_id}, placed_line)
        return await _all(
            request, lines, asked, Window(WHOLE, after=after, before=job.last_seq + 1), job_id, placed_line
        )


async def execution_logs(request: Request) -> Response:
    """Answer with the lines of all jobs of an execution, as `job_logs` does."""
    services, given = await entered(request, Scope.READ), Parameters(request, KNOWN)
    execution_id = _label(request, "execution_id")
    asked, cursor = LinesRequest.of(request, given), given.one("after")
    lines = ExecutionLines(services, execution_id, asked.filter)
    after = None if cursor is None else lines.key(cursor)
    async with _in_time(request, asked.form):
        if not await services.executions.get([execution_id]):
            raise NotFound("execution", execution_id)
        if asked.form is LineFormat.JSON:
            return await _page(lines, asked, after, {"execution_id": execution_id}, line_of_job)
        return await _all(request, lines, asked, Window(WHOLE, after=after), execution_id, line_of_job)


@asynccontextmanager
async def _in_time(request: Request, form: LineFormat = LineFormat.JSON) -> AsyncIterator[None]:
    """Bound the time of a page as that of a GraphQL query. Whole logs take as long as they take, each statement its own.

    Raises:
        TooComplex: if it takes longer.
    """
    limits: QueryLimits = request.app.state.limits
    try:
        async with asyncio.timeout(limits.max_query_seconds if form is LineFormat.JSON else None) as time:
            yield
    except TimeoutError:
        if not time.expired():
            raise
        raise limits.too_late("by levels, stages, tasks or times") from None


async def _page(lines: LineList, asked: LinesRequest, after: Any, about: dict[str, str], view: View) -> Response:
    window = Window(DEFAULT_PAGE_SIZE if asked.limit is None else asked.limit, after=after)
    page, last = await lines.page(window, MAX_PAGE_BYTES)
    body = {**about, "total_count": await lines.count(), "logs": [view(line) for line in page.items]}
    return _json({**body, "next": last if page.has_next else None})


async def _all(
    request: Request, lines: LineList, asked: LinesRequest, whole: Window[Any], name: str, view: View
) -> Response:
    window = whole if asked.limit is None else replace(whole, limit=asked.limit)
    file_name = f"{name}.{SUFFIXES[asked.form]}" if asked.is_download else None
    laid_out = layout(asked.form, view)
    return await Download.of(request, pages_of(lines, window), laid_out, MEDIA_TYPES[asked.form], file_name)


async def stages(request: Request) -> Response:
    """Answer with the stages of a job, and how many lines each of their tasks has."""
    services, _ = await entered(request, Scope.READ), Parameters(request, ())
    job_id = _label(request, "job_id")
    async with _in_time(request):
        found = (await services.tasks.stages([job_id])).get(job_id)
        if found is None and job_id not in await services.jobs.get([job_id]):
            raise NotFound("job", job_id)
        names = [stage.name for stage in found or ()]
        tasks = await _tasks(services, job_id, names)
    return _json(
        {"job_id": job_id, "stages": [{"stage": name, "tasks": list(map(_counted, tasks[name]))} for name in names]}
    )


async def _tasks(services: Services, job_id: str, names: list[str]) -> Mapping[str, list[TaskRecord]]:
    """Load all tasks of stages: the first thousand of each in one statement, then those of the larger ones."""
    tasks: dict[str, list[TaskRecord]] = {name: [] for name in names}
    windows: dict[str, Window[Any]] = {name: Window(MAX_PAGE_SIZE) for name in names}
    while windows:
        asked = [TaskPageRequest(job_id=job_id, stage=name, window=window) for name, window in windows.items()]
        pages = dict(zip(list(windows), await services.tasks.pages(asked), strict=True))
        windows = {}
        for name, page in pages.items():
            tasks[name] += page.items
            if page.has_next:
                last = page.items[-1]
                windows[name] = Window(MAX_PAGE_SIZE, after=(last.first_seq, last.started_at, last.task_id))
    return tasks


def _counted(task: TaskRecord) -> dict[str, Any]:
    return {"task_id": task.task_id, "log_count": task.log_counts.total}


async def task_logs(request: Request) -> Response:
    """Answer with all lines of a task of a job, in whichever of its stages."""
    services, _ = await entered(request, Scope.READ), Parameters(request, ())
    job_id, task_id = _label(request, "job_id"), _label(request, "task_id")
    if not await services.tasks.jobs_of(task_id, job_id=job_id, limit=1):
        kind, key = ("task", task_id) if await services.jobs.get([job_id]) else ("job", job_id)
        raise NotFound(kind, key)
    return await _all_of_task(request, services, job_id, task_id)


async def task_logs_of_any_job(request: Request) -> Response:
    """Answer with all lines of the task of that id, or name the jobs that have one."""
    services, _ = await entered(request, Scope.READ), Parameters(request, ())
    task_id = _label(request, "task_id")
    match await services.tasks.jobs_of(task_id, limit=NAMED_JOBS):
        case []:
            raise NotFound("task", task_id)
        case [job_id]:
            return await _all_of_task(request, services, job_id, task_id)
        case job_ids:
            message = (
                f"several jobs have a task {task_id!r}; ask for that of one of them: "
                "/api/pulse/jobs/{job_id}/tasks/{task_id}/logs"
            )
            return error_body(409, "BAD_INPUT", message, job_ids=list(job_ids))


async def _all_of_task(request: Request, services: Services, job_id: str, task_id: str) -> Response:
    lines = JobLines(services, job_id, LogFilter(task_ids=frozenset([task_id])))
    laid_out = array_in({"task_id": task_id}, "logs")
    return await Download.of(request, pages_of(lines, Window(WHOLE)), laid_out, MEDIA_TYPES[LineFormat.JSON])


def _label(request: Request, name: str) -> str:
    return storable_label(request.path_params[name])


def _json(body: dict[str, Any]) -> Response:
    return Response(orjson.dumps(body), media_type=MEDIA_TYPES[LineFormat.JSON])
