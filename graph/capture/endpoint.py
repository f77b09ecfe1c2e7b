"""POST /api/capture: a writer's events as NDJSON, stored job by job, each all or nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from domain.access import Grant, Scope
from domain.use_cases import EventRecorder
from domain.visibility import require_job
from graph.access.admitted import granted
from graph.access.callers import caller_of
from graph.capture.admission import Admission, Share
from graph.capture.event_reader import EventReader
from graph.capture.worker_versions import WorkerVersions
from graph.context import seen
from graph.http.body import BodyLimits, encoding_of, expanded, received
from graph.live.sessions import Sessions
from jobtail.events import Batch

WRITER_HEADER = "Jobtail-Writer"
LARGE_BYTES = 1024 * 1024
"""What is read or folded at once beyond this is so in a thread: other requests would wait for it."""
STEP_EVENTS = 4_000
"""How many events are folded and stored at once."""


class CaptureEndpoint:
    def __init__(self, limits: BodyLimits, admission: Admission) -> None:
        self._limits = limits
        self._admission = admission
        self._versions = WorkerVersions()

    async def post(self, request: Request) -> Response:
        """Store a batch and tell how many of its events are new. It may be sent again after any fault."""
        grant = await granted(request, Scope.CAPTURE)
        self._versions.notice(request.headers.get("user-agent"))
        services, writer_id, encoding = seen(request.app.state.services, grant), _writer(request), encoding_of(request)
        sessions: Sessions = request.app.state.sessions
        with self._admission.share(caller_of(grant, request.scope)) as share:
            try:
                with sessions.body(grant):
                    body = await received(request, self._limits, share.hold)
            except ClientDisconnect:
                return Response(status_code=400)  # nobody reads it
            with self._admission.place():
                pieces = expanded(body, encoding, self._limits)
                stored, skipped = await self._store(grant, services.recorder, writer_id, pieces, share)
        return JSONResponse({"stored": stored, "skipped": skipped})

    async def _store(
        self, grant: Grant, recorder: EventRecorder, writer_id: UUID, body: AsyncIterator[bytes], share: Share
    ) -> tuple[int, int]:
        """Read all events, then store them, a large batch in steps: others get their turn in between."""
        reader = EventReader()
        async for piece in body:
            if reader.unread_bytes > LARGE_BYTES:
                await asyncio.to_thread(reader.feed, piece)
            else:
                reader.feed(piece)
            share.hold(reader.grown())
        is_large = reader.read_bytes > LARGE_BYTES
        events = await asyncio.to_thread(reader.finish) if reader.unread_bytes > LARGE_BYTES else reader.finish()
        share.hold(reader.grown())
        for job_id in reader.job_ids:
            require_job(job_id, grant)
        stored = skipped = 0
        for start in range(0, len(events), STEP_EVENTS) or (0,):
            recorded = await recorder.record(Batch(writer_id, events[start : start + STEP_EVENTS]), is_large=is_large)
            stored, skipped = stored + recorded.stored, skipped + recorded.skipped
        return stored, skipped


def _writer(request: Request) -> UUID:
    said = request.headers.get(WRITER_HEADER)
    try:
        return UUID(said or "")
    except ValueError:
        wrong = f"{said!r} is none" if said else "it is missing"
        message = f"the header {WRITER_HEADER} must be a UUID that the writer made when it started; {wrong}"
        raise HTTPException(400, message) from None
