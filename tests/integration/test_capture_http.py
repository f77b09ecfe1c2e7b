"""POST /api/capture by plain HTTP, as a program in any language sends it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.client import Api, new_job_id
from tests.conftest import CloneDatabase, serving

PATIENCE_S = 30


@pytest.fixture(scope="module")
def api(new_database: CloneDatabase, migrated_template: str) -> Iterator[Api]:
    with serving(new_database(migrated_template)) as service, Api(service) as api:
        yield api


def line(job_id: str, n: int, message: str = "m", **more: Any) -> dict[str, Any]:
    return {"type": "line", "job_id": job_id, "n": n, "message": message, **more}


def ndjson(*events: dict[str, Any]) -> bytes:
    return "".join(f"{json.dumps(event)}\n" for event in events).encode()


def post(api: Api, body: bytes, writer: str | None = None, **headers: str) -> httpx.Response:
    sent = {"Jobtail-Writer": writer or str(uuid4()), **{name.replace("_", "-"): value for name, value in headers.items()}}
    return api.http.post(f"{api.service.url}/api/capture", content=body, headers=sent)


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
