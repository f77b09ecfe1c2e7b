"""Traces reach an OTLP receiver as one tree a request, and hold names but no values."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from uuid import uuid4

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.client import PATIENCE_S, Api, by_sse, by_websocket, new_job_id
from tests.conftest import ROOT, CloneDatabase, Service, connect, serving
from tests.processes import until

SECRET = "hunter2"
CALLER = "b7ad6b7169203331"


@dataclass
class Receiver:
    """A collector: what it was sent, whole and span by span."""

    bodies: list[bytes] = field(default_factory=list)
    resource: dict[str, str] = field(default_factory=dict)
    port: int = 0

    @property
    def spans(self) -> list[Span]:
        requests = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        scopes = [scope for request in requests for each in request.resource_spans for scope in each.scope_spans]
        return [span for scope in scopes for span in scope.spans]

    def trace(self, trace_id: str, root: str) -> dict[str, Span]:
        """Wait for the root of a trace, which comes last, and give its spans by name."""

        def found() -> dict[str, Span]:
            return {span.name: span for span in self.spans if span.trace_id.hex() == trace_id}

        asyncio.run(until(lambda: root in found(), patience_s=PATIENCE_S))
        return found()


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    received = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            received.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        received.port = server.server_port
        Thread(target=server.serve_forever, daemon=True).start()
        yield received
        server.shutdown()


@pytest.fixture(scope="module")
def service(new_database: CloneDatabase, migrated_template: str, receiver: Receiver) -> Iterator[Service]:
    settings = {
        "JOBTAIL_TRACING": "on",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{receiver.port}",
        "OTEL_BSP_SCHEDULE_DELAY": "20",
        "OTEL_SERVICE_NAME": "logs of ours",
    }
    with serving(new_database(migrated_template), **settings) as running:
        yield running


def called() -> tuple[str, dict[str, str]]:
    """Make a trace of a caller's, and the header that goes on with it."""
    trace_id = uuid4().hex
    return trace_id, {"traceparent": f"00-{trace_id}-{CALLER}-01"}


def attributes(span: Span) -> dict[str, object]:
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


def test_a_query_is_a_tree_below_its_caller_and_tells_no_value(service: Service, receiver: Receiver) -> None:
    job_id, (trace_id, headers) = new_job_id(), called()
    with Api(service) as api:
        api.start(job_id)
        api.capture(job_id, f"the password is {SECRET}")
    query = """query Mine($job: String!, $text: String) {
      job(jobId: $job) { status logs(filter: {search: $text, levels: [INFO, DEBUG]}) { nodes { message } } }
      # %s
    }"""
    body = {"query": query % SECRET, "variables": {"job": job_id, "text": SECRET}}
    assert SECRET in httpx.post(service.graphql_url, json=body, headers=headers).text
    spans = receiver.trace(trace_id, "POST /graphql")
    request, operation = spans["POST /graphql"], spans["query job"]
    assert (request.parent_span_id.hex(), request.kind) == (CALLER, Span.SPAN_KIND_SERVER)
    assert attributes(request) == {
        "http.request.method": "POST",
        "url.path": "/graphql",
        "http.route": "/graphql",
        "http.response.status_code": 200,
    }
    assert operation.parent_span_id == request.span_id
    assert attributes(operation) == {"graphql.operation.type": "query", "graphql.operation.name": "Mine"}
    statements = [span for span in spans.values() if span.kind == Span.SPAN_KIND_CLIENT]
    assert {span.name for span in statements} == {"SELECT jobs", "SELECT task_logs jobs"}
    assert {span.parent_span_id for span in statements} == {operation.span_id}
    assert not any(SECRET.encode() in body for body in receiver.bodies)


def test_a_capture_is_a_tree_below_its_caller(service: Service, receiver: Receiver) -> None:
    job_id, (trace_id, headers) = new_job_id(), called()
    headers |= {"Jobtail-Writer": str(uuid4())}
    body = f'{{"type": "line", "n": 1, "job_id": "{job_id}", "message": "{SECRET}"}}'
    assert httpx.post(f"{service.url}/api/capture", content=body, headers=headers).json() == {"stored": 1, "skipped": 0}
    spans = receiver.trace(trace_id, "POST /api/capture")
    parents = {name: span.parent_span_id for name, span in spans.items()}
    assert parents == {
        "POST /api/capture": bytes.fromhex(CALLER),
        "record": spans["POST /api/capture"].span_id,
        "append": spans["record"].span_id,
        "publish": spans["record"].span_id,
    }
    assert attributes(spans["record"]) == {"jobtail.events": 1, "jobtail.stored": 1, "jobtail.skipped": 0}
    assert attributes(spans["publish"]) == {"jobtail.job_id": job_id, "jobtail.first_seq": 1, "jobtail.last_seq": 1}
    assert not any(SECRET.encode() in body for body in receiver.bodies)


def test_an_error_is_recorded_and_only_ours_is_a_failure(service: Service, receiver: Receiver) -> None:
    trace_id, headers = called()
    httpx.post(service.graphql_url, json={"query": "{ jobs(first: -1) { totalCount } }"}, headers=headers)
    operation = receiver.trace(trace_id, "POST /graphql")["query jobs"]
    assert attributes(operation)["error.type"] == "BAD_INPUT"
    assert operation.status.code == Status.STATUS_CODE_UNSET


def test_a_failure_of_the_database_is_one_of_the_spans_and_the_log_names_their_trace(
    new_database: CloneDatabase, migrated_template: str, receiver: Receiver, tmp_path: Path
) -> None:
    url = new_database(migrated_template)
    settings = {
        "JOBTAIL_TRACING": "on",
        "JOBTAIL_LOG_FORMAT": "json",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{receiver.port}",
        "OTEL_BSP_SCHEDULE_DELAY": "20",
    }
    with serving(url, tmp_path / "log", **settings) as service:
        asyncio.run(broken(url))
        trace_id, headers = called()
        answer = httpx.post(service.graphql_url, json={"query": "{ jobs { totalCount } }"}, headers=headers)
        assert answer.json()["errors"][0]["extensions"]["code"] == "INTERNAL"
        spans = receiver.trace(trace_id, "POST /graphql")
    for name, kind in (("query jobs", "INTERNAL"), ("SELECT jobs", "StorageFault")):
        assert (attributes(spans[name])["error.type"], spans[name].status.code) == (kind, Status.STATUS_CODE_ERROR)
    events = map(json.loads, (tmp_path / "log").read_text().splitlines())
    assert [event["trace_id"] for event in events if event["level"] == "error"] == [trace_id]


async def broken(url: str) -> None:
    """Take away a table that the service reads."""
    connection = await connect(url)
    try:
        await connection.execute("ALTER TABLE jobs RENAME TO gone")
    finally:
        await connection.close()


async def test_what_is_read_by_a_websocket_is_traced_and_what_a_stream_reads_on_is_not(
    service: Service, receiver: Receiver
) -> None:
    job_id = new_job_id()
    with Api(service) as api:
        await asyncio.to_thread(api.start, job_id)
    async with by_websocket(service, "query OfSocket { jobs { totalCount } }") as answers:
        await answers.next()
    subscription = "subscription OfStream($job: String!) { jobUpdated(jobId: $job) { stages { name } } }"
    async with by_sse(service, subscription, job=job_id) as events:
        await events.next()
    ours = {"graphql.operation.name": "OfSocket", "graphql.operation.type": "query"}
    await until(lambda: [span for span in receiver.spans if attributes(span) == ours], patience_s=PATIENCE_S)
    (operation,) = [span for span in receiver.spans if attributes(span) == ours]
    assert operation.parent_span_id == b""
    below = [span.name for span in receiver.spans if span.parent_span_id == operation.span_id]
    assert below == ["SELECT jobs"]
    roots = {span.name for span in receiver.spans if span.parent_span_id == b""}
    assert not {name for name in roots if name.startswith(("SELECT", "append"))}


def test_health_and_metrics_are_not_traced_and_an_unsampled_trace_stays_so(
    service: Service, receiver: Receiver
) -> None:
    trace_id, headers = called()
    for path in ("/healthz", "/readyz", "/metrics"):
        httpx.get(f"{service.url}{path}", headers=headers, timeout=PATIENCE_S)
    unsampled = {"traceparent": f"00-{trace_id}-{CALLER}-00"}
    httpx.post(service.graphql_url, json={"query": "{ jobs { totalCount } }"}, headers=unsampled)
    receiver.trace(*_asked(service))
    assert trace_id not in {span.trace_id.hex() for span in receiver.spans}


def _asked(service: Service) -> tuple[str, str]:
    """Ask something, whose trace comes after all that was before."""
    trace_id, headers = called()
    httpx.get(f"{service.url}/jobs/none/logs", headers=headers)
    return trace_id, "GET /jobs/{job_id}/logs"


def test_the_service_is_named_as_the_standard_variables_say(service: Service, receiver: Receiver) -> None:
    receiver.trace(*_asked(service))
    named = ExportTraceServiceRequest.FromString(receiver.bodies[-1]).resource_spans[0].resource.attributes
    assert {each.key: each.value.string_value for each in named}["service.name"] == "logs of ours"


def test_a_collector_that_is_away_keeps_nobody_and_is_told_of(
    new_database: CloneDatabase, migrated_template: str, tmp_path: Path
) -> None:
    settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_BSP_SCHEDULE_DELAY": "20"}
    settings |= {"JOBTAIL_TRACING": "on", "JOBTAIL_LOG_FORMAT": "json"}
    log = tmp_path / "log"
    with serving(new_database(migrated_template), log, **settings) as service, Api(service) as api:
        api.ask("{ jobs { totalCount } }")
        asyncio.run(until(lambda: "opentelemetry" in log.read_text(), patience_s=PATIENCE_S))
    assert service.process.returncode == 0
    said = [json.loads(line) for line in log.read_text().splitlines()]
    assert {each["level"] for each in said if each["logger"].startswith("opentelemetry")} <= {"warning", "error"}


START = "import sys; sys.modules['opentelemetry.sdk'] = None; from graph.cli import main; main()"


def test_without_the_extra_the_start_ends_with_one_clear_line() -> None:
    done = subprocess.run(
        [sys.executable, "-c", START, "serve"],
        cwd=ROOT,
        env={**os.environ, "JOBTAIL_TRACING": "on", "JOBTAIL_PORT": "0"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (
        1,
        "jobtail-server: JOBTAIL_TRACING needs an extra: install jobtail-server[tracing]\n",
    )


def test_without_tracing_nothing_of_opentelemetry_is_loaded_but_its_messages() -> None:
    code = (
        "import sys; from graph.app import create_app; from graph.settings import Settings; create_app(Settings());"
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.trace'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
