"""POST /api/capture: a writer's events as NDJSON, stored job by job, each all or nothing."""

from __future__ import annotations

import asyncio
from uuid import UUID

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from domain.access import Scope
from graph.access.admitted import entered
from graph.capture.admission import Admission, Share
from graph.capture.event_reader import EventReader
from graph.http.body import BodyLimits, expanded
from jobtail.events import Batch, NumberedEvent

WRITER_HEADER = "Jobtail-Writer"
LARGE_BYTES = 1024 * 1024
"""What is read or folded at once beyond this is so in a thread: other requests would wait for it."""


class CaptureEndpoint:
    def __init__(self, limits: BodyLimits, admission: Admission) -> None:
        self._limits = limits
        self._admission = admission

    async def post(self, request: Request) -> Response:
        """Store a batch and tell how many of its events are new. It may be sent again after any fault."""
        services, writer_id = await entered(request, Scope.CAPTURE), _writer(request)
        with self._admission.place() as place:
            try:
                events = await self._events(request, place)
            except ClientDisconnect:
                return Response(status_code=400)  # nobody reads it
            is_large = place.held_bytes > LARGE_BYTES
            recorded = await services.recorder.record(Batch(writer_id, events), is_large=is_large)
        return JSONResponse({"stored": recorded.stored, "skipped": recorded.skipped})

    async def _events(self, request: Request, place: Share) -> tuple[NumberedEvent, ...]:
        reader = EventReader()
        async for piece in expanded(request, self._limits):
            place.hold(len(piece))
            if reader.unread_bytes > LARGE_BYTES:
                await asyncio.to_thread(reader.feed, piece)
            else:
                reader.feed(piece)
        return await asyncio.to_thread(reader.finish) if reader.unread_bytes > LARGE_BYTES else reader.finish()


def _writer(request: Request) -> UUID:
    said = request.headers.get(WRITER_HEADER)
    try:
        return UUID(said or "")
    except ValueError:
        wrong = f"{said!r} is none" if said else "it is missing"
        message = f"the header {WRITER_HEADER} must be a UUID that the writer made when it started; {wrong}"
        raise HTTPException(400, message) from None
