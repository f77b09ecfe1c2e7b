"""Queries and subscriptions by the clients that pages are written with: npm's graphql-ws, graphql-sse, urql and Apollo."""

from __future__ import annotations

import pytest

from tests.client import Api, new_job_id
from tests.conformance.running import node
from tests.conftest import Service


@pytest.mark.parametrize("way", ["ws", "sse"])
def test_a_job_is_followed_to_its_end(service: Service, way: str) -> None:
    job_id = new_job_id()
    url = service.websocket_url if way == "ws" else service.graphql_url
    with Api(service) as api:
        api.capture(job_id, *(f"line {n}" for n in range(1, 301)))
        api.finish(job_id)
    assert node("subscribe.mjs", way, url, job_id).splitlines() == [
        *(f"{n} line {n}" for n in range(1, 301)),
        "COMPLETED",
    ]


@pytest.mark.parametrize("client", ["urql", "apollo"])
def test_a_client_with_its_defaults_reads_and_follows_a_job(service: Service, client: str) -> None:
    job_id = new_job_id()
    with Api(service) as api:
        api.capture(job_id, *(f"line {n}" for n in range(1, 301)))
        api.finish(job_id)
    urls = [service.graphql_url] if client == "urql" else [service.graphql_url, service.websocket_url]
    assert node(f"{client}.mjs", *urls, job_id).splitlines() == [
        "COMPLETED",
        *(f"{n} line {n}" for n in range(1, 301)),
        "COMPLETED",
    ]
