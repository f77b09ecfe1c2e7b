"""Hostile values in every argument: each is taken for a text, or refused clearly."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.attacks.conftest import refused

TEXTS = {
    "drop": "'; DROP TABLE jobs; --",
    "union": "JB_1' UNION SELECT null, version() --",
    "places": '$1 $2 :job_id %(job_id)s {job_id} "; DELETE FROM jobs; --',
    "escape": "%' ESCAPE '\\",
    "control": "\x00 \x01 \x1b[31m \u202e \ufffe ../../../etc/passwd <script>",
    "surrogate": "\ud800",
    "digits": "9" * 400,
    "long": "x" * 100_000,
    "empty": "",
}
SHORT = [name for name in TEXTS if name not in {"long", "empty"}]
LINES = "{ totalCount nodes { seq } }"
QUERIES = {
    "job": "query ($s: String!) { job(jobId: $s) { jobId } }",
    "node": "query ($s: ID!) { node(id: $s) { id } }",
    "execution": f"query ($s: String!) {{ execution(executionId: $s) {{ logs {LINES} jobs {{ totalCount }} }} }}",
    "schedule": "query ($s: String) { executions(scheduleId: $s) { totalCount } }",
    "executions after": "query ($s: String) { executions(after: $s) { nodes { id } } }",
    "jobs after": "query ($s: String) { jobs(after: $s) { nodes { id } } }",
    "jobs before": "query ($s: String) { jobs(last: 2, before: $s) { nodes { id } } }",
    "logs after": "query ($s: String) { logs(after: $s) { nodes { id } } }",
    "lines after": 'query ($s: String) { job(jobId: "JB_1") { logs(after: $s) { nodes { id } } } }',
    "stage": 'query ($s: String!) { job(jobId: "JB_1") { stage(name: $s) { name } } }',
    "with": 'query ($s: String) { job(jobId: "JB_1") { compare(with: $s) { job { jobId } } } }',
    "finish": "mutation ($s: String!) { finishJob(input: {jobId: $s, status: FAILED, error: $s}) { jobId } }",
    "start": "mutation ($s: String!) { startJob(input: {jobId: $s, handlerName: $s, executionId: $s}) { jobId error } }",
    "capture": "mutation ($s: String!) { captureLogs(jobId: $s, lines: [{stage: $s, taskId: $s, message: $s}]) { lastSeq } }",
    **{
        f"jobs by {name}": f"query ($s: String!) {{ jobs(filter: {{{name}: {value}}}) {{ totalCount nodes {{ id }} }} }}"
        for name, value in [("search", "$s"), ("handlerNames", "[$s]"), ("executionId", "$s"), ("parentJobId", "$s")]
    },
    **{
        f"lines by {name}": f'query ($s: String!) {{ job(jobId: "JB_1") {{ logs(filter: {{{value}}}) {LINES} }} }}'
        for name, value in [
            ("search", "search: $s"),
            ("regex", "search: $s, regex: true"),
            ("stages", "stages: [$s]"),
            ("taskIds", "taskIds: [$s]"),
            ("executionId", "executionId: $s"),
        ]
    },
}


def post(http: httpx.Client, query: str, variables: dict[str, Any]) -> httpx.Response:
    body = json.dumps({"query": query, "variables": variables})
    return http.post("/graphql", content=body, headers={"Content-Type": "application/json"})


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_text_is_a_text_in_every_argument(http: httpx.Client, text: str) -> None:
    for name, query in QUERIES.items():
        response = post(http, query, {"s": text})
        refused(response)
        if name.startswith("lines by search") and text not in {"", "'"}:
            assert response.json()["data"]["job"]["logs"]["totalCount"] == 0
        if name in {"job", "node", "execution"} and not response.json().get("errors"):
            assert response.json()["data"][name] is None, "nothing was found by it"


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_metadata_is_only_compared(http: httpx.Client, text: str) -> None:
    query = f'query ($m: JSON) {{ job(jobId: "JB_1") {{ logs(filter: {{metadata: $m}}) {LINES} }} }}'
    for value in ({text: text}, {"a": text}, {"a": {text: [text]}}, [text], text):
        refused(post(http, query, {"m": value}))
    capture = 'mutation ($m: JSON) { captureLogs(jobId: "JB_META", lines: [{stage: "a", message: "m", metadata: $m}]) { lastSeq } }'
    refused(post(http, capture, {"m": {text: text}}))


@pytest.mark.parametrize("text", [TEXTS[name] for name in SHORT], ids=SHORT)
def test_a_parameter_of_rest_is_a_text_too(http: httpx.Client, text: str) -> None:
    encoded = quote(text.encode("utf-8", "surrogatepass"), safe="")
    for path in (
        "/jobs/{}/logs",
        "/executions/{}/logs",
        "/api/pulse/jobs/{}/stages",
        "/api/pulse/jobs/JB_1/tasks/{}/logs",
        "/api/pulse/tasks/{}/logs",
        *(
            f"/jobs/JB_1/logs?{name}={{}}"
            for name in (
                "stage",
                "task_id",
                "level",
                "min_level",
                "search",
                "since",
                "until",
                "after",
                "limit",
                "format",
            )
        ),
        "/executions/EX/logs?after={}",
        "/jobs/JB_1/logs?{}=1",
    ):
        response = http.get(path.format(encoded))
        refused(response)
    response = http.get(f"/jobs/JB_1/logs?download=1&format=text&stage={encoded}")
    assert response.status_code < 500
    assert "\n" not in response.headers.get("content-disposition", "")


@pytest.mark.parametrize(
    "event",
    [
        {"type": "line", "job_id": "'; DROP TABLE jobs; --", "n": 1, "message": "m"},
        {"type": "line", "job_id": "JB_2", "n": 10**30, "message": "m"},
        {"type": "line", "job_id": "JB_2", "n": -1, "message": "m"},
        {"type": "line", "job_id": "JB_2", "n": 1e400, "message": "m"},
        {"type": "line", "job_id": ["JB_2"], "n": 1, "message": {"a": 1}},
        {"type": "progress", "job_id": "JB_2", "n": 1, "current": 10**30, "total": "x"},
        {"type": "line", "job_id": "JB_2", "n": 1, "message": "m", "at": "0001-01-01T00:00:00+14:00"},
        {"type": "__class__", "job_id": "JB_2", "n": 1},
        [],
        5,
        None,
    ],
)
def test_a_captured_event_that_is_none_is_refused(http: httpx.Client, event: Any) -> None:
    headers = {"Jobtail-Writer": "7f3d5c1e-8a43-4e5b-9d6e-0a1b2c3d4e5f"}
    response = http.post("/api/capture", content=json.dumps(event), headers=headers)
    if response.status_code != 200:
        refused(response)
