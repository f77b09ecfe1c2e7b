"""Access control: who is let in, for what, to which jobs, and for how long."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from graphql import GraphQLObjectType, build_schema, get_named_type
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from domain.access import Scope
from graph.access.gate import make_token
from persistence.database import Database
from persistence.stores.token_store import PostgresTokenStore
from tests.client import PATIENCE_S, REQUEST_ID, new_job_id
from tests.conftest import ROOT, CloneDatabase, Service, serving

COMMAND = [sys.executable, "-c", "from graph.cli import main; main()"]
RESPONSE_JSON = "application/graphql-response+json"


@pytest.fixture(scope="module")
def url(new_database: CloneDatabase, migrated_template: str) -> str:
    return new_database(migrated_template)


@pytest.fixture(scope="module")
def guarded(url: str) -> Iterator[Service]:
    with serving(url, JOBTAIL_ACCESS="tokens") as service:
        yield service


Make = Callable[..., str]


@pytest.fixture(scope="module")
def token(url: str) -> Make:
    """Make tokens, each stored in the service's database."""

    def make(*scopes: str, prefix: str | None = None, valid: timedelta | None = None) -> str:
        text, made = make_token(map(Scope, scopes), job_prefix=prefix, valid=valid)

        async def add() -> None:
            async with Database(url) as database:
                await PostgresTokenStore(database).add(made)

        asyncio.run(add())
        return text

    return make


def token_command(
    url: str, *arguments: str, check: bool = True, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, "token", *arguments],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url, **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=check,
    )


def revoke(url: str, token: str) -> None:
    token_command(url, "revoke", token.split("_")[1])


def bearer(token: str | None) -> dict[str, str]:
    """Show a token. All requests have one id, so that their answers can be compared whole."""
    named = {"X-Request-Id": REQUEST_ID}
    return named if token is None else {**named, "Authorization": f"Bearer {token}"}


def ask(service: Service, query: str, token: str | None, **variables: Any) -> httpx.Response:
    body = {"query": query, "variables": variables}
    return httpx.post(service.graphql_url, json=body, headers=bearer(token), timeout=PATIENCE_S)


def codes(response: httpx.Response) -> list[str]:
    return [error["extensions"]["code"] for error in response.json().get("errors", [])]


LINES = """mutation ($jobId: String!) { captureLogs(jobId: $jobId, lines: [
  {stage: "score", taskId: "c-1", message: "Scored"}, {stage: "score", message: "Failed", level: ERROR}]) { lastSeq } }"""
FINISH = 'mutation ($jobId: String!) { finishJob(input: {jobId: $jobId, status: FAILED, error: "e"}) { %s } }'
EVENT = {"type": "line", "n": 1, "message": "m"}


def capture(service: Service, job_id: str, token: str | None) -> httpx.Response:
    headers = {"Jobtail-Writer": str(uuid4()), **bearer(token)}
    body = json.dumps({**EVENT, "job_id": job_id})
    return httpx.post(f"{service.url}/api/capture", content=body, headers=headers, timeout=PATIENCE_S)


def export(service: Service, job_id: str, token: str | None) -> httpx.Response:
    attribute = {"key": "jobtail.job_id", "value": {"stringValue": job_id}}
    record = {"body": {"stringValue": "m"}, "attributes": [attribute]}
    body = {"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}
    return httpx.post(f"{service.url}/v1/logs", json=body, headers=bearer(token), timeout=PATIENCE_S)


def read(service: Service, path: str, token: str | None) -> httpx.Response:
    return httpx.get(f"{service.url}{path}", headers=bearer(token), timeout=PATIENCE_S)


WRONG = [None, "x", "jt_", "jt_abc_def", "jt_000000000000_" + "A" * 43, "a.b.c", "t" * 9000]


@pytest.mark.parametrize("wrong", WRONG, ids=range(len(WRONG)))
def test_nobody_comes_in_without_a_valid_token(guarded: Service, wrong: str | None) -> None:
    for response in (
        ask(guarded, "{ jobs { totalCount } }", wrong),
        ask(guarded, "{", wrong),
        read(guarded, "/graphql?query={__typename}", wrong),
        read(guarded, "/jobs/a/logs", wrong),
        read(guarded, "/executions/a/logs", wrong),
        read(guarded, "/api/pulse/jobs/a/stages", wrong),
        read(guarded, "/api/pulse/jobs/a/tasks/b/logs", wrong),
        read(guarded, "/api/pulse/tasks/b/logs", wrong),
        capture(guarded, "a", wrong),
    ):
        assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer"), response.url
        assert "UNAUTHENTICATED" in response.text
    assert export(guarded, "a", wrong).status_code == 401


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json"])
def test_what_holds_no_data_needs_no_token(guarded: Service, path: str) -> None:
    assert read(guarded, path, None).status_code == 200


def test_the_page_is_open_and_holds_nothing(guarded: Service) -> None:
    response = httpx.get(guarded.graphql_url, headers={"Accept": "text/html"})
    assert (response.status_code, response.headers["content-type"]) == (200, "text/html; charset=utf-8")


def test_a_token_allows_what_its_scopes_say(guarded: Service, token: Make) -> None:
    reader, writer, both, admin = token("read"), token("capture"), token("read", "capture"), token("admin")
    job_id = new_job_id()
    for one, may_read, may_capture in (
        (writer, False, True),
        (reader, True, False),
        (both, True, True),
        (admin, True, True),
    ):
        assert codes(ask(guarded, LINES, one, jobId=job_id)) == ([] if may_capture else ["FORBIDDEN"])
        assert capture(guarded, job_id, one).status_code == (200 if may_capture else 403)
        assert export(guarded, job_id, one).status_code == (200 if may_capture else 403)
        assert codes(ask(guarded, "{ jobs { totalCount } }", one)) == ([] if may_read else ["FORBIDDEN"])
        assert codes(ask(guarded, "{ __schema { types { name } } }", one)) == ([] if may_read else ["FORBIDDEN"])
        assert read(guarded, f"/jobs/{job_id}/logs", one).status_code == (200 if may_read else 403)


@pytest.mark.parametrize(
    "selection",
    [
        "logs { totalCount }",
        "stages { name }",
        'stage(name: "score") { name }',
        "children { totalCount }",
        "parent { jobId }",
        "execution { status }",
        "failure { stage }",
        "compare { reason }",
        'compare(with: "p") { newCount }',
    ],
)
def test_a_token_for_capture_reads_nothing_by_a_mutation(guarded: Service, token: Make, selection: str) -> None:
    writer, job_id = token("capture"), new_job_id()
    start = """mutation ($jobId: String!) { startJob(input: {
      jobId: $jobId, handlerName: "h", executionId: "e", parentJobId: "p"}) { jobId status } }"""
    assert ask(guarded, start, writer, jobId=job_id).json()["data"]["startJob"] == {
        "jobId": job_id,
        "status": "RUNNING",
    }
    assert codes(ask(guarded, LINES, writer, jobId=job_id)) == []
    assert "FORBIDDEN" in codes(ask(guarded, FINISH % selection, writer, jobId=job_id))


# ---- one job hidden, everywhere


def everything_of(job_id: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """List a question for every field of Query, and what it asks."""
    variables = {"j": job_id, "e": f"EX_{job_id}", "n": [_id("Job", job_id), _id("Stage", job_id, "score")]}
    return {
        "job": ("query ($j: String!) { job(jobId: $j) { id logs { nodes { message } } } }", variables),
        "node": ("query ($n: ID!) { node(id: $n) { id } }", {"n": _id("Job", job_id)}),
        "node of a stage": ("query ($n: ID!) { node(id: $n) { id } }", {"n": _id("Stage", job_id, "score")}),
        "node of a task": ("query ($n: ID!) { node(id: $n) { id } }", {"n": _id("Task", job_id, "score", "c-1")}),
        "node of a line": ("query ($n: ID!) { node(id: $n) { id } }", {"n": _id("TaskLog", job_id, 1)}),
        "node of an execution": ("query ($n: ID!) { node(id: $n) { id } }", {"n": _id("Execution", f"EX_{job_id}")}),
        "jobs": (
            """query ($e: String!) { jobs(filter: {executionId: $e}) { totalCount nodes { id } pageInfo { hasNextPage } }
              all: jobs { totalCount nodes { jobId } } }""",
            variables,
        ),
        "jobs by text": ("query ($j: String!) { jobs(filter: {search: $j}) { totalCount nodes { id } } }", variables),
        "jobs by parent": (
            "query ($j: String!) { jobs(filter: {parentJobId: $j}) { totalCount nodes { id } } }",
            variables,
        ),
        "execution": ("query ($e: String!) { execution(executionId: $e) { id logs { totalCount } } }", variables),
        "executions": ("{ executions { totalCount nodes { executionId jobs { totalCount } } } }", {}),
        "logs": ("{ logs { totalCount nodes { message jobId } } }", {}),
    }


def _id(kind: str, *key: str | int) -> str:
    from domain.cursors import encode

    return encode(kind, *key)


PATHS = (
    "/jobs/{}/logs",
    "/jobs/{}/logs?format=text",
    "/executions/EX_{}/logs",
    "/api/pulse/jobs/{}/stages",
    "/api/pulse/jobs/{}/tasks/c-1/logs",
    "/api/pulse/tasks/c-{}/logs",
)


@pytest.fixture(scope="module")
def hidden(guarded: Service, token: Make) -> str:
    """A job that a token for jobs like `MINE_` does not show, with lines, an execution and a child."""
    admin, job_id = token("admin"), "OTHER_1"
    start = """mutation ($jobId: String!, $parent: String, $execution: String) { startJob(input: {
      jobId: $jobId, handlerName: "h", executionId: $execution, parentJobId: $parent}) { id } }"""
    for each, parent in ((job_id, None), ("OTHER_2", job_id)):
        assert codes(ask(guarded, start, admin, jobId=each, parent=parent, execution=f"EX_{job_id}")) == []
        assert codes(ask(guarded, LINES, admin, jobId=each)) == []
    return job_id


def told(service: Service, name: str, job_id: str, token: str) -> str:
    """Ask about a job, and read the answer with the job's name taken out."""
    query, variables = everything_of(job_id)[name]
    said = ask(service, query, token, **variables).text
    return said.replace(job_id, "JOB")


@pytest.mark.parametrize("name", everything_of(""))
def test_a_job_of_others_is_as_if_it_were_not_there(guarded: Service, token: Make, hidden: str, name: str) -> None:
    schema = build_schema((ROOT / "schema.graphql").read_text())
    if name == "logs" and "logs" not in schema.query_type.fields:  # type: ignore[union-attr]
        pytest.skip("there is no such field yet")
    mine = token("read", prefix="MINE_")
    assert told(guarded, name, hidden, mine) == told(guarded, name, "UNKNOWN", mine)
    assert "OTHER" not in told(guarded, name, "UNKNOWN", mine)
    assert told(guarded, name, hidden, token("read")) != told(guarded, name, "UNKNOWN", mine), (
        "the question asks nothing"
    )


def test_every_field_of_the_query_was_asked() -> None:
    schema = build_schema((ROOT / "schema.graphql").read_text())
    assert isinstance(schema.query_type, GraphQLObjectType)
    asked = "\n".join(query for query, _ in everything_of("").values())
    ignored = {"storage"} & set(schema.query_type.fields)
    assert [
        name for name in schema.query_type.fields if f"{name}(" not in asked and f"{name} {{" not in asked
    ] == sorted(ignored)
    assert get_named_type(schema.query_type) is schema.query_type


@pytest.mark.parametrize("path", PATHS)
def test_a_path_of_others_is_as_if_it_were_not_there(guarded: Service, token: Make, hidden: str, path: str) -> None:
    mine = token("read", prefix="MINE_")
    answers = [read(guarded, path.format(job), mine) for job in (hidden, "UNKNOWN")]
    assert {answer.status_code for answer in answers} == {404}
    assert answers[0].text.replace(hidden, "JOB") == answers[1].text.replace("UNKNOWN", "JOB")


def test_a_job_of_ones_own_is_seen_whole(guarded: Service, token: Make, hidden: str) -> None:
    mine, both = "MINE_1", token("read", "capture", prefix="MINE_")
    start = """mutation { startJob(input: {jobId: "MINE_1", handlerName: "h", executionId: "EX_OTHER_1",
      parentJobId: "OTHER_1"}) { jobId parent { jobId } } }"""
    assert ask(guarded, start, both).json()["data"]["startJob"] == {"jobId": mine, "parent": None}
    assert codes(ask(guarded, LINES, both, jobId=mine)) == []
    query = """{ jobs { totalCount nodes { jobId parent { jobId } execution { executionId status
      jobs { totalCount } logs { totalCount nodes { jobId } } } } } executions { totalCount } }"""
    answer = ask(guarded, query, both).json()["data"]
    job = answer["jobs"]["nodes"][0]
    assert (answer["jobs"]["totalCount"], answer["executions"]["totalCount"]) == (1, 1)
    assert (job["jobId"], job["parent"]) == (mine, None)
    assert job["execution"]["jobs"] == {"totalCount": 1}
    assert {line["jobId"] for line in job["execution"]["logs"]["nodes"]} == {mine}
    assert job["execution"]["logs"]["totalCount"] == 2


def test_a_job_is_compared_with_no_run_of_others(guarded: Service, token: Make, hidden: str) -> None:
    admin, mine = token("admin"), token("read", prefix="OURS_")
    start = """mutation ($jobId: String!) { startJob(input: {jobId: $jobId, handlerName: "compared"}) { id }
      finishJob(input: {jobId: $jobId, status: COMPLETED}) { id } }"""
    for job_id in ("THEIRS_1", "OURS_1"):
        assert codes(ask(guarded, start, admin, jobId=job_id)) == []
    compare = """query ($with: String) { job(jobId: "OURS_1") { compare(with: $with) {
      with { jobId } reason missingMessages { template } stages { name } } } }"""
    answers = [ask(guarded, compare, mine, **{"with": job_id}).text for job_id in (hidden, "UNKNOWN")]
    assert "NOT_FOUND" in answers[0]
    assert answers[0].replace(hidden, "JOB") == answers[1].replace("UNKNOWN", "JOB")
    last = [ask(guarded, compare, one).json()["data"]["job"]["compare"] for one in (mine, admin)]
    assert last[0]["with"] is None
    assert "no run of 'compared' before this one completed" in last[0]["reason"]
    assert last[1]["with"] == {"jobId": "THEIRS_1"}


def test_the_storage_of_all_jobs_is_for_who_sees_all_jobs(guarded: Service, token: Make, hidden: str) -> None:
    parts = ("totalBytes", "isPastWarning", "partitions { name }", "handlers { handlerName }")
    for part in parts:
        query = f"{{ storage {{ {part} }} }}"
        assert codes(ask(guarded, query, token("read"))) == []
        for refused in (token("read", prefix="MINE_"), token("admin", prefix="MINE_"), token("capture")):
            assert codes(ask(guarded, query, refused)) == ["FORBIDDEN"]
            assert "OTHER" not in ask(guarded, query, refused).text


def test_whether_lines_were_pruned_is_read_back_by_who_may_only_capture(guarded: Service, token: Make) -> None:
    start = """mutation { startJob(input: {jobId: "PRUNED_1", handlerName: "h"}) { jobId logsPrunedBefore } }"""
    answer = ask(guarded, start, token("capture"))
    assert answer.json()["data"]["startJob"] == {"jobId": "PRUNED_1", "logsPrunedBefore": None}


def test_nothing_is_captured_for_a_job_of_others(guarded: Service, token: Make, hidden: str) -> None:
    mine = token("read", "capture", prefix="MINE_")
    assert codes(ask(guarded, LINES, mine, jobId=hidden)) == ["FORBIDDEN"]
    refused = capture(guarded, hidden, mine)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "FORBIDDEN")
    assert "jobs like 'OTHER_1'; this one is for those that begin with 'MINE_'" in refused.json()["error"]["message"]
    assert refused.json()["error"]["job_id"] == hidden
    assert "job_id" not in capture(guarded, hidden, token("read")).json()["error"], "it is not for that job's sake"
    assert export(guarded, hidden, mine).status_code == 403
    whole = ask(guarded, "query ($j: String!) { job(jobId: $j) { lastSeq } }", token("admin"), j=hidden)
    assert whole.json()["data"]["job"]["lastSeq"] == 2


# ---- live


SUBSCRIPTION = "subscription ($j: String!) { jobLogs(jobId: $j, afterSeq: 0) { logs { message } caughtUp lastSeq } }"


async def opened(service: Service, token: str | None, *, by_header: bool) -> ClientConnection:
    socket = await connect(
        service.websocket_url,
        subprotocols=[Subprotocol("graphql-transport-ws")],
        additional_headers=bearer(token) if by_header else {},
    )
    payload = {"authorization": f"Bearer {token}"} if token is not None and not by_header else {}
    await socket.send(json.dumps({"type": "connection_init", "payload": payload}))
    return socket


async def heard(socket: ClientConnection) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(await asyncio.wait_for(socket.recv(), PATIENCE_S))
    return answer


async def subscribe(socket: ClientConnection, job_id: str) -> None:
    payload = {"query": SUBSCRIPTION, "variables": {"j": job_id}}
    await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))


@pytest.mark.parametrize("by_header", [True, False])
async def test_a_websocket_comes_in_by_its_header_or_its_first_message(
    guarded: Service, token: Make, *, by_header: bool
) -> None:
    socket = await opened(guarded, await asyncio.to_thread(token, "read"), by_header=by_header)
    assert (await heard(socket))["type"] == "connection_ack"
    await subscribe(socket, new_job_id())
    assert (await heard(socket))["payload"]["data"]["jobLogs"]["caughtUp"] is True
    await socket.close()


@pytest.mark.parametrize("wrong", [None, "jt_abc_def"])
async def test_a_websocket_without_a_token_is_closed(guarded: Service, wrong: str | None) -> None:
    socket = await opened(guarded, wrong, by_header=False)
    with pytest.raises(ConnectionClosed) as closed:
        await heard(socket)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4403, "Forbidden")


async def test_a_token_for_capture_follows_nothing(guarded: Service, token: Make) -> None:
    socket = await opened(guarded, await asyncio.to_thread(token, "capture"), by_header=True)
    assert (await heard(socket))["type"] == "connection_ack"
    await subscribe(socket, new_job_id())
    answer = await heard(socket)
    assert (answer["type"], answer["payload"][0]["extensions"]["code"]) == ("error", "FORBIDDEN")
    await socket.close()


@pytest.mark.parametrize("after", [0, 1])
async def test_a_job_of_others_is_followed_like_one_that_is_not_there(
    guarded: Service, token: Make, hidden: str, after: int
) -> None:
    mine = await asyncio.to_thread(lambda: token("read", prefix="MINE_"))
    answers = []
    for job_id in (hidden, "UNKNOWN"):
        socket = await opened(guarded, mine, by_header=True)
        await heard(socket)
        query = SUBSCRIPTION.replace("afterSeq: 0", f"afterSeq: {after}")
        payload = {"query": query, "variables": {"j": job_id}}
        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
        answers.append(await heard(socket))
        await socket.close()
    assert answers[0] == answers[1]


async def test_a_revoked_token_ends_its_websocket(guarded: Service, token: Make, url: str) -> None:
    one, other = await asyncio.to_thread(token, "read"), await asyncio.to_thread(token, "read")
    ending, staying = await opened(guarded, one, by_header=True), await opened(guarded, other, by_header=True)
    for socket in (ending, staying):
        await heard(socket)
        await subscribe(socket, new_job_id())
        await heard(socket)
    await asyncio.to_thread(revoke, url, one)
    with pytest.raises(ConnectionClosed) as closed:
        await asyncio.wait_for(ending.recv(), 10)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4403, "the token was revoked or has expired")
    assert (await asyncio.to_thread(ask, guarded, "{ __typename }", one)).status_code == 401
    await staying.send('{"type":"ping"}')
    assert await heard(staying) == {"type": "pong"}
    await staying.close()


async def test_a_token_that_expires_ends_its_events(guarded: Service, token: Make) -> None:
    short = await asyncio.to_thread(lambda: token("read", valid=timedelta(seconds=4)))
    headers = {"Accept": "text/event-stream", **bearer(short)}
    body = {"query": SUBSCRIPTION, "variables": {"j": new_job_id()}}
    async with (
        httpx.AsyncClient(timeout=PATIENCE_S) as http,
        http.stream("POST", guarded.graphql_url, json=body, headers=headers) as response,
    ):
        assert response.status_code == 200
        events = [line async for line in response.aiter_lines() if line.startswith(("data", "event"))]
    assert '"code": "UNAUTHENTICATED"' in events[-3]
    assert [events[-4], events[-2]] == ["event: next", "event: complete"]


# ---- the command, and the start


def test_the_command_makes_lists_and_revokes_tokens(guarded: Service, url: str) -> None:
    made = token_command(url, "create", "--scope", "read", "--job-prefix", "JB_", "--expires", "90d", "--name", "Zoë")
    text = made.stdout.strip()
    assert re.fullmatch(r"jt_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", text)
    token_id = text.split("_")[1]
    (line,) = [line for line in token_command(url, "list").stdout.splitlines() if line.startswith(token_id)]
    assert re.fullmatch(rf"{token_id}  read  jobs JB_\*  until \d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ  Zoë", line)
    assert text.split("_", 2)[2] not in token_command(url, "list").stdout
    assert ask(guarded, "{ __typename }", text).status_code == 200
    assert token_command(url, "revoke", token_id).stdout == f"{token_id} is revoked.\n"
    again = token_command(url, "revoke", token_id, check=False)
    assert again.returncode == 1
    assert again.stderr.splitlines()[1:] == [f"jobtail-server: there is no valid token '{token_id}'"]


@pytest.mark.parametrize("expires", ["90", "0d", "1y", "-1d", ""])
def test_a_duration_that_is_none_is_refused(url: str, expires: str) -> None:
    refused = token_command(url, "create", "--scope", "read", f"--expires={expires}", check=False)
    assert refused.returncode == 1
    assert "is no duration; give a number and one of m, h, d, w, such as 90d" in refused.stderr


def test_tokens_are_made_beside_a_running_embedded_database(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.endswith("DATABASE_URL")}
    environment |= {"JOBTAIL_DATA_DIR": str(tmp_path / "data"), "JOBTAIL_PORT": "0", "JOBTAIL_ACCESS": "tokens"}
    process = subprocess.Popen([*COMMAND, "serve"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        service = Service(said.split("GraphiQL: ")[1].strip().removesuffix("/graphql"), process)
        command = [*COMMAND, "token", "create", "--scope", "admin"]
        made = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stderr
        assert ask(service, "{ __typename }", made.stdout.strip()).status_code == 200
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
        assert process.stdout is not None
        process.stdout.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_no_address_that_others_reach_is_served_without_access_control(url: str, host: str) -> None:
    environment = {**os.environ, "DATABASE_URL": url, "JOBTAIL_HOST": host, "JOBTAIL_PORT": "0"}
    command = [*COMMAND, "serve"]
    refused = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"jobtail-server: JOBTAIL_HOST={host} can be reached by others")
    assert "JOBTAIL_ACCESS=tokens" in refused.stderr


def test_an_exporter_that_is_refused_is_told_in_its_own_encoding(guarded: Service) -> None:
    body = ExportLogsServiceRequest().SerializeToString()
    headers = {"Content-Type": "application/x-protobuf"}
    response = httpx.post(f"{guarded.url}/v1/logs", content=body, headers=headers)
    assert (response.status_code, response.headers["content-type"]) == (401, "application/x-protobuf")


def test_pages_of_named_sites_may_call_and_others_may_not(database_url: str) -> None:
    with serving(database_url, JOBTAIL_ALLOWED_ORIGINS='["https://ops.example.com"]') as service:

        def preflight(origin: str) -> httpx.Response:
            headers = {
                "Origin": origin,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization,content-type",
            }
            return httpx.options(service.graphql_url, headers=headers)

        def said(origin: str) -> str | None:
            body, headers = {"query": "{ __typename }"}, {"Origin": origin}
            answer = httpx.post(service.graphql_url, json=body, headers=headers)
            allowed: str | None = answer.headers.get("access-control-allow-origin")
            return allowed

        good, bad = "https://ops.example.com", "https://evil.example.com"
        assert preflight(good).headers["access-control-allow-origin"] == good
        assert (preflight(bad).status_code, preflight(bad).headers.get("access-control-allow-origin")) == (400, None)
        assert (said(good), said(bad)) == (good, None)
        assert "access-control-allow-credentials" not in preflight(good).headers


def test_no_form_and_no_link_changes_anything(guarded: Service, token: Make) -> None:
    admin, mutation = token("admin"), 'mutation { startJob(input: {jobId: "csrf", handlerName: "h"}) { jobId } }'
    for response in (
        httpx.get(guarded.graphql_url, params={"query": mutation}, headers=bearer(admin)),
        httpx.post(guarded.graphql_url, data={"query": mutation}, headers=bearer(admin)),
        httpx.post(
            guarded.graphql_url, files={"operations": (None, json.dumps({"query": mutation}))}, headers=bearer(admin)
        ),
        httpx.post(guarded.graphql_url, content=json.dumps({"query": mutation}), headers=bearer(admin)),
    ):
        assert response.status_code in {400, 405}, response.text
    assert ask(guarded, '{ job(jobId: "csrf") { jobId } }', admin).json()["data"] == {"job": None}
