"""Pages of others in a browser of this machine, and what a proxy passes on: without tokens nothing is answered to them."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.attacks.conftest import Target
from tests.client import PATIENCE_S
from tests.conftest import CloneDatabase, Service, serving
from tests.wire import HANDSHAKE, exchange

QUERY = {"query": "{ __typename }"}
PATHS = ["/graphql", "/", "/healthz", "/jobs/JB_1/logs", "/api/capture", "/v1/logs", "/metrics", "/static/x.js"]
OWN = [
    "localhost",
    "localhost:8820",
    "LOCALHOST.",
    "127.0.0.1",
    "127.1.2.3:80",
    "[::1]",
    "[::1]:8820",
    "viewer.localhost",
    "box",
]
FOREIGN = [
    "rebound.attacker.example:8820",
    "attacker.example",
    "localhost.attacker.example",
    "127.0.0.1.nip.example",
    "10.0.0.1",
    "0.0.0.0",
    "[::2]",
    "a@attacker.example",
    "a.b:c:d",
    ".",
]


@pytest.mark.parametrize("host", OWN)
def test_this_machine_is_answered_by_each_of_its_names(http: httpx.Client, host: str) -> None:
    assert http.post("/graphql", json=QUERY, headers={"Host": host}).json() == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize("host", FOREIGN)
def test_a_foreign_host_is_refused(http: httpx.Client, host: str) -> None:
    answer = http.post("/graphql", json=QUERY, headers={"Host": host})
    assert answer.status_code in {400, 421}, answer.text
    assert "data" not in answer.text


@pytest.mark.parametrize("path", PATHS)
def test_no_address_answers_to_a_foreign_host(http: httpx.Client, path: str) -> None:
    assert http.get(path, headers={"Host": "attacker.example"}).status_code == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://attacker.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost.attacker.example"},
        {"Origin": "chrome-extension://localhost"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    ],
)
def test_a_page_of_another_site_is_refused(http: httpx.Client, headers: dict[str, str]) -> None:
    answer = http.get("/graphql", params=QUERY, headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (403, "FORBIDDEN")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://localhost:8820", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
    ],
)
def test_own_pages_and_links_are_answered(http: httpx.Client, headers: dict[str, str]) -> None:
    assert http.get("/healthz", headers=headers).status_code == 200


@pytest.mark.parametrize("header", ["X-Forwarded-For: 10.0.0.1", "Forwarded: for=10.0.0.1", "X-Real-IP: 10.0.0.1"])
def test_what_a_proxy_passes_on_is_refused_with_the_reason(http: httpx.Client, header: str) -> None:
    name, _, value = header.partition(": ")
    answer = http.get("/jobs/JB_1/logs", headers={name: value})
    assert answer.status_code == 403
    assert "JOBTAIL_TRUSTED_PROXIES" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("header", "status"), [("Host: attacker.example", b"421"), ("Origin: http://attacker.example", b"403")]
)
def test_a_websocket_of_a_foreign_page_is_refused(target: Target, header: str, status: bytes) -> None:
    handshake = HANDSHAKE if header.startswith("Origin") else HANDSHAKE.replace("Host: 127.0.0.1\r\n", "")
    assert exchange(target, handshake.format(f"{header}\r\n").encode()).split(b" ", 2)[1] == status


@pytest.fixture(scope="module")
def open_to_others(new_database: CloneDatabase, migrated_template: str) -> Iterator[Service]:
    said = {"JOBTAIL_ALLOWED_HOSTS": '["logs.example"]', "JOBTAIL_TRUSTED_PROXIES": '["127.0.0.1"]'}
    with serving(new_database(migrated_template), **said) as service:
        yield service


def test_settings_name_further_hosts_and_proxies(open_to_others: Service) -> None:
    headers = {"Host": "logs.example", "X-Forwarded-For": "10.0.0.1", "Origin": "https://logs.example"}
    url = open_to_others.graphql_url
    assert httpx.post(url, json=QUERY, headers=headers, timeout=PATIENCE_S).json() == {"data": {"__typename": "Query"}}
    assert httpx.get(url, params=QUERY, headers={"Host": "other.example"}, timeout=PATIENCE_S).status_code == 421


@pytest.mark.parametrize("path", ["/static/viewer/index.html", "/static/graphiql/index.html", "/", "/graphql"])
def test_no_page_is_served_without_its_policy(http: httpx.Client, path: str) -> None:
    page = http.get(path, headers={"Accept": "text/html"}, follow_redirects=True)
    assert page.status_code == 200
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
