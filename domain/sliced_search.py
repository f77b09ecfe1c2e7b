"""Pages of a search for a pattern: looked for slice by slice, so that a search that takes too long says how far it came."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from domain.cursors import log_cursor
from domain.errors import OutOfTime
from domain.filters import EVERYTHING
from domain.logs import TaskLog
from domain.pages import Page, Window, page_of
from domain.ports import LogReader
from domain.requests import LogCount, LogPageRequest, LogScope

SLICE_LINES = 50_000
"""How many lines one statement searches."""
PATIENCE_S = 8.0
"""How long slices are begun for one page."""


class SlicedSearch:
    """Satisfies `domain.ports.LogReader`: another one whose searches for patterns end in time."""

    def __init__(
        self,
        logs: LogReader,
        *,
        slice_lines: int = SLICE_LINES,
        patience_s: float = PATIENCE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._logs = logs
        self._slice_lines = slice_lines
        self._patience_s = patience_s
        self._clock = clock

    async def counts(self, requests: Sequence[LogCount]) -> Sequence[int]:
        return await self._logs.counts(requests)

    async def pages(self, requests: Sequence[LogPageRequest]) -> Sequence[Page[TaskLog]]:
        """Load pages, those without a pattern in one statement.

        A page whose search takes too long ends early, as one of very large lines does.

        Raises:
            OutOfTime: if nothing was found by then.
        """
        deadline = self._clock() + self._patience_s
        plain = [request for request in requests if not _has_pattern(request)]
        loaded = iter(await self._logs.pages(plain) if plain else ())
        return [
            await self._search(request, deadline) if _has_pattern(request) else next(loaded) for request in requests
        ]

    async def _search(self, request: LogPageRequest, deadline: float) -> Page[TaskLog]:
        window = request.window
        first, last = (window.after or 0) + 1, await self._newest(request.scope.job_id)
        if window.before is not None:
            last = min(last, window.before - 1)
        first, last = request.filter.seqs_within(first, last)
        found: list[TaskLog] = []
        is_cut = False
        while first <= last and len(found) <= window.limit and not is_cut:
            begin, end = self._slice(first, last, backward=window.backward)
            try:
                self._check(deadline)
                page = await self._look(request, begin, end, found)
            except OutOfTime as error:
                if not found:
                    raise _said(request, first, last, error) from error
                is_cut = True
                break
            found += page.items[::-1] if window.backward else page.items
            is_cut = page.has_previous if window.backward else page.has_next
            first, last = (first, begin - 1) if window.backward else (end + 1, last)
        return page_of(found, window, found=len(found) + is_cut)

    def _slice(self, first: int, last: int, *, backward: bool) -> tuple[int, int]:
        if backward:
            return max(first, last - self._slice_lines + 1), last
        return first, min(last, first + self._slice_lines - 1)

    def _check(self, deadline: float) -> None:
        if self._clock() > deadline:
            raise OutOfTime(f"this takes longer than {self._patience_s:g} s")

    async def _look(self, request: LogPageRequest, begin: int, end: int, found: Sequence[TaskLog]) -> Page[TaskLog]:
        """Search one slice. What was found before counts against the page's number of lines and their size."""
        window = Window(
            limit=request.window.limit + 1 - len(found),
            after=begin - 1,
            before=end + 1,
            backward=request.window.backward,
        )
        room = max(request.max_bytes - sum(len(row.message) for row in found), 1)
        asked = LogPageRequest(
            scope=request.scope,
            window=window,
            filter=request.filter,
            max_bytes=room,
            may_be_empty=request.may_be_empty or bool(found),
        )
        (page,) = await self._logs.pages([asked])
        return page

    async def _newest(self, job_id: str) -> int:
        newest: Window[int] = Window(limit=1, backward=True)
        (page,) = await self._logs.pages(
            [LogPageRequest(scope=LogScope(job_id=job_id), window=newest, filter=EVERYTHING)]
        )
        return page.items[0].seq if page.items else 0


def _said(request: LogPageRequest, first: int, last: int, error: OutOfTime) -> OutOfTime:
    """Say how far the search came and how to go on behind."""
    job_id, whole = request.scope.job_id, request.window
    if whole.backward:
        searched, way = f"after line {last}", f'before: "{log_cursor(job_id, last + 1)}"'
        has_begun = whole.before is None or last < whole.before - 1
    else:
        searched, way = f"up to line {first - 1}", f'after: "{log_cursor(job_id, first - 1)}"'
        has_begun = first > (whole.after or 0) + 1
    further = f"nothing was found in job {job_id!r} {searched}. Go on with {way}, or ask for less" if has_begun else ""
    return OutOfTime("; ".join(filter(None, (str(error), further))))


def _has_pattern(request: LogPageRequest) -> bool:
    return request.filter is not EVERYTHING and request.filter.has_pattern  # most pages are of everything
