"""GraphQL over HTTP, websocket and SSE at one address, and the page that a browser gets there."""

from __future__ import annotations

import json
from typing import Any

import orjson
from cross_web import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.http import GraphQLHTTPResponse
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.subscriptions import GRAPHQL_SSE_PROTOCOL, GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler
from strawberry.types import ExecutionResult

from graph.context import Context
from graph.errors import CODES_OF_STATUSES
from graph.ide import GRAPHIQL_CSP, graphiql_page
from graph.negotiation import accepted
from graph.schema import schema

JSON_TYPES = ("application/json", "application/graphql-response+json")
"""With the second, the status of an answer tells whether the operation was executed."""
PROTOCOLS = (GRAPHQL_TRANSPORT_WS_PROTOCOL, GRAPHQL_SSE_PROTOCOL)


class _TransportWSHandler(BaseGraphQLTransportWSHandler[Context, None]):
    """Takes a client that hangs up in the middle of a message for what it is: no error."""

    async def handle_task_exception(self, error: Exception) -> None:
        if not isinstance(error, WebSocketDisconnected):
            await super().handle_task_exception(error)


class GraphQLView(GraphQL[Context, None]):
    """The endpoint. Its application keeps the services in `state.services`."""

    graphql_transport_ws_handler_class = _TransportWSHandler

    def __init__(self, *, allowed_origins: list[str]) -> None:
        super().__init__(schema, subscription_protocols=PROTOCOLS, allowed_origins=allowed_origins)

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:  # noqa: ARG002
        return Context(request.app.state.services)

    async def run(self, request: Any, *arguments: Any, **more: Any) -> Any:
        try:
            return await super().run(request, *arguments, **more)
        except HTTPException as error:
            code = CODES_OF_STATUSES.get(error.status_code, "BAD_INPUT")
            body = {"errors": [{"message": error.reason, "extensions": {"code": code}}]}
            return Response(orjson.dumps(body), error.status_code, media_type=_json_type(request))

    def parse_json(self, data: str | bytes) -> Any:
        """Read a body, which is bytes, or a parameter of a URL, which is a text."""
        try:
            parsed = super().parse_json(data)
        except (RecursionError, UnicodeDecodeError):
            raise HTTPException(400, "Unable to parse request body as JSON") from None
        if isinstance(data, bytes) and not isinstance(parsed, dict | list):
            raise HTTPException(400, "the request must be a JSON object with a `query`")
        return parsed

    async def get_sub_response(self, request: Request | WebSocket) -> Response:
        response = await super().get_sub_response(request)
        response.media_type = _json_type(request)
        return response

    async def process_result(self, request: Request, result: ExecutionResult) -> GraphQLHTTPResponse:
        answer = await super().process_result(request, result)
        if _is_refused(result):
            del answer["data"]
        return answer

    def create_response(
        self, response_data: GraphQLHTTPResponse | list[GraphQLHTTPResponse], sub_response: Response
    ) -> Response:
        media_type = sub_response.media_type
        is_refused = media_type != JSON_TYPES[0] and "data" not in response_data
        return Response(self.encode_json(response_data), 400 if is_refused else 200, media_type=media_type)

    async def render_graphql_ide(self, request: Request) -> Response:  # noqa: ARG002 - Strawberry's signature
        return HTMLResponse(graphiql_page(), headers={"Content-Security-Policy": GRAPHIQL_CSP})

    def encode_json(self, data: Any) -> str:
        try:
            return orjson.dumps(data).decode()
        except TypeError:  # a client's lone surrogate that a message of GraphQL's own quotes
            return json.dumps(data)


def _json_type(request: Request | WebSocket) -> str:
    return accepted(request.headers.get("accept", ""), JSON_TYPES)


def _is_refused(result: ExecutionResult) -> bool:
    """Tell whether a request failed before its execution began: an error of the execution has a path."""
    return result.data is None and all(error.path is None for error in result.errors or ())
