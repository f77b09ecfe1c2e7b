"""GraphQL over HTTP, websocket and SSE at one address, and the page that a browser gets there."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import orjson
from cross_web import AsyncHTTPRequestAdapter, HTTPException, StarletteRequestAdapter
from starlette.background import BackgroundTask
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http import GraphQLHTTPResponse, GraphQLRequestData
from strawberry.subscriptions import GRAPHQL_SSE_PROTOCOL, GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types import ExecutionResult
from strawberry.types.unset import UnsetType

from domain.access import NOTHING, Grant
from domain.errors import JobtailError, TooMany
from graph.access.callers import address_of, caller_of
from graph.access.gate import Gate
from graph.access.rate_limits import live_connections
from graph.access.shares import Holding, Shares
from graph.context import Context, Services
from graph.errors import CODES_OF_STATUSES, Refusal, extensions, refusal
from graph.formats.json_fragment import to_bytes, to_json
from graph.formats.json_values import memory_of, values_in
from graph.formats.media_types import accepted
from graph.http.body import FREE_BYTES, announced_size, whole
from graph.http.event_stream import EventStream, wants_events
from graph.http.plain_requests import PlainHead, plain_request
from graph.live.sessions import StreamSession, can_end
from graph.live.websocket import MOST_VALUES, TransportWSHandler, WebSocketAdapter
from graph.operations.limits import QueryLimits
from graph.operations.watch import OperationObserver
from graph.pages.graphiql import GRAPHIQL
from graph.schema import schema
from graph.server.connection import connection_of
from graph.settings import Settings

JSON_TYPES = ("application/json", "application/graphql-response+json")
"""With the second, the status of an answer tells whether the operation was executed."""
QUERY_BYTES = "JOBTAIL_MAX_QUERY_BYTES"
INIT_WAIT = timedelta(seconds=10)
"""How long a websocket may stay open without connection_init."""
OPERATIONS_OF_A_CALLER_BYTES = 64 * 1024 * 1024
OPERATIONS_BYTES = 256 * 1024 * 1024
"""What the operations of websockets keep of what clients sent, and what requests hold: of one caller, and of all."""
HOLDING = "holding"
"""Where the state of a request says what it holds."""
PROTOCOLS = (GRAPHQL_TRANSPORT_WS_PROTOCOL, GRAPHQL_SSE_PROTOCOL)


class _RequestAdapter(StarletteRequestAdapter):
    async def get_body(self) -> bytes:
        """Read the body. Whoever asks again gets it again."""
        state = self._request.state
        if not hasattr(state, "body"):
            state.body = await _read(self._request, self._request.headers.get("content-length", ""))
        body: bytes = state.body
        return body


class GraphQLView(GraphQL[Context, None]):
    """The endpoint. Its application keeps the services in `state.services`."""

    graphql_transport_ws_handler_class = TransportWSHandler
    request_adapter_class = _RequestAdapter
    stream_transport_classes_by_protocol = {  # noqa: RUF012 - Strawberry's own
        **GraphQL.stream_transport_classes_by_protocol,
        GRAPHQL_SSE_PROTOCOL: EventStream,
    }
    websocket_adapter_class = WebSocketAdapter

    def __init__(self, settings: Settings, *, watch: OperationObserver) -> None:
        super().__init__(
            schema,
            graphql_ide="graphiql" if settings.graphiql else None,
            subscription_protocols=PROTOCOLS,
            allowed_origins=settings.allowed_origins,
            connection_init_wait_timeout=INIT_WAIT,
            max_subscriptions_per_connection=settings.max_subscriptions_per_connection,
        )
        self.operations_held = Shares(
            of_one=OPERATIONS_OF_A_CALLER_BYTES,
            of_all=OPERATIONS_BYTES,
            what="the operations of websockets",
        )
        self._requests_held = Shares(
            of_one=OPERATIONS_OF_A_CALLER_BYTES, of_all=OPERATIONS_BYTES, what="GraphQL requests"
        )
        self._live = live_connections(settings.max_connections_per_address)
        self._watch = watch
        self._limits = QueryLimits.of(settings)
        self._max_bytes = settings.max_query_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._answer(scope, receive, send)
        finally:
            holding: Holding | None = scope.get("state", {}).get(HOLDING)
            if holding is not None:
                holding.end()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _is_live(scope):
            await super().__call__(scope, receive, send)
            return
        try:
            with self._live.place(address_of(scope)):
                await super().__call__(scope, receive, send)
        except TooMany as error:
            refused = _refused(Request({**scope, "type": "http"}), refusal(error))
            await refused(scope, receive, send)

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:  # noqa: ARG002
        services: Services = request.app.state.services
        grant = NOTHING if isinstance(request, WebSocket) else request.state.grant
        return Context(services, grant, request, self._limits, watch=self._watch)

    async def run(self, request: Any, *arguments: Any, **more: Any) -> Any:
        try:
            if isinstance(request, Request):
                answer = await self._plain(request)
                if answer is not None:
                    return answer
            return await super().run(request, *arguments, **more)
        except HTTPException as error:
            code = CODES_OF_STATUSES.get(error.status_code, "BAD_INPUT")
            return _refused(request, Refusal(error.status_code, code, error.reason))
        except (StarletteHTTPException, JobtailError) as error:
            return _refused(request, refusal(error))
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it

    async def _plain(self, request: Request) -> Response | None:
        """Answer a request of the plainest kind, as most are: the rest of Strawberry's way tells the other kinds apart."""
        state, head = request.state, PlainHead.of(request.scope)
        state.max_bytes, state.requests_held = self._max_bytes, self._requests_held
        if head is None:
            state.grant = await self._grant(request)
            return None
        gate: Gate = request.app.state.gate
        state.grant = grant = await gate.admit(head.authorization)
        state.body = body = await _read(request, head.content_length)
        asked = plain_request(body)
        if asked is None:
            return None
        context = Context(request.app.state.services, grant, request, self._limits, watch=self._watch)
        response = Response(media_type=accepted(head.accept, JSON_TYPES))
        result = await self.execute_single(request, self.request_adapter_class(request), response, context, None, asked)
        if result.data is not None and not result.errors and not result.extensions:
            return Response(to_bytes({"data": result.data}), media_type=response.media_type)
        return self.create_response(await self.process_result(request, result), response)

    async def _grant(self, request: Request) -> Grant:
        """Find what the caller may do. The page holds nothing, and asks for the token itself."""
        if self.should_render_graphql_ide(self.request_adapter_class(request)):
            return NOTHING
        gate: Gate = request.app.state.gate
        return await gate.admit(request.headers.get("authorization"))

    async def on_ws_connect(self, context: Context) -> UnsetType | dict[str, object] | None:
        """Let a websocket in by the header of its handshake or by what it sends with connection_init."""
        assert context.connection is not None
        gate: Gate = context.connection.app.state.gate
        sent = {name.lower(): value for name, value in context.connection_params.items()}.get("authorization")
        authorization = sent if isinstance(sent, str) else context.connection.headers.get("authorization")
        try:
            context.admit(await gate.admit(authorization))
        except JobtailError as error:
            raise ConnectionRejectionError from error
        connection_of(context.connection.scope).take_large_messages()
        return await super().on_ws_connect(context)

    async def execute_operation(
        self,
        request: Request,
        request_adapter: AsyncHTTPRequestAdapter,
        request_data: GraphQLRequestData | list[GraphQLRequestData],
        *arguments: Any,
        **more: Any,
    ) -> Any:
        if isinstance(request_data, GraphQLRequestData) and request_data.protocol == EventStream.protocol:
            request_data = self._negotiated(request, request_data)
        results = await super().execute_operation(request, request_adapter, request_data, *arguments, **more)
        request.state.results = results
        return results

    def _negotiated(self, request: Request, asked: GraphQLRequestData) -> GraphQLRequestData:
        """Answer with one JSON where the client names an event stream only among other types."""
        prepared = schema.documents.prepare(asked.query, self._limits) if asked.query else None
        operation = None if prepared is None else prepared.operation(asked.operation_name)
        accept = request.headers.get("accept", "")
        if wants_events(accept, JSON_TYPES, None if operation is None else operation.type):
            return asked
        return replace(asked, protocol="http")

    async def create_streaming_response(
        self,
        request: Request | WebSocket,
        stream: Callable[[], AsyncIterator[str]],
        sub_response: Response,
        headers: Mapping[str, str],
    ) -> Response:
        if can_end(request.state.grant):
            events = cast("AsyncGenerator[str, None]", stream())
            stream = StreamSession(request.state.grant, events, request.app.state.sessions, request.scope).events
        response = await super().create_streaming_response(request, stream, sub_response, headers)
        response.background = BackgroundTask(_end, request.state.results)
        return response

    def decode_json(self, data: str | bytes) -> object:
        """Read JSON. What is nested too deeply is none to us, nor is a number of thousands of digits."""
        _require_values(data)
        try:
            return super().decode_json(data)
        except (ValueError, RecursionError) as error:
            raise json.JSONDecodeError(str(error), "", 0) from None

    def parse_json(self, data: str | bytes) -> Any:
        """Read a body, which is bytes, or a parameter of a URL, which is a text."""
        parsed = super().parse_json(data)
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
        return Response(to_bytes(response_data), 400 if is_refused else 200, media_type=media_type)

    async def render_graphql_ide(self, request: Request) -> Response:  # noqa: ARG002 - Strawberry's signature
        return GRAPHIQL.answer()

    def encode_json(self, data: Any) -> str:
        return to_json(data)


async def _read(request: Request, content_length: str) -> bytes:
    """Read a body, and account for what it takes until the request has been answered."""
    state = request.state

    def hold(count: int) -> None:
        if not hasattr(state, HOLDING):
            setattr(state, HOLDING, Holding(state.requests_held, caller_of(state.grant, request.scope)))
        getattr(state, HOLDING).more(count)

    announced = announced_size(content_length)
    body = await whole(request.receive, state.max_bytes, QUERY_BYTES, announced=announced, hold=hold)
    values = _require_values(body)
    if memory_of(b"", values) > FREE_BYTES:
        hold(memory_of(b"", values))
    return body


def _require_values(body: str | bytes) -> int:
    """Go on only with JSON that does not become far more than it is, and tell how many values it holds."""
    values = values_in(body, MOST_VALUES)
    if values > MOST_VALUES:
        raise HTTPException(413, f"the request holds more than {MOST_VALUES:,} values: send less at a time")
    return values


async def _end(results: AsyncGenerator[Any, None]) -> None:
    """Let go at once of what a stream followed, though nobody may have read it to its end."""
    with suppress(RuntimeError):  # it is ending by itself just now
        await results.aclose()


def _is_live(scope: Scope) -> bool:
    """Tell whether it is a websocket, or asks for server-sent events."""
    return scope["type"] == "websocket" or "text/event-stream" in Headers(scope=scope).get("accept", "")


def _refused(request: Request | WebSocket, said: Refusal) -> Response:
    body = {"errors": [{"message": said.message, "extensions": extensions(said.code)}]}
    return Response(orjson.dumps(body), said.status, said.headers, _json_type(request))


def _json_type(request: Request | WebSocket) -> str:
    return accepted(request.headers.get("accept", ""), JSON_TYPES)


def _is_refused(result: ExecutionResult) -> bool:
    """Tell whether a request failed before its execution began: an error of the execution has a path."""
    return result.data is None and all(error.path is None for error in result.errors or ())
