"""POST /api/capture by plain HTTP, as a program in any language sends it."""

from __future__ import annotations

import asyncio
import gzip
import socket
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest

from graph.errors import MESSAGES
from persistence.database import Database
from persistence.embedded.embedded_server import EmbeddedPostgres
from persistence.migration import upgrade
from persistence.upkeep.maintenance import ensure_partitions
from tests.captured import line, ndjson, post
from tests.client import Api, new_job_id
from tests.conftest import CloneDatabase, Service, connect, serving

PATIENCE_S = 30


@pytest.fixture(scope="module")
def api(shared_service: Service) -> Iterator[Api]:
    with Api(shared_service) as api:
        yield api


def answered(response: httpx.Response) -> tuple[int, str, str]:
    """The status, the code and the message of an error."""
    error = response.json()["error"]
    return response.status_code, error["code"], error["message"]


def messages(api: Api, job_id: str) -> list[str]:
    job = api.ask("query ($id: String!) { job(jobId: $id) { logs { nodes { message } } } }", id=job_id)["job"]
    return [] if job is None else [node["message"] for node in job["logs"]["nodes"]]


def test_a_batch_is_stored_and_sent_again_is_skipped(api: Api) -> None:
    job_id, writer = new_job_id(), str(uuid4())
    body = ndjson(line(job_id, 1, "one"), line(job_id, 2, "two"))
    assert post(api, body, writer).json() == {"stored": 2, "skipped": 0}
    assert post(api, body, writer).json() == {"stored": 0, "skipped": 2}
    assert messages(api, job_id) == ["one", "two"]


def test_gzip_is_understood(api: Api) -> None:
    job_id = new_job_id()
    response = post(api, gzip.compress(ndjson(line(job_id, 1, "packed"))), Content_Encoding="gzip")
    assert response.json() == {"stored": 1, "skipped": 0}
    assert messages(api, job_id) == ["packed"]


def test_every_event_changes_its_job(api: Api) -> None:
    job_id = new_job_id()
    events: list[dict[str, Any]] = [
        {"type": "job.started", "handler_name": "ingest", "source": "cron", "execution_id": f"EX_{job_id}", "total": 4},
        {"type": "line", "message": "first", "stage": "read", "task_id": "T_1", "level": "warn", "metadata": {"a": 1}},
        {"type": "task", "stage": "read", "task_id": "T_1", "name": "One", "status": "COMPLETED", "result": "fine"},
        {"type": "progress", "current": 2},
        {"type": "job.finished", "status": "FAILED", "error": "no more"},
    ]
    body = ndjson(*({"job_id": job_id, "n": n, **event} for n, event in enumerate(events, 1)))
    assert post(api, body).json() == {"stored": 5, "skipped": 0}
    query = """query ($id: String!) { job(jobId: $id) {
      handlerName source status error progress { current total } execution { executionId }
      stages { name tasks { nodes { taskId name status result } } }
      logs { nodes { stage taskId level message metadata executionId } } } }"""
    assert api.ask(query, id=job_id)["job"] == {
        "handlerName": "ingest",
        "source": "cron",
        "status": "FAILED",
        "error": "no more",
        "progress": {"current": 2, "total": 4},
        "execution": {"executionId": f"EX_{job_id}"},
        "stages": [
            {
                "name": "read",
                "tasks": {"nodes": [{"taskId": "T_1", "name": "One", "status": "COMPLETED", "result": "fine"}]},
            }
        ],
        "logs": {
            "nodes": [
                {
                    "stage": "read",
                    "taskId": "T_1",
                    "level": "WARNING",
                    "message": "first",
                    "metadata": {"a": 1},
                    "executionId": f"EX_{job_id}",
                }
            ]
        },
    }


def test_a_batch_that_overlaps_another_adds_what_is_new(api: Api) -> None:
    job_id, writer = new_job_id(), str(uuid4())
    post(api, ndjson(*(line(job_id, n, str(n)) for n in (1, 2, 3))), writer).raise_for_status()
    assert post(api, ndjson(*(line(job_id, n, str(n)) for n in (2, 3, 4, 9))), writer).json() == {
        "stored": 2,
        "skipped": 2,
    }
    assert messages(api, job_id) == ["1", "2", "3", "4", "9"]


def test_the_first_bad_line_is_named_and_nothing_is_stored(api: Api) -> None:
    good, other = new_job_id(), new_job_id()
    response = post(api, ndjson(line(good, 1), line(other, 1), line(other, 2, level="LOUD")))
    status, code, message = answered(response)
    assert (status, code, response.json()["error"]["line"]) == (400, "BAD_INPUT", 3)
    assert message.startswith("line 3: level must be one of TRACE, ")
    assert messages(api, good) == messages(api, other) == []


def test_lines_that_other_programs_garble_come_through(api: Api) -> None:
    job_id = new_job_id()
    body = rb"""
{"type":"line","job_id":"JOB","n":1,"message":"nul \u0000 lone \ud800 ansi \u001b[31m"}
{"type":"line","job_id":"JOB","n":2,"message":"BYTE","metadata":{"a":NaN,"b":1e999,"c":123456789012345678901234567890}}
{"type":"line","job_id":"JOB","n":3,"message":""}"""
    body = body.replace(b"JOB", job_id.encode()).replace(b"BYTE", b"\xff")
    assert post(api, body).json() == {"stored": 3, "skipped": 0}
    assert messages(api, job_id) == ["nul \u2400 lone \ufffd ansi \x1b[31m", "\ufffd", ""]


@pytest.mark.parametrize("writer", [None, "", "worker-1", "123"])
def test_a_writer_that_is_no_uuid_is_told_what_to_send(api: Api, writer: str | None) -> None:
    headers = {} if writer is None else {"Jobtail-Writer": writer}
    response = api.http.post(f"{api.service.url}/api/capture", content=b"", headers=headers)
    status, code, message = answered(response)
    assert (status, code) == (400, "BAD_INPUT")
    assert message.startswith("the header Jobtail-Writer must be a UUID that the writer made when it started")


def test_only_post_is_understood(api: Api) -> None:
    response = api.http.get(f"{api.service.url}/api/capture")
    assert answered(response) == (405, "BAD_INPUT", "Method Not Allowed")
    assert response.headers["allow"] == "POST"


def test_a_page_that_is_not_there_is_said_so_in_json(api: Api) -> None:
    assert answered(api.http.get(f"{api.service.url}/api/nothing")) == (404, "NOT_FOUND", "Not Found")


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "zstd"])
def test_an_encoding_that_is_not_understood_is_refused_with_what_is(api: Api, encoding: str) -> None:
    response = post(api, b"", Content_Encoding=encoding)
    assert answered(response) == (
        415,
        "BAD_INPUT",
        f"Content-Encoding '{encoding}' is not understood: send gzip, or none",
    )
    assert response.headers["accept-encoding"] == "gzip"


PACKED = gzip.compress(ndjson(line("JB_PACKED", 1)), mtime=0)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the gzip data ends too early"),
        (PACKED[:-1], "the gzip data ends too early"),
        (PACKED[:20], "the gzip data ends too early"),
        (ndjson(line("JB_PACKED", 1)), "the gzip data is corrupt"),
        (PACKED[:-8] + bytes(8), "the gzip data is corrupt"),
        (PACKED + PACKED, "something follows the end of the gzip data"),
        (PACKED + b"x", "something follows the end of the gzip data"),
    ],
)
def test_gzip_that_is_not_whole_is_refused_and_nothing_is_stored(api: Api, body: bytes, message: str) -> None:
    status, code, said = answered(post(api, body, Content_Encoding="gzip"))
    assert (status, code) == (400, "BAD_INPUT")
    assert said.startswith(message)
    assert messages(api, "JB_PACKED") == []


@pytest.fixture(scope="module")
def narrow_url(new_database: CloneDatabase, migrated_template: str) -> str:
    return new_database(migrated_template)


@pytest.fixture(scope="module")
def narrow(narrow_url: str) -> Iterator[Api]:
    """A service with low limits."""
    limits = {
        "JOBTAIL_MAX_REQUEST_BYTES": "20000",
        "JOBTAIL_MAX_EXPANDED_BYTES": "40000",
        "JOBTAIL_MAX_CONCURRENT_CAPTURES": "1",
    }
    with serving(narrow_url, **limits) as service, Api(service) as api:
        yield api


def chunks(body: bytes) -> Iterator[bytes]:
    """Send without a Content-Length."""
    yield from (body[start : start + 1000] for start in range(0, len(body), 1000))


def test_a_body_over_the_limit_is_refused_as_it_is_sent(narrow: Api) -> None:
    body = ndjson(line(new_job_id(), 1, "x" * 20000))
    url, headers = f"{narrow.service.url}/api/capture", {"Jobtail-Writer": str(uuid4())}
    for response in (post(narrow, body), narrow.http.post(url, content=chunks(body), headers=headers)):
        status, code, message = answered(response)
        assert (status, code) == (413, "BAD_INPUT")
        assert message.startswith("the body is over the 20,000 bytes that it may have as sent, by ")
        assert message.endswith(" or more: send less at a time, or raise JOBTAIL_MAX_REQUEST_BYTES")


def test_a_body_over_the_limit_is_refused_as_it_is_unpacked(narrow: Api) -> None:
    job_id = new_job_id()
    bomb = gzip.compress(ndjson(line(job_id, 1), line(job_id, 2, "x" * 10_000_000)))
    assert len(bomb) < 20000
    status, code, message = answered(post(narrow, bomb, Content_Encoding="gzip"))
    assert (status, code) == (413, "BAD_INPUT")
    assert message.startswith("the body is over the 40,000 bytes that it may have unpacked, by ")
    assert message.endswith(" or more: send less at a time, or raise JOBTAIL_MAX_EXPANDED_BYTES")
    assert messages(narrow, job_id) == []
    fits = gzip.compress(ndjson(line(job_id, 1, "x" * 39_000)))
    assert post(narrow, fits, Content_Encoding="gzip").json() == {"stored": 1, "skipped": 0}


@contextmanager
def half_a_request(api: Api, body: bytes, length: int) -> Iterator[socket.socket]:
    """Send the head of a request and, once the service reads its body, a part of that."""
    host, port = urlsplit(api.service.url).netloc.split(":")
    head = f"""POST /api/capture HTTP/1.1
Host: {host}
Jobtail-Writer: {uuid4()}
Content-Length: {length}
Expect: 100-continue

"""
    with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 100 ")
        connection.sendall(body)
        yield connection


async def test_beyond_its_places_the_service_says_when_to_come_back(narrow: Api, narrow_url: str) -> None:
    slow, quick = new_job_id(), new_job_id()
    connection = await connect(narrow_url)
    async with connection.transaction():
        await connection.execute("LOCK TABLE jobs IN EXCLUSIVE MODE")
        storing = asyncio.create_task(asyncio.to_thread(post, narrow, ndjson(line(slow, 1), line(slow, 2))))
        while not await connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            await connection.execute("SELECT pg_sleep(0.01)")
        busy = await asyncio.to_thread(post, narrow, ndjson(line(quick, 1)))
        assert answered(busy)[:2] == (429, "UNAVAILABLE")
        assert busy.headers["retry-after"] == "1"
        assert narrow.http.post(f"{narrow.service.url}/v1/logs", json={}).status_code == 429
    assert (await storing).status_code == 200
    await connection.close()
    until(narrow, quick, 200)
    assert messages(narrow, slow) == ["m", "m"]


def test_bodies_that_never_come_keep_no_worker_waiting(narrow: Api) -> None:
    """There is one place, and ten clients that have begun."""
    with ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(half_a_request(narrow, b"{", 1000))
        assert post(narrow, ndjson(line(new_job_id(), 1))).status_code == 200


def test_a_client_that_cuts_its_body_stores_nothing(narrow: Api) -> None:
    cut = new_job_id()
    body = ndjson(line(cut, 1), line(cut, 2))
    with half_a_request(narrow, body[:-10], len(body)):
        pass
    assert post(narrow, ndjson(line(new_job_id(), 1))).status_code == 200
    assert messages(narrow, cut) == []


def until(api: Api, job_id: str, status: int) -> httpx.Response:
    """Post until the answer is this one."""
    end = time.monotonic() + PATIENCE_S
    while (response := post(api, ndjson(line(job_id, 1)))).status_code != status:
        assert time.monotonic() < end, response.text
    return response


def test_a_client_that_goes_after_its_body_leaves_no_half_job(api: Api) -> None:
    job_ids = [new_job_id() for _ in range(10)]
    for job_id in job_ids:
        body = ndjson(*(line(job_id, n) for n in range(1, 501)))
        with half_a_request(api, body, len(body)):
            pass
    assert {stored(api, job_id) for job_id in job_ids} <= {0, 500}


def stored(api: Api, job_id: str) -> int:
    job = api.ask("query ($id: String!) { job(jobId: $id) { lastSeq } }", id=job_id)["job"]
    last_seq: int = job["lastSeq"] if job else 0
    return last_seq


async def test_what_the_database_refuses_is_told_apart_from_what_will_pass(database_url: str) -> None:
    """Told so, a worker looks for the line that is to blame; otherwise it would send the batch for ever."""
    with serving(database_url) as service, Api(service) as api:
        connection = await connect(database_url)
        await connection.execute("ALTER TABLE task_logs ADD CONSTRAINT poison CHECK (message <> 'poison')")
        fine, poisoned = new_job_id(), new_job_id()
        response = post(api, ndjson(line(fine, 1, "fine"), line(poisoned, 1, "fine"), line(poisoned, 2, "poison")))
        assert answered(response)[:2] == (422, "BAD_INPUT")
        assert messages(api, poisoned) == []
        await connection.execute("ALTER TABLE task_logs RENAME TO gone")
        assert answered(post(api, ndjson(line(poisoned, 1)))) == (500, "INTERNAL", MESSAGES["INTERNAL"])
        await connection.close()


def test_an_infinite_stream_of_one_line_is_bounded(narrow: Api) -> None:
    url, headers = f"{narrow.service.url}/api/capture", {"Jobtail-Writer": str(uuid4())}
    assert narrow.http.post(url, content=chunks(b"x" * 30_000), headers=headers).status_code == 413


@pytest.mark.parametrize(("lines", "size"), [(1, 50_000_000), (100_000, 1_000)])
def test_others_are_answered_while_a_large_body_is_read(lines: int, size: int, api: Api) -> None:
    job_id = new_job_id()
    body = gzip.compress(ndjson(*(line(job_id, n, "x" * size) for n in range(1, lines + 1))), 1)
    worst_s, begin = 0.0, time.monotonic()
    with ThreadPoolExecutor(1) as pool, httpx.Client(timeout=PATIENCE_S) as other:
        answer = pool.submit(post, api, body, Content_Encoding="gzip")
        while not answer.done():
            start = time.monotonic()
            assert other.get(f"{api.service.url}/healthz").status_code == 200
            worst_s = max(worst_s, time.monotonic() - start)
        assert answer.result().json() == {"stored": lines, "skipped": 0}
    whole_s = time.monotonic() - begin
    assert worst_s < max(1, whole_s / 2), "on a machine that is busy with other things everything takes longer"
    assert stored(api, job_id) == lines


async def test_while_the_database_is_away_it_says_when_to_come_back(own_server: EmbeddedPostgres) -> None:
    with serving(own_server.url) as service, Api(service) as api:
        job_id, writer = new_job_id(), str(uuid4())
        body = ndjson(line(job_id, 1))
        await own_server.__aexit__(None, None, None)
        response = await asyncio.to_thread(post, api, body, writer)
        assert answered(response) == (503, "UNAVAILABLE", MESSAGES["UNAVAILABLE"])
        assert response.headers["retry-after"] == "1"
        await own_server.__aenter__()
        assert post(api, body, writer).json() == {"stored": 1, "skipped": 0}


@pytest.fixture
async def own_server(tmp_path: Path) -> AsyncIterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(tmp_path, settings={"fsync": "off"})
    async with server:
        async with Database(server.url) as database:
            await upgrade(database.engine)
            await ensure_partitions(database)
        yield server
