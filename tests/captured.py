"""Batches of events that tests post."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.client import Api
from tests.conftest import Service


@pytest.fixture(scope="module")
def api(shared_service: Service) -> Iterator[Api]:
    with Api(shared_service) as api:
        yield api


def line(job_id: str, n: int, message: str = "m", **more: Any) -> dict[str, Any]:
    return {"type": "line", "job_id": job_id, "n": n, "message": message, **more}


def ndjson(*events: dict[str, Any]) -> bytes:
    return "".join(f"{json.dumps(event)}\n" for event in events).encode()


def post(api: Api, body: bytes, writer: str | None = None, **headers: str) -> httpx.Response:
    sent = {
        "Jobtail-Writer": writer or str(uuid4()),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return api.http.post(f"{api.service.url}/api/capture", content=body, headers=sent)
