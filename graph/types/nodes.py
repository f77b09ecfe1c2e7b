"""Whatever has an id, loaded by it."""

from __future__ import annotations

from domain import cursors, filters
from domain.errors import InvalidInput
from domain.pages import Window
from domain.requests import LogPageRequest, LogScope
from domain.stages import stage_status as hierarchy
from graph.context import Context
from graph.relay.connections import Node
from graph.types.jobs import Execution, Job
from graph.types.lines import TaskLog
from graph.types.stages import Stage, Task


async def load_node(context: Context, node_id: str) -> Node | None:
    """Load whatever an id names, None where it names nothing any more.

    Raises:
        InvalidInput: if it is no id of this API.
    """
    loaders = context.loaders
    match cursors.decode(node_id, what="node id"):
        case ("Job", [str() as job_id]):
            job = await loaders.jobs.load(job_id)
            return Job.from_domain(job) if job else None
        case ("Execution", [str() as execution_id]):
            execution = await loaders.executions.load(execution_id)
            return Execution.from_domain(execution) if execution else None
        case ("Stage", [str() as job_id, str() as name]):
            stage = await _load_stage(context, job_id, name)
            return Stage.from_domain(stage) if stage else None
        case ("Task", [str() as job_id, str() as name, str() as task_id]):
            stage = await _load_stage(context, job_id, name)
            task = await context.services.tasks.get(job_id, name, task_id)
            return Task.from_domain(hierarchy.task_of(stage, task)) if stage and task else None
        case ("TaskLog", [str() as job_id, int() as seq]):
            asked = Window(limit=1, after=seq - 1, before=seq + 1)
            scope = LogScope(job_id=job_id)
            page = await loaders.log_pages.load(LogPageRequest(scope=scope, window=asked, filter=filters.EVERYTHING))
            return next(map(TaskLog.from_domain, page.items), None)
        case _:
            raise InvalidInput(f"{node_id[:80]!r} is not a node id of this API; pass one back as you received it")


async def _load_stage(context: Context, job_id: str, name: str) -> hierarchy.Stage | None:
    job = await context.loaders.jobs.load(job_id)
    if job is None:
        return None
    stages = hierarchy.stages_of(job, await context.loaders.stages.load(job_id))
    return next((stage for stage in stages if stage.record.name == name), None)
