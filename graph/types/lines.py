"""Lines, and the connection of whatever has lines."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Annotated, Any, ClassVar, Self, cast

import strawberry
from strawberry import UNSET
from strawberry.scalars import JSON

from domain import cursors, logs
from domain.analysis.message_preview import Preview, preview
from domain.errors import InvalidInput
from domain.filters import LogFilter
from domain.pages import MAX_PAGE_BYTES, Page, Window, joined, window
from domain.requests import LogCount, LogPageRequest, LogScope
from domain.written_lines import LINE_ATTRIBUTES, LineSelection
from graph.context import Info, Loaders
from graph.formats.scalars import BigInt
from graph.plans.columns import Rows, column_of
from graph.plans.settlement import Absent
from graph.relay.connections import Connection, Node
from graph.types.inputs import After, Around, Before, First, Last, LogFilterArgument, given, log_filter
from jobtail.events import LogLevel


def _log_id(self: TaskLog) -> strawberry.ID:
    """Make a line's id only when it is asked for: most readers want none, and there are many lines."""
    return strawberry.ID(cursors.encode("TaskLog", self.job_id, self.seq))


PREVIEW_LENGTH = 2_000


@strawberry.type(
    description="A message of which the middle may be left out. A long one is what a terminal shows of it, with its colours."
)
class MessagePreview:
    head: str = strawberry.field(description="The beginning; the whole message if it is short enough.")
    tail: str | None = strawberry.field(description="The end. Null where `head` is the whole message.")
    hidden_lines: BigInt = strawberry.field(description="How many line ends lie between the two.")
    hidden_characters: BigInt = strawberry.field(description="How many characters lie between the two.")
    exception: str | None = strawberry.field(
        description="Type and message of the exception, where the message is a traceback."
    )

    @classmethod
    def from_domain(cls, shortened: Preview) -> Self:
        return cls(
            head=shortened.head,
            tail=shortened.tail,
            hidden_lines=BigInt(shortened.hidden_lines),
            hidden_characters=BigInt(shortened.hidden_characters),
            exception=shortened.exception,
        )


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
        return _shortened([self.whole_message], max_length)[0]

    @strawberry.field(
        description="The message as people read a long one: its beginning, its end, and how much lies between."
    )
    def preview(
        self,
        max_length: Annotated[
            int | None, strawberry.argument(description="About this many characters of both together.")
        ] = PREVIEW_LENGTH,
    ) -> MessagePreview:
        length = PREVIEW_LENGTH if max_length is None else max_length
        if length < 0:
            raise InvalidInput(f"maxLength must not be negative, and is {length}")
        return MessagePreview.from_domain(preview(self.whole_message, length))

    @strawberry.field(description="How many characters the whole message has.")
    def message_length(self) -> BigInt:
        return BigInt(len(self.whole_message))


def _shortened(messages: list[str], max_length: int | None) -> list[str]:
    length = given(max_length)
    if length is None:
        return messages
    if length < 0:
        raise InvalidInput(f"maxLength must not be negative, and is {length}")
    return [message[:length] for message in messages]


def _attribute(name: str, rows: LineRows) -> list[Any]:
    return column_of(rows.lines, name)


class LineRows(Rows):
    """Lines, of whichever page or batch."""

    def __init__(self, lines: Sequence[logs.TaskLog]) -> None:
        self.lines = lines

    def __len__(self) -> int:
        return len(self.lines)

    def make(self) -> Sequence[TaskLog]:
        return list(map(TaskLog.from_domain, self.lines))

    def _messages(self, max_length: int | None = UNSET) -> list[str]:
        return _shortened(column_of(self.lines, "message"), max_length)

    def _message_lengths(self) -> list[int]:
        return list(map(len, column_of(self.lines, "message")))

    def _ids(self) -> list[str]:
        places = zip(column_of(self.lines, "job_id"), column_of(self.lines, "seq"), strict=True)
        return [cursors.encode("TaskLog", *place) for place in places]

    columns: ClassVar = {name: partial(_attribute, name) for name in LINE_ATTRIBUTES} | {
        "id": _ids,
        "message": _messages,
        "message_length": _message_lengths,
    }


class ScopeReference:
    """A job or a stage of which nothing but pages of lines is asked: those tell whether it is there."""

    def __init__(self, scope: LogScope) -> None:
        self.scope = scope

    async def stage_named(self, _: Info, name: str) -> ScopeReference:
        return ScopeReference(LogScope(job_id=self.scope.job_id, stage=name))

    async def confirmed(self, loaders: Loaders, loading: Awaitable[Page[logs.TaskLog]]) -> Page[logs.TaskLog]:
        """Load a page of its lines.

        Raises:
            Absent: if it is not there.
        """
        page, scope = await loading, self.scope
        if not page.items and await loaders.jobs.load(scope.job_id) is None:
            raise Absent("Job")
        if not page.items and scope.stage is not None:
            stages = await loaders.stages.load(scope.job_id)
            if all(stage.name != scope.stage for stage in stages):
                raise Absent("Stage")
        return page


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

    def load(selection: LineSelection | None = None) -> Awaitable[Page[logs.TaskLog]]:
        loading: Awaitable[Page[logs.TaskLog]]
        if middle is None:
            wanted = request if selection is None else replace(request, written_as=selection)
            loading = context.loaders.log_pages.load(wanted)
        else:
            loading = _load_around(context.loaders, scope, chosen, middle, asked.limit)
        return root.confirmed(context.loaders, loading) if isinstance(root, ScopeReference) else loading

    return Connection(
        load=load,
        count=lambda: context.loaders.log_counts.load(LogCount(scope=scope, filter=chosen)),
        to_nodes=LineRows,
        to_cursor=lambda row: cursors.log_cursor(scope.job_id, row.seq),
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
