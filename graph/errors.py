"""One table from the domain's errors to the codes that clients see, by GraphQL and by HTTP; nothing internal leaks."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from graphql import GraphQLError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from strawberry.extensions import MaskErrors

from domain.errors import (
    Forbidden,
    InvalidInput,
    JobtailError,
    NotFound,
    StorageFault,
    TooComplex,
    TooMany,
    Unauthenticated,
    Unavailable,
    UnstorableContent,
)
from graph.request_ids import current_request_id


class Answer(NamedTuple):
    """What a client is told of a kind of error: the code by GraphQL and HTTP, the status by HTTP alone."""

    code: str
    status: int


ANSWERS: dict[type[JobtailError], Answer] = {
    InvalidInput: Answer("BAD_INPUT", 400),
    NotFound: Answer("NOT_FOUND", 404),
    Unauthenticated: Answer("UNAUTHENTICATED", 401),
    Forbidden: Answer("FORBIDDEN", 403),
    TooComplex: Answer("TOO_COMPLEX", 422),
    TooMany: Answer("UNAVAILABLE", 429),
    Unavailable: Answer("UNAVAILABLE", 503),
    UnstorableContent: Answer("BAD_INPUT", 422),
    StorageFault: Answer("INTERNAL", 500),
}
DEFECT = Answer("INTERNAL", 500)
"""Of what has no place in the tree."""
CODES = frozenset(answer.code for answer in ANSWERS.values())
CODES_OF_STATUSES = {
    answer.status: answer.code for answer in map(ANSWERS.__getitem__, (Unauthenticated, Forbidden, NotFound, TooMany))
}
"""For what HTTP itself refuses. Below 500 all others are bad input."""
RETRY_AFTER_S = 1
CHALLENGE = {"WWW-Authenticate": "Bearer"}
MESSAGES = {
    "UNAVAILABLE": "the database is away; try again in a moment",
    "INTERNAL": "something went wrong on our side; the service's log tells what",
}
"""Said instead of the error's own message where that is not meant for clients."""

log = logging.getLogger(__name__)


class BadLine(InvalidInput):
    """A line that is no capture event."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line


class CodedErrors(MaskErrors):
    """Gives every error of an operation its code."""

    def _process_result(self, result: Any) -> None:
        """Look at the errors of a result: Strawberry checks a protocol first, which costs every event of a stream."""
        if errors := getattr(result, "errors", None):
            result.errors = self._process_errors(errors)

    def anonymise_error(self, error: GraphQLError) -> GraphQLError:
        return coded(error)


def coded(error: GraphQLError) -> GraphQLError:
    """Give an error its code, and the message that is meant for clients."""
    code = code_of_operation(error)
    return GraphQLError(
        error.message if _is_clear(error.original_error) else MESSAGES.get(code, error.message),
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions={**(error.extensions or {}), **extensions(code)},
    )


def _is_clear(cause: BaseException | None) -> bool:
    """Tell whether an error says itself what its code would have said for it."""
    return isinstance(cause, TooMany)


def extensions(code: str) -> dict[str, str]:
    """Say what kind of error it is, and by which name the request is found in the service's log."""
    request_id = current_request_id()
    return {"code": code} if request_id is None else {"code": code, "requestId": request_id}


def code_of_operation(error: GraphQLError) -> str:
    """Find the code. An error without a cause is GraphQL's own: the request is wrong."""
    cause = error.original_error
    if cause is None or isinstance(cause, GraphQLError):
        return "BAD_INPUT"
    return code_of(cause)


def code_of(error: BaseException) -> str:
    return _answer_of(error).code


def _answer_of(error: BaseException) -> Answer:
    return next((answer for kind, answer in ANSWERS.items() if isinstance(error, kind)), DEFECT)


def log_internal(errors: list[GraphQLError]) -> None:
    """Tell the operator, and only the operator, what went wrong on our side: each thing once, though many fields met it."""
    met: dict[tuple[type, str], list[GraphQLError]] = {}
    for error in errors:
        met.setdefault((type(error.original_error), error.message), []).append(error)
    for first, *others in met.values():
        code, cause, also = code_of_operation(first), first.original_error, f" and {len(others)} more" if others else ""
        if code == "INTERNAL":
            place = ".".join(map(str, first.path or ())) or "its beginning"
            log.error("an operation failed at %s%s: %s", place, also, first.message, exc_info=cause)
        elif code == "UNAVAILABLE" and not _is_clear(cause):
            log.warning("an operation failed: %s", cause)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a client is told of an error by HTTP."""

    status: int
    code: str
    message: str
    headers: Mapping[str, str] | None = None


def refusal(error: Exception) -> Refusal:
    """Say what a client is told of an error; the operator is told the rest."""
    if isinstance(error, HTTPException):
        code = CODES_OF_STATUSES.get(error.status_code, "BAD_INPUT")
        return Refusal(error.status_code, code, error.detail, error.headers)
    code, status = _answer_of(error)
    if isinstance(error, Unauthenticated):
        return Refusal(status, code, str(error), CHALLENGE)
    if isinstance(error, TooMany):
        return Refusal(status, code, str(error), {"Retry-After": str(error.retry_after_s)})
    message = MESSAGES.get(code, str(error))
    if isinstance(error, StorageFault) and code == "INTERNAL":  # the server logs what has no place in the tree
        log.error("a request failed: %s", error, exc_info=error)
    elif code == "UNAVAILABLE":
        log.warning("a request failed: %s", error)
        return Refusal(status, code, message, {"Retry-After": str(RETRY_AFTER_S)})
    return Refusal(status, code, message)


async def http_answer(_: Request, error: Exception) -> JSONResponse:
    """Answer a request that failed: `{"error": {"code", "message", "request_id"}}` with the fitting status."""
    said = refusal(error)
    place: dict[str, Any] = {"line": error.line} if isinstance(error, BadLine) else {}
    if isinstance(error, Forbidden) and error.job_id is not None:
        place = {"job_id": error.job_id}  # what else a batch holds may be let in
    return error_body(said.status, said.code, said.message, said.headers, **place)


def error_body(
    status: int, code: str, message: str, headers: Mapping[str, str] | None = None, **more: Any
) -> JSONResponse:
    body = {"code": code, "message": message, **more, "request_id": current_request_id()}
    return JSONResponse({"error": body}, status, headers)
