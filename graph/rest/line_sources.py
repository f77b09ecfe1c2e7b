"""The lines of a job or of an execution that match, page by page, for clients of plain HTTP."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from domain.filters import LogFilter
from domain.logs import TaskLog
from domain.pages import Page, Window
from domain.requests import ExecutionLogCount, ExecutionLogPageRequest, LogCount, LogPageRequest, LogScope
from graph.context import Services
from graph.relay.list_cursors import line_cursor, line_key

PIECE_LINES = 1000
PIECE_BYTES = 256 * 1024
"""What a download holds in memory at a time."""


class LineList(Protocol):
    """Lines in order. A key is what a client hands back as `after`."""

    async def page(self, window: Window[Any], max_bytes: int) -> tuple[Page[TaskLog], str | int | None]:
        """Load a page, and the key of its last line."""

    def key(self, after: Any) -> Any:
        """Make the key of a window of what `page` gave."""

    async def count(self) -> int:
        """Count the lines of all pages."""


@dataclass(frozen=True, slots=True)
class JobLines:
    services: Services
    job_id: str
    filter: LogFilter

    async def page(self, window: Window[int], max_bytes: int) -> tuple[Page[TaskLog], int | None]:
        scope = LogScope(job_id=self.job_id)
        request = LogPageRequest(scope=scope, window=window, filter=self.filter, max_bytes=max_bytes)
        (page,) = await self.services.logs.pages([request])
        return page, page.items[-1].seq if page.items else None

    def key(self, after: int) -> int:
        return after

    async def count(self) -> int:
        asked = LogCount(scope=LogScope(job_id=self.job_id), filter=self.filter)
        (count,) = await self.services.logs.counts([asked])
        return count


@dataclass(frozen=True, slots=True)
class ExecutionLines:
    services: Services
    execution_id: str
    filter: LogFilter

    async def page(self, window: Window[Any], max_bytes: int) -> tuple[Page[TaskLog], str | None]:
        request = ExecutionLogPageRequest(
            execution_id=self.execution_id, window=window, filter=self.filter, max_bytes=max_bytes
        )
        (page,) = await self.services.executions.log_pages([request])
        lines = [item.log for item in page.items]
        last = line_cursor(page.items[-1], self.execution_id) if lines else None
        return Page(lines, has_next=page.has_next, has_previous=page.has_previous), last

    def key(self, after: str) -> Any:
        return line_key(after, self.execution_id)

    async def count(self) -> int:
        (count,) = await self.services.executions.log_counts(
            [ExecutionLogCount(execution_id=self.execution_id, filter=self.filter)]
        )
        return count


async def pages_of(lines: LineList, window: Window[Any]) -> AsyncGenerator[Sequence[TaskLog], None]:
    """Yield all lines of a window, a page at a time. No connection and no snapshot is held in between."""
    left = window.limit
    while left > 0:
        page, last = await lines.page(replace(window, limit=min(left, PIECE_LINES)), PIECE_BYTES)
        left = left - len(page.items) if page.has_next and last is not None else 0
        loaded = [page.items] if page.items else []
        del page  # a reader may take its time
        if loaded:
            yield loaded.pop()
        window = replace(window, after=None if last is None else lines.key(last))
