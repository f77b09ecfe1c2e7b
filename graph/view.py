"""GraphQL over HTTP, websocket and SSE at one address, and the page that a browser gets there."""

from __future__ import annotations

import json
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.subscriptions import GRAPHQL_SSE_PROTOCOL, GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler

from graph.context import Context
from graph.ide import GRAPHIQL_CSP, graphiql_page
from graph.schema import schema

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

    async def render_graphql_ide(self, request: Request) -> Response:  # noqa: ARG002 - Strawberry's signature
        return HTMLResponse(graphiql_page(), headers={"Content-Security-Policy": GRAPHIQL_CSP})

    def encode_json(self, data: Any) -> str:
        try:
            return orjson.dumps(data).decode()
        except TypeError:  # a client's lone surrogate that a message of GraphQL's own quotes
            return json.dumps(data)
