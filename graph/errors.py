"""One table from the domain's errors to the codes that clients see; nothing internal leaks."""

from __future__ import annotations

import logging
from typing import Any

from graphql import GraphQLError
from strawberry.extensions import MaskErrors

from domain.errors import InvalidInput, JobtailError, NotFound, StorageFault, Unavailable

CODES: dict[type[JobtailError], str] = {
    InvalidInput: "BAD_INPUT",
    NotFound: "NOT_FOUND",
    Unavailable: "UNAVAILABLE",
    StorageFault: "INTERNAL",
}
MESSAGES = {
    "UNAVAILABLE": "the database is away; try again in a moment",
    "INTERNAL": "something went wrong on our side; the service's log tells what",
}
"""Said instead of the error's own message where that is not meant for clients."""

log = logging.getLogger(__name__)


class CodedErrors(MaskErrors):
    """Gives every error of an operation its code."""

    def _process_result(self, result: Any) -> None:
        """Look at the errors of a result: Strawberry checks a protocol first, which costs every event of a stream."""
        if errors := getattr(result, "errors", None):
            result.errors = self._process_errors(errors)

    def anonymise_error(self, error: GraphQLError) -> GraphQLError:
        code = _code(error)
        return GraphQLError(
            MESSAGES.get(code, error.message),
            nodes=error.nodes,
            source=error.source,
            positions=error.positions,
            path=error.path,
            extensions={**(error.extensions or {}), "code": code},
        )


def _code(error: GraphQLError) -> str:
    """Find the code. An error without a cause is GraphQL's own: the request is wrong."""
    cause = error.original_error
    if cause is None or isinstance(cause, GraphQLError):
        return "BAD_INPUT"
    return next((code for kind, code in CODES.items() if isinstance(cause, kind)), "INTERNAL")


def log_internal(errors: list[GraphQLError]) -> None:
    """Tell the operator, and only the operator, what went wrong on our side."""
    for error in errors:
        code = _code(error)
        if code == "INTERNAL":
            log.error("an operation failed: %s", error, exc_info=error.original_error)
        elif code == "UNAVAILABLE":
            log.warning("an operation failed: %s", error.original_error)
