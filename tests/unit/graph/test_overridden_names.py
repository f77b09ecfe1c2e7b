"""Overridden names: what this project changes in Strawberry, graphql-core and uvicorn is still called so there.

Most of it is internal to them. After an upgrade that renames it, an override would silently do nothing.
"""

from __future__ import annotations

import pytest

from graph.errors import CodedErrors
from graph.http.event_stream import EventStream
from graph.http.graphql_endpoint import GraphQLView
from graph.live.shared_frames import EventExecutor, EventRunner
from graph.live.websocket import TransportWSHandler, WebSocketAdapter
from graph.schema import PreparedDocuments, Schema
from graph.server.bounded_heads import BoundedHeads
from graph.server.bounded_websockets import BoundedWebSockets
from graph.server.serving import _Server

OVERRIDDEN: dict[type, str] = {
    Schema: "execute _stream_non_subscription create_extensions_runner process_errors",
    PreparedDocuments: "on_parse",
    CodedErrors: "_process_result anonymise_error",
    EventExecutor: "build_per_event_executor",
    EventRunner: "on_stream_result get_extensions_results",
    GraphQLView: "get_context run on_ws_connect execute_operation create_streaming_response decode_json parse_json "
    "get_sub_response process_result create_response render_graphql_ide encode_json",
    WebSocketAdapter: "iter_json",
    TransportWSHandler: "handle_connection_init handle_message handle_subscribe shutdown handle_task_exception",
    EventStream: "encode_event encode_comment",
    BoundedHeads: "connection_made connection_lost pause_writing resume_writing data_received on_message_begin "
    "handle_websocket_upgrade on_headers_complete",
    BoundedWebSockets: "connection_made connection_lost data_received handle_connect handle_ping keepalive_timeout "
    "pause_writing resume_writing send",
    _Server: "startup shutdown capture_signals",
}


@pytest.mark.parametrize(("own", "names"), OVERRIDDEN.items(), ids=lambda each: getattr(each, "__name__", ""))
def test_what_is_overridden_is_there_to_be_overridden(own: type, names: str) -> None:
    for name in names.split():
        assert name in vars(own), f"{own.__name__} no longer has {name}: take it from this list"
        assert any(name in vars(base) for base in own.__mro__[1:]), f"nothing calls {own.__name__}.{name} any more"
