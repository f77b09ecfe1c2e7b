"""POST /v1/logs: OTLP/HTTP. Log records become lines of the job that they name, or of their trace.

OTLP numbers nothing: a request that is sent again because its answer was lost is stored again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from domain.access import Scope
from domain.errors import JobtailError, UnstorableContent
from domain.use_cases import EventRecorder
from domain.visibility import require_job
from graph.access.admitted import granted
from graph.access.callers import caller_of
from graph.capture.admission import Admission, Share
from graph.capture.otlp_encoding import JSON, PROTOBUF, read_request, write_answer, write_status
from graph.capture.otlp_records import JobRecords, Placed, Record, Surroundings
from graph.errors import refusal
from graph.http.body import BodyLimits, encoding_of, expanded, received
from graph.live.sessions import Sessions
from jobtail.events import Line

STEP_LINES = 2_000
"""How many lines of a job are stored at once; others get their turn in between."""
STEP_BYTES = 8 * 1024 * 1024
"""What lines may take before their room is asked for."""
HELP = "set the attribute jobtail.job_id on the record, its scope or its resource, or log within a span"
RPC_CODES = {400: 3, 401: 16, 403: 7, 408: 4, 413: 8, 415: 3, 422: 3, 429: 8, 500: 13, 503: 14}
"""What gRPC calls HTTP's statuses."""


class OtlpEndpoint:
    def __init__(self, limits: BodyLimits, admission: Admission) -> None:
        self._limits = limits
        self._admission = admission

    async def post(self, request: Request) -> Response:
        """Store the records that can be placed, and tell how many cannot and what to do about it."""
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        try:
            answer = await self._answer(request, media_type)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        except (HTTPException, JobtailError) as error:
            said = refusal(error)
            kind = media_type if media_type == PROTOBUF else JSON
            body = write_status(kind, RPC_CODES.get(said.status, 2), said.message)
            return Response(body, said.status, said.headers, kind)
        return Response(write_answer(media_type, answer), media_type=media_type)

    async def _answer(self, request: Request, media_type: str) -> ExportLogsServiceResponse:
        if media_type not in {PROTOBUF, JSON}:
            raise HTTPException(415, f"Content-Type {media_type!r} is not understood: send {PROTOBUF} or {JSON}")
        grant, encoding = await granted(request, Scope.CAPTURE), encoding_of(request)
        recorder: EventRecorder = request.app.state.services.recorder
        sessions: Sessions = request.app.state.sessions
        with self._admission.share(caller_of(grant, request.scope)) as share:
            with sessions.body(grant):
                sent = await received(request, self._limits, share.hold)
            with self._admission.place():
                placed = await self._read(media_type, expanded(sent, encoding, self._limits), share)
                for job_id in placed.jobs:
                    require_job(job_id, grant)
                refused = 0
                for job_id, records in placed.jobs.items():
                    refused += await _store(recorder, job_id, records)
        return _told(placed, refused)

    async def _read(self, media_type: str, pieces: AsyncIterator[bytes], share: Share) -> Placed:
        """Read all records, in a thread and in steps: after each it is known how much memory they take."""
        body = bytearray()
        async for piece in pieces:
            share.hold(len(piece))
            body += piece
        placed, records = Placed(datetime.now(UTC)), read_request(media_type, bytes(body))
        known_bytes, has_more = 0, True
        while has_more:
            has_more = await asyncio.to_thread(_read_some, records, placed)
            share.hold(placed.memory_bytes - known_bytes)
            known_bytes = placed.memory_bytes
        return placed


def _read_some(records: Iterator[tuple[Record | None, Surroundings]], placed: Placed) -> bool:
    """Place some records, and tell whether there may be more."""
    before = placed.memory_bytes
    for count, (record, around) in enumerate(records, 1):
        if record is None:
            placed.unread += 1
        else:
            placed.add(record, around)
        if count == STEP_LINES or placed.memory_bytes - before > STEP_BYTES:
            return True
    return False


async def _store(recorder: EventRecorder, job_id: str, records: JobRecords) -> int:
    """Store a job's lines in their order, and tell how many the database cannot hold."""
    steps = [records.lines[start : start + STEP_LINES] for start in range(0, len(records.lines), STEP_LINES)]
    return sum([await _store_or_split(recorder, job_id, records, lines) for lines in steps])


async def _store_or_split(recorder: EventRecorder, job_id: str, records: JobRecords, lines: list[Line]) -> int:
    """Store lines; where one is to blame, all the others."""
    try:
        await recorder.record_job(job_id, lines, execution_id=records.execution_id, handler_name=records.service_name)
    except UnstorableContent:
        if len(lines) == 1:
            return 1
        half = len(lines) // 2
        first = await _store_or_split(recorder, job_id, records, lines[:half])
        return first + await _store_or_split(recorder, job_id, records, lines[half:])
    return 0


def _told(placed: Placed, refused: int) -> ExportLogsServiceResponse:
    reasons = {
        f"{placed.unplaced} belong to no job: {HELP}": placed.unplaced,
        f"{placed.unread} cannot be read as records": placed.unread,
        f"{refused} hold what the database cannot store": refused,
    }
    answer = ExportLogsServiceResponse()
    if rejected := sum(reasons.values()):
        answer.partial_success.rejected_log_records = rejected
        answer.partial_success.error_message = "; ".join(reason for reason, count in reasons.items() if count)
    return answer
