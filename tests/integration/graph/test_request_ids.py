"""Every answer and every error names its request, the service's own log has that name, and clients see nothing internal."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from sqlalchemy import text
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from graph.app import create_app
from graph.errors import MESSAGES
from graph.settings import Settings
from persistence.database import Database
from tests.client import PATIENCE_S, TRANSPORT_WS, Api
from tests.conftest import CloneDatabase, Service, serving
from tests.processes import until

MADE = re.compile(r"[0-9a-f]{16}")
INSIDES = re.compile(
    r"task_logs|relation|SELECT|Traceback|\.py\b|/graph/|asyncpg|sqlalchemy|UndefinedTable", re.IGNORECASE
)
"""What tells of our insides."""
WRITER = {"Jobtail-Writer": "7f3d5c1e-8a43-4e5b-9d6e-0a1b2c3d4e5f"}
FOLLOW = 'subscription { jobLogs(jobId: "JB_1", afterSeq: 0) { logs { seq } } }'
LINES = '{ job(jobId: "JB_1") { logs { nodes { seq } } } }'


@dataclass(frozen=True, slots=True)
class Broken:
    """A service whose lines are gone: a table that was renamed stands for any defect."""

    service: Service
    log: Path

    def said(self, request_id: str) -> list[dict[str, Any]]:
        """Read what the service's log has of a request."""
        events = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [event for event in events if event.get("request_id") == request_id]


@pytest.fixture(scope="module")
def broken(
    new_database: CloneDatabase, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Broken]:
    url, log = new_database(migrated_template), tmp_path_factory.mktemp("log") / "service.log"
    with serving(url, log, JOBTAIL_LOG_FORMAT="json") as service:
        with Api(service) as api:
            api.capture("JB_1", "one")
        asyncio.run(rename_lines(url))
        yield Broken(service, log)


async def rename_lines(url: str) -> None:
    async with Database(url) as database, database.engine.begin() as connection:
        await connection.execute(text("ALTER TABLE task_logs RENAME TO gone"))


def otlp_request() -> bytes:
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add()
    record.attributes.add(key="jobtail.job_id").value.string_value = "JB_1"
    record.body.string_value = "two"
    return request.SerializeToString()


LINE_EVENT = b'{"type": "line", "job_id": "JB_1", "n": 1, "message": "two"}'
REQUESTS: dict[str, tuple[str, str, dict[str, str], bytes | None]] = {
    "graphql": ("POST", "/graphql", {"Content-Type": "application/json"}, json.dumps({"query": LINES}).encode()),
    "rest": ("GET", "/jobs/JB_1/logs", {}, None),
    "a download": ("GET", "/jobs/JB_1/logs", {"Accept": "text/plain"}, None),
    "capture": ("POST", "/api/capture", WRITER, LINE_EVENT),
    "otlp": ("POST", "/v1/logs", {"Content-Type": "application/x-protobuf"}, otlp_request()),
    "sse": (
        "POST",
        "/graphql",
        {"Content-Type": "application/json", "Accept": "text/event-stream"},
        json.dumps({"query": FOLLOW}).encode(),
    ),
}


def send(broken: Broken, edge: str, request_id: str) -> httpx.Response:
    method, path, headers, body = REQUESTS[edge]
    url = broken.service.url + path
    return httpx.request(method, url, headers={**headers, "X-Request-Id": request_id}, content=body, timeout=PATIENCE_S)


@pytest.mark.parametrize("edge", REQUESTS)
async def test_a_defect_leads_to_the_log_by_its_id_and_leaks_nothing(broken: Broken, edge: str) -> None:
    request_id = f"defect-{edge.replace(' ', '-')}"
    response = await asyncio.to_thread(send, broken, edge, request_id)
    assert response.headers["x-request-id"] == request_id
    assert not INSIDES.search(response.text), response.text
    if edge in {"graphql", "sse"}:
        assert f'"extensions":{{"code":"INTERNAL","requestId":"{request_id}"}}' in response.text.replace(" ", "")
    elif edge == "otlp":
        assert response.status_code == 500
    else:
        assert (response.status_code, response.json()["error"]["request_id"]) == (500, request_id)
    await until(lambda: broken.said(request_id), patience_s=PATIENCE_S)
    assert any("task_logs" in json.dumps(event) for event in broken.said(request_id))


async def test_all_of_a_websocket_has_the_id_of_its_handshake(broken: Broken) -> None:
    protocol, headers = Subprotocol(TRANSPORT_WS), {"X-Request-Id": "by-websocket"}
    url = broken.service.websocket_url
    async with connect(url, subprotocols=[protocol], additional_headers=headers) as websocket:
        assert websocket.response is not None
        assert websocket.response.headers["X-Request-Id"] == "by-websocket"
        await websocket.send('{"type": "connection_init"}')
        await websocket.recv()
        await websocket.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": FOLLOW}}))
        answer = json.loads(await websocket.recv())
    (error,) = answer["payload"]["errors"]
    assert error["extensions"] == {"code": "INTERNAL", "requestId": "by-websocket"}
    assert not INSIDES.search(json.dumps(answer))
    assert any("task_logs" in json.dumps(event) for event in broken.said("by-websocket"))


async def test_what_nobody_foresaw_is_a_named_500() -> None:
    """An application that was never opened lacks all that its requests need."""
    transport = httpx.ASGITransport(create_app(Settings()), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as http:
        for path in ("/jobs/JB_1/logs", "/graphql?query={__typename}"):
            response = await http.get(path, headers={"X-Request-Id": "x"})
            assert (response.status_code, response.headers["x-request-id"]) == (500, "x")
            assert response.json()["error"] == {"code": "INTERNAL", "message": MESSAGES["INTERNAL"], "request_id": "x"}


@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/nowhere", "/graphql", "/static/nothing", "/", "/api/capture"]
)
async def test_every_answer_has_an_id_of_its_own(broken: Broken, path: str) -> None:
    async with httpx.AsyncClient() as http:
        ids = [(await http.get(broken.service.url + path)).headers["x-request-id"] for _ in range(2)]
    assert all(MADE.fullmatch(request_id) for request_id in ids)
    assert len(set(ids)) == 2


@pytest.mark.parametrize(
    "sent",
    ["", "a b", "a\tb", 'a"b', "{}", "é", "a" * 129, "x;y", "<script>", "a\\nb"],
)
def test_an_id_that_could_write_into_the_log_is_replaced(broken: Broken, sent: str) -> None:
    response = httpx.get(f"{broken.service.url}/healthz", headers=[(b"X-Request-Id", sent.encode())])
    assert MADE.fullmatch(response.headers["x-request-id"])


@pytest.mark.parametrize("sent", ["a", "7f3d5c1e-8a43-4e5b-9d6e-0a1b2c3d4e5f", "Root=1-67891233:abc/def+=", "a" * 128])
def test_an_id_of_the_callers_is_kept(broken: Broken, sent: str) -> None:
    response = httpx.get(f"{broken.service.url}/healthz", headers={"X-Request-Id": sent})
    assert response.headers["x-request-id"] == sent
