"""Answers that are as long as a log: streamed a piece at a time, for as long as their reader takes them and may have them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import ExitStack
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from domain.access import Grant
from domain.logs import TaskLog
from graph.access.callers import caller_of
from graph.live.sessions import Sessions
from graph.rest.line_formats import Layout


class Download(StreamingResponse):
    """Has a place of its caller's for as long as it lasts, and lasts no longer than the caller's token."""

    @classmethod
    async def of(
        cls,
        request: Request,
        lines: AsyncGenerator[Iterable[TaskLog], None],
        laid_out: Layout,
        media_type: str,
        file_name: str | None = None,
    ) -> Download:
        """Answer with lines as they are loaded.

        The first piece is loaded before the answer begins, so what fails there has its own status. What fails later cuts the
        connection: no client takes a part for the whole.

        Raises:
            TooMany: if the caller has too many downloads already.
        """
        grant: Grant = request.state.grant
        sessions: Sessions = request.app.state.sessions
        disposition = f"attachment; filename*=UTF-8''{quote(file_name, '')}" if file_name is not None else None
        with ExitStack() as stack:
            stack.enter_context(request.app.state.downloads.place(caller_of(grant, request.scope)))
            stack.enter_context(sessions.download(grant, request.scope))
            pieces = _pieces(lines, laid_out)
            continued = _continued([await anext(pieces)], pieces)
            headers = {} if disposition is None else {"Content-Disposition": disposition}
            download = cls(continued, headers=headers, media_type=media_type)
            download._held = stack.pop_all()
        return download

    _held: ExitStack

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._held:
            await super().__call__(scope, receive, send)


async def _pieces(lines: AsyncGenerator[Iterable[TaskLog], None], laid_out: Layout) -> AsyncGenerator[bytes, None]:
    """Write the pages. A page is never empty, and is not kept while a reader takes its time."""
    lead = laid_out.head
    async for page in lines:
        written = [lead + laid_out.between.join(map(laid_out.write, page))]
        del page
        yield written.pop()
        lead = laid_out.between
    yield laid_out.tail if lead is laid_out.between else laid_out.head + laid_out.tail


async def _continued(first: list[bytes], rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    yield first.pop()
    async for piece in rest:
        waiting = [piece]
        del piece
        yield waiting.pop()
