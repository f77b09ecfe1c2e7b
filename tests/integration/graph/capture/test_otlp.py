"""POST /v1/logs with the real OpenTelemetry SDK, and by hand."""

from __future__ import annotations

import gzip
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from graph.capture.otlp_severities import level_of
from tests.client import Api, new_job_id
from tests.conftest import CloneDatabase, connect, serving

NAMED = [
    ("TRACE", "TRACE"),
    ("Debug", "DEBUG"),
    ("INFO", "INFO"),
    ("warn", "WARNING"),
    ("ERROR", "ERROR"),
    ("FATAL", "CRITICAL"),
]
TRACE = "5b8efff798038103d269b633813fc60c"
SPAN = "eee19b7ec3c1b174"
JOB = """
query ($id: String!) {
  job(jobId: $id) {
    handlerName status execution { executionId }
    logs { nodes { stage taskId level message metadata timestamp executionId } }
  }
}
"""


@pytest.fixture(scope="module")
def own_database(new_database: CloneDatabase, migrated_template: str) -> str:
    return new_database(migrated_template)


@pytest.fixture(scope="module")
def api(own_database: str) -> Iterator[Api]:
    with serving(own_database) as service, Api(service) as api:
        yield api


@contextmanager
def logger(api: Api, name: str, compression: Compression, **resource: str) -> Iterator[logging.Logger]:
    """Log by the SDK; at the end everything is sent."""
    provider = LoggerProvider(Resource.create(resource), shutdown_on_exit=False)
    exporter = OTLPLogExporter(endpoint=f"{api.service.url}/v1/logs", compression=compression)
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    logger = logging.Logger(name)  # noqa: LOG001 - one of this test's own, below no root
    logger.addHandler(LoggingHandler(logger_provider=provider))
    try:
        yield logger
    finally:
        assert provider.force_flush()
        provider.shutdown()


def nodes(api: Api, job_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.ask(JOB, id=job_id)["job"]["logs"]["nodes"]
    return found


def attributes(**values: Any) -> list[dict[str, Any]]:
    kinds: dict[type, str] = {str: "stringValue", bool: "boolValue", int: "intValue", float: "doubleValue"}
    return [
        {"key": name, "value": value if isinstance(value, dict) else {kinds[type(value)]: value}}
        for name, value in values.items()
    ]


def request(*records: dict[str, Any], scope: dict[str, Any] | None = None, **resource: Any) -> dict[str, Any]:
    scoped = {"scope": scope or {}, "logRecords": list(records)}
    return {"resourceLogs": [{"resource": {"attributes": attributes(**resource)}, "scopeLogs": [scoped]}]}


def record(message: str = "m", job_id: str | None = None, **more: Any) -> dict[str, Any]:
    named = [] if job_id is None else attributes(**{"jobtail.job_id": job_id})
    return {"body": {"stringValue": message}, "attributes": named + more.pop("attributes", []), **more}


def post(api: Api, body: Any, media_type: str = "application/json", **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"Content-Type": media_type, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return api.http.post(f"{api.service.url}/v1/logs", content=content, headers=sent)


def raise_error() -> None:
    raise ValueError("no such candidate")


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
def test_the_sdk_of_opentelemetry_logs_into_a_job(api: Api, compression: Compression) -> None:
    job_id = new_job_id()
    place = {"jobtail.stage": "score", "jobtail.task_id": "CNT_1"}
    resource = {"service.name": "recruiting", "jobtail.job_id": job_id, "jobtail.execution_id": f"EX_{job_id}"}
    with logger(api, "import", compression, **resource) as log:
        log.info("Reading %s", "jd.pdf", extra={"attempt": 2})
        log.warning("Slow", extra=place)
        try:
            raise_error()
        except ValueError:
            log.exception("Failed")
    job = api.ask(JOB, id=job_id)["job"]
    assert (job["handlerName"], job["status"]) == ("recruiting", "RUNNING")
    first, second, third = job["logs"]["nodes"]
    assert [first[name] for name in ("stage", "taskId", "level", "message")] == [
        "import",
        None,
        "INFO",
        "Reading jd.pdf",
    ]
    assert first["metadata"] == {"attempt": 2, "service.name": "recruiting"}
    assert first["executionId"] == f"EX_{job_id}"
    assert [second[name] for name in ("stage", "taskId", "level")] == ["score", "CNT_1", "WARNING"]
    assert second["metadata"]["otel.scope.name"] == "import"
    assert third["level"] == "ERROR"
    assert third["message"].startswith("Failed\nTraceback (most recent call last):\n")
    assert third["message"].endswith("\nValueError: no such candidate")
    assert third["metadata"] == {
        "exception.type": "ValueError",
        "exception.message": "no such candidate",
        "service.name": "recruiting",
    }


def test_without_a_job_the_trace_is_the_job(api: Api) -> None:
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("tests")
    with logger(api, "checkout", Compression.NoCompression) as log, tracer.start_as_current_span("pay") as span:
        log.info("Paid")
        context = span.get_span_context()
    (line,) = nodes(api, f"{context.trace_id:032x}")
    assert (line["stage"], line["message"]) == ("checkout", "Paid")
    assert line["metadata"]["span_id"] == f"{context.span_id:016x}"


def test_json_has_ids_in_hex_and_long_numbers_as_text(api: Api) -> None:
    sent = record(
        "By hand",
        timeUnixNano="1736937000123456789",
        severityNumber="SEVERITY_NUMBER_ERROR2",
        traceId=TRACE.upper(),
        spanId=SPAN,
        attributes=attributes(count={"intValue": "9007199254740993"}, ratio={"doubleValue": "NaN"}),
    )
    response = post(api, request(sent, scope={"name": "shell"}), "application/json; charset=utf-8")
    assert (response.status_code, response.json()) == (200, {})
    assert response.headers["content-type"] == "application/json"
    (line,) = nodes(api, TRACE)
    assert line == {
        "stage": "shell",
        "taskId": None,
        "level": "ERROR",
        "message": "By hand",
        "metadata": {"count": 9007199254740993, "ratio": "NaN", "trace_id": TRACE, "span_id": SPAN},
        "timestamp": "2025-01-15T10:30:00.123456Z",
        "executionId": None,
    }


def test_the_record_names_its_job_before_the_scope_and_that_before_the_resource(api: Api) -> None:
    own, of_scope, of_resource = new_job_id(), new_job_id(), new_job_id()
    scope = {"name": "s", "attributes": attributes(**{"jobtail.job_id": of_scope})}
    resource: dict[str, Any] = {"jobtail.job_id": of_resource}
    post(api, request(record("own", own), record("scope"), scope=scope, **resource)).raise_for_status()
    post(api, request(record("resource"), **resource)).raise_for_status()
    assert [node["message"] for job_id in (own, of_scope, of_resource) for node in nodes(api, job_id)] == [
        "own",
        "scope",
        "resource",
    ]
    assert nodes(api, of_resource)[0]["stage"] == "main"


@pytest.mark.parametrize(
    ("said", "level"),
    [
        *[({"severityNumber": number}, "TRACE") for number in (1, 4)],
        *[({"severityNumber": number}, "DEBUG") for number in (5, 8)],
        *[({"severityNumber": number}, "INFO") for number in (9, 12)],
        *[({"severityNumber": number}, "WARNING") for number in (13, 16)],
        *[({"severityNumber": number}, "ERROR") for number in (17, 20)],
        *[({"severityNumber": number}, "CRITICAL") for number in (21, 24)],
        ({"severityText": "warn"}, "WARNING"),
        ({"severityText": "Fatal"}, "CRITICAL"),
        ({"severityText": "loud"}, "INFO"),
        ({}, "INFO"),
    ],
)
def test_severities_are_levels(api: Api, said: dict[str, Any], level: str) -> None:
    job_id = new_job_id()
    post(api, request(record("m", job_id, **said))).raise_for_status()
    assert nodes(api, job_id)[0]["level"] == level


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"stringValue": "a\u0000\ud800"}, "a\u2400\ufffd"),
        ({"intValue": "5"}, "5"),
        ({"boolValue": True}, "true"),
        ({"arrayValue": {"values": [{"intValue": 1}, {"doubleValue": 0.5}]}}, "[1,0.5]"),
        ({"kvlistValue": {"values": attributes(a=1)}}, '{"a":1}'),
        ({"bytesValue": "AP8="}, "base64:AP8="),
        ({}, ""),
        (None, ""),
    ],
)
def test_a_body_of_any_kind_is_a_message(api: Api, body: Any, message: str) -> None:
    job_id = new_job_id()
    post(api, request({**record("", job_id), "body": body})).raise_for_status()
    assert nodes(api, job_id)[0]["message"] == message


def test_a_record_without_a_time_has_the_observed_one_or_now(api: Api) -> None:
    job_id, start = new_job_id(), datetime.now(UTC)
    observed = record("observed", job_id, observedTimeUnixNano=1736937000000000000)
    post(api, request(observed, record("now", job_id))).raise_for_status()
    first, second = nodes(api, job_id)
    assert first["timestamp"] == "2025-01-15T10:30:00.000000Z"
    assert start <= datetime.fromisoformat(second["timestamp"]) <= datetime.now(UTC)


def test_what_cannot_be_placed_is_rejected_and_the_rest_is_stored(api: Api) -> None:
    job_id = new_job_id()
    response = post(api, request(record("lost"), record("kept", job_id), record("zeros", traceId="0" * 32)))
    assert response.status_code == 200
    partial = response.json()["partialSuccess"]
    assert partial["rejectedLogRecords"] == "2"
    assert "set the attribute jobtail.job_id" in partial["errorMessage"]
    assert [node["message"] for node in nodes(api, job_id)] == ["kept"]


def test_lines_of_opentelemetry_leave_a_job_of_its_own_as_it_is(api: Api) -> None:
    job_id = new_job_id()
    api.start(job_id, "ingest_jd", executionId="EX_1")
    api.finish(job_id)
    resource: dict[str, Any] = {"service.name": "other", "jobtail.execution_id": "EX_2"}
    post(api, request(record("late", job_id), **resource)).raise_for_status()
    job = api.ask(JOB, id=job_id)["job"]
    assert (job["handlerName"], job["status"]) == ("ingest_jd", "COMPLETED")
    assert job["logs"]["nodes"][0]["executionId"] == "EX_1"


async def test_a_line_that_the_database_refuses_is_rejected_alone(api: Api, own_database: str) -> None:
    connection = await connect(own_database)
    await connection.execute("ALTER TABLE task_logs ADD CONSTRAINT poison CHECK (message <> 'otlp poison')")
    await connection.close()
    job_id = new_job_id()
    records = [record("otlp poison" if number == 3 else f"fine {number}", job_id) for number in range(6)]
    partial = post(api, request(*records)).json()["partialSuccess"]
    assert partial["rejectedLogRecords"] == "1"
    assert [node["message"] for node in nodes(api, job_id)] == [f"fine {number}" for number in (0, 1, 2, 4, 5)]


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"resourceLogs": 5}', b'{"resourceLogs": [5]}'])
def test_json_that_is_no_request_is_refused(api: Api, body: bytes) -> None:
    response = post(api, body)
    assert response.status_code == 400
    assert response.json()["code"] == 3
    assert "is no ExportLogsServiceRequest in application/json" in response.json()["message"]


def test_json_that_is_nested_too_deeply_is_refused(api: Api) -> None:
    response = post(api, b"[" * 5000)
    assert (response.status_code, response.json()["code"]) == (400, 3)
    assert "nested too deeply" in response.json()["message"]


@pytest.mark.parametrize("trace_id", ["xyz", "not-hex", "00", TRACE + "00", 5])
def test_a_record_whose_trace_id_is_none_belongs_to_no_trace(api: Api, trace_id: Any) -> None:
    job_id = new_job_id()
    response = post(
        api, request(record("kept", job_id, traceId=trace_id, spanId="abc"), record("lost", traceId=trace_id))
    )
    assert response.status_code == 200
    assert response.json()["partialSuccess"]["rejectedLogRecords"] == "1"
    (line,) = nodes(api, job_id)
    assert (line["message"], line["metadata"]) == ("kept", None)


@pytest.mark.parametrize("length", [1, 8, 15, 17, 32])
def test_a_trace_id_of_another_length_makes_no_job_up(api: Api, length: int) -> None:
    sent = ExportLogsServiceRequest()
    trace_id = new_job_id().encode().ljust(length, b"x")[:length]
    sent.resource_logs.add().scope_logs.add().log_records.add(trace_id=trace_id).body.string_value = "lost"
    response = post(api, sent.SerializeToString(), "application/x-protobuf")
    assert ExportLogsServiceResponse.FromString(response.content).partial_success.rejected_log_records == 1
    assert api.ask("query ($id: String!) { job(jobId: $id) { jobId } }", id=trace_id.hex())["job"] is None


@pytest.mark.parametrize(
    "bad",
    [
        5,
        {"timeUnixNano": "soon"},
        {"severityNumber": {}},
        {"body": "text"},
        {"body": {"stringValue": 5}},
        {"body": {"intValue": "9" * 40}},
        {"body": {"bytesValue": "?"}},
        {"attributes": {"a": 1}},
        {"attributes": [5]},
        {"attributes": attributes(a={"arrayValue": {"values": [{"boolValue": "yes"}]}})},
    ],
)
def test_a_record_that_cannot_be_read_is_rejected_alone(api: Api, bad: Any) -> None:
    job_id = new_job_id()
    records, named = [record("before"), bad, record("after")], dict[str, Any]({"jobtail.job_id": job_id})
    response = post(api, request(*records, **named))
    assert (response.status_code, response.json()["partialSuccess"]["rejectedLogRecords"]) == (200, "1")
    assert "1 cannot be read as records" in response.json()["partialSuccess"]["errorMessage"]
    assert [node["message"] for node in nodes(api, job_id)] == ["before", "after"]


def test_a_record_of_protobuf_that_cannot_be_read_is_rejected_alone(api: Api) -> None:
    job_id, sent = new_job_id(), ExportLogsServiceRequest()
    of_resource = sent.resource_logs.add()
    of_resource.resource.attributes.add(key="jobtail.job_id").value.string_value = job_id
    for message in ("before", "broken", "after"):
        of_resource.scope_logs.add().log_records.add().body.string_value = message
    body = sent.SerializeToString().replace(b"broken", b"\xff\xff\xff\xff\xff\xff")
    response = post(api, body, "application/x-protobuf")
    assert ExportLogsServiceResponse.FromString(response.content).partial_success.rejected_log_records == 1
    assert [node["message"] for node in nodes(api, job_id)] == ["before", "after"]


def test_all_attributes_are_kept_the_nearest_of_a_name(api: Api) -> None:
    job_id = new_job_id()
    scope = {"name": "s", "version": "1.2", "attributes": attributes(shared="scope", of_scope=True)}
    resource: dict[str, Any] = {"shared": "resource", "host.name": "worker-1", "jobtail.job_id": job_id}
    resource |= {"telemetry.sdk.name": "opentelemetry", "service.instance.id": "random"}
    own = attributes(**{"jobtail.attempt": 2, "jobtail.stage": "load", "exception.stacktrace": " "})
    post(api, request(record("m", attributes=own), scope=scope, **resource)).raise_for_status()
    (line,) = nodes(api, job_id)
    assert line["metadata"] == {
        "jobtail.attempt": 2,
        "exception.stacktrace": " ",
        "shared": "scope",
        "of_scope": True,
        "host.name": "worker-1",
        "otel.scope.name": "s",
        "otel.scope.version": "1.2",
    }


def test_a_traceback_without_a_body_is_the_message(api: Api) -> None:
    job_id = new_job_id()
    told = attributes(**{"exception.stacktrace": "Traceback\nValueError: no", "jobtail.job_id": job_id})
    post(api, request({"attributes": told})).raise_for_status()
    assert nodes(api, job_id)[0]["message"] == "Traceback\nValueError: no"


def test_json_may_use_the_names_of_protobuf_and_any_order(api: Api) -> None:
    job_id = new_job_id()
    body = {
        "resource_logs": [
            {
                "scope_logs": [{"log_records": [{"severity_text": "warn", "body": {"string_value": 'a "[{" b'}}]}],
                "resource": {"attributes": [{"key": "jobtail.job_id", "value": {"string_value": job_id}}]},
            }
        ]
    }
    post(api, body).raise_for_status()
    assert [(node["level"], node["message"]) for node in nodes(api, job_id)] == [("WARNING", 'a "[{" b')]


@pytest.mark.parametrize(
    ("text", "level"),
    [
        *[(f"{name}{step}", level) for name, level in NAMED for step in ("", "2", "3", "4")],
        *[
            ("Verbose", "DEBUG"),
            ("FINEST", "TRACE"),
            ("CONFIG", "DEBUG"),
            ("Informational", "INFO"),
            ("notice", "INFO"),
        ],
        *[
            ("SEVERE", "ERROR"),
            ("Alert", "ERROR"),
            ("DPanic", "ERROR"),
            ("Critical", "CRITICAL"),
            ("Emergency", "CRITICAL"),
        ],
    ],
)
def test_every_name_of_the_specification_is_a_level(text: str, level: str) -> None:
    assert level_of(0, text).name == level


def test_an_error_in_protobuf_is_a_status_in_protobuf(api: Api) -> None:
    response = post(api, b"\xff\xff", "application/x-protobuf")
    assert (response.status_code, response.headers["content-type"]) == (400, "application/x-protobuf")
    assert response.content.startswith(b"\x08\x03\x12")
    assert b"is no ExportLogsServiceRequest in application/x-protobuf" in response.content


def test_an_answer_in_protobuf_tells_of_partial_success(api: Api) -> None:
    sent = ExportLogsServiceRequest()
    sent.resource_logs.add().scope_logs.add().log_records.add().body.string_value = "lost"
    response = post(api, gzip.compress(sent.SerializeToString()), "application/x-protobuf", Content_Encoding="gzip")
    assert response.headers["content-type"] == "application/x-protobuf"
    assert ExportLogsServiceResponse.FromString(response.content).partial_success.rejected_log_records == 1
    whole = post(api, b"", "application/x-protobuf")
    assert (whole.status_code, whole.content) == (200, b"")


@pytest.mark.parametrize(
    ("media_type", "encoding", "status"),
    [("text/plain", "identity", 415), ("", "identity", 415), ("application/json", "deflate", 415)],
)
def test_what_is_not_understood_is_refused(api: Api, media_type: str, encoding: str, status: int) -> None:
    response = post(api, b"{}", media_type, Content_Encoding=encoding)
    assert response.status_code == status
    assert "is not understood: send " in response.json()["message"]


def test_a_body_that_is_too_large_is_refused(new_database: CloneDatabase, migrated_template: str) -> None:
    limits = {"JOBTAIL_MAX_REQUEST_BYTES": "2048", "JOBTAIL_MAX_EXPANDED_BYTES": "4096"}
    with serving(new_database(migrated_template), **limits) as service, Api(service) as api:
        response = post(api, b" " * 2049)
        assert (response.status_code, response.json()["code"]) == (413, 8)
        response = post(api, gzip.compress(b" " * 4097), "application/x-protobuf", Content_Encoding="gzip")
        assert response.status_code == 413
        assert b"JOBTAIL_MAX_EXPANDED_BYTES" in response.content


def test_only_post_is_understood(api: Api) -> None:
    response = api.http.get(f"{api.service.url}/v1/logs")
    assert response.status_code == 405
    error = response.json()["error"]
    assert (error["code"], error["message"]) == ("BAD_INPUT", "Method Not Allowed")
