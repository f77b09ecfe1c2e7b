"""Lines, and the connection of whatever has lines."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Self, cast

import strawberry
from strawberry import UNSET
from strawberry.scalars import JSON

from domain import cursors, logs
from domain.errors import InvalidInput
from domain.filters import LogFilter
from domain.pages import MAX_PAGE_BYTES, Page, Window, joined, window
from domain.requests import LogCount, LogPageRequest, LogScope
from domain.written_lines import Members
from graph.context import Info, Loaders
from graph.formats.scalars import BigInt
from graph.plans.column_executor import require
from graph.relay.connections import Columns, Connection, Node, column
from graph.types.inputs import After, Around, Before, First, Last, LogFilterArgument, given, log_filter
from jobtail.events import LogLevel


def _log_id(self: TaskLog) -> strawberry.ID:
    """Make a line's id only when it is asked for: most readers want none, and there are many lines."""
    return strawberry.ID(cursors.encode("TaskLog", self.job_id, self.seq))


@strawberry.type(description="One captured line.")
class TaskLog(Node):
    id: strawberry.ID = strawberry.field(resolver=_log_id, description="Unique over all types; opaque.")
    seq: BigInt = strawberry.field(
        description="1, 2, 3 ... within its job, without gaps: order, permalink and proof that nothing is missing, but for what "
        "was pruned (`Job.logsPrunedBefore`).",
    )
    job_id: str = strawberry.field(description="The job that said it.")
    execution_id: str | None = strawberry.field(description="The execution that the job is part of.")
    stage: str = strawberry.field(description="`main` for a line that came before any stage.")
    task_id: str | None = strawberry.field(description="Null for a line of the stage itself.")
    timestamp: datetime = strawberry.field(description="When the job said it, by the worker's clock.")
    level: LogLevel = strawberry.field(description="How grave it is.")
    metadata: JSON | None = strawberry.field(description="What the job said along with it.")
    whole_message: strawberry.Private[str]

    @classmethod
    def from_domain(cls, row: logs.TaskLog) -> Self:
        return cls(
            seq=BigInt(row.seq),
            job_id=row.job_id,
            execution_id=row.execution_id,
            stage=row.stage,
            task_id=row.task_id,
            timestamp=row.timestamp,
            level=row.level,
            metadata=cast("JSON | None", row.metadata),
            whole_message=row.message,
        )

    @strawberry.field(description="The whole message, however long, unless maxLength asks for less (in characters).")
    def message(
        self,
        max_length: Annotated[int | None, strawberry.argument(description="At most this many characters.")] = UNSET,
    ) -> str:
        length = given(max_length)
        if length is None:
            return self.whole_message
        if length < 0:
            raise InvalidInput(f"maxLength must not be negative, and is {length}")
        return self.whole_message[:length]

    @strawberry.field(description="How many characters the whole message has.")
    def message_length(self) -> BigInt:
        return BigInt(len(self.whole_message))


LINE_COLUMNS: Columns = {
    name: column(name)
    for name in ("seq", "job_id", "execution_id", "stage", "task_id", "timestamp", "level", "message", "metadata")
}


def resolve_logs(
    root: strawberry.Parent[Any],
    info: Info,
    first: First = UNSET,
    after: After = UNSET,
    last: Last = UNSET,
    before: Before = UNSET,
    filter: LogFilterArgument = UNSET,  # noqa: A002 - the contract's name
    around: Around = UNSET,
) -> Connection[TaskLog]:
    """Resolve the lines of whatever has a scope. A page of very large lines ends early, and says that there is more."""
    scope, context, chosen = root.scope, info.context, log_filter(filter)
    asked = window(
        first=given(first),
        after=_seq(given(after), scope.job_id),
        last=given(last),
        before=_seq(given(before), scope.job_id),
    )
    middle = _middle(around, after, last, before)
    request = LogPageRequest(scope=scope, window=asked, filter=chosen)

    def load(members: Members | None = None) -> Awaitable[Page[logs.TaskLog]]:
        loading: Awaitable[Page[logs.TaskLog]]
        if middle is None:
            wanted = request if members is None else replace(request, written_as=members)
            loading = context.loaders.log_pages.load(wanted)
        else:
            loading = _load_around(context.loaders, scope, chosen, middle, asked.limit)
        return _load_presumed(context.loaders, scope, loading) if _is_presumed(root) else loading

    return Connection(
        load=load,
        count=lambda: context.loaders.log_counts.load(LogCount(scope=scope, filter=chosen)),
        to_node=TaskLog.from_domain,
        to_cursor=lambda row: cursors.log_cursor(scope.job_id, row.seq),
        columns=LINE_COLUMNS,
        load_written=load if middle is None else None,
    )


def _seq(cursor: str | None, job_id: str) -> int | None:
    return None if cursor is None else cursors.log_seq(cursor, job_id)


def _middle(around: int | None, *others: str | int | None) -> int | None:
    """Read the line that a page lies around.

    Raises:
        InvalidInput: if it is no line's number, or if another argument says where the page lies.
    """
    seq = given(around)
    if seq is None:
        return None
    if any(given(other) is not None for other in others):
        raise InvalidInput("around says where the page lies; give it with first alone, without after, last and before")
    if seq < 1:
        raise InvalidInput(f"around must be the number of a line, 1 or more, not {seq}")
    return seq


def _is_presumed(root: Any) -> bool:
    return getattr(root, "is_presumed", False)


async def _load_presumed(
    loaders: Loaders, scope: LogScope, loading: Awaitable[Page[logs.TaskLog]]
) -> Page[logs.TaskLog]:
    """Load lines of what was not looked for. Where it is not there, graphql-core tells what there is instead of it."""
    page = await loading
    require(page.items or await _is_there(loaders, scope))
    return page


async def _is_there(loaders: Loaders, scope: LogScope) -> bool:
    if scope.stage is None:
        return await loaders.jobs.load(scope.job_id) is not None
    return any(stage.name == scope.stage for stage in await loaders.stages.load(scope.job_id))


async def _load_around(loaders: Loaders, scope: LogScope, chosen: LogFilter, seq: int, size: int) -> Page[logs.TaskLog]:
    """Load lines around a line.

    Those behind it come first: once one of them is seen, all before it are there to be seen.
    """

    async def load(asked: Window[int]) -> Page[logs.TaskLog]:
        request = LogPageRequest(scope=scope, window=asked, filter=chosen, max_bytes=MAX_PAGE_BYTES // 2)
        return await loaders.log_pages.load(request)

    behind = await load(Window(limit=size, after=seq - 1))
    before = await load(Window(limit=size, before=seq, backward=True))
    return joined(before, behind, size)
