"""Every connection at its edges, as Relay's specification of cursor connections has them; and every node by its id."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from domain.cursors import encode, log_cursor
from tests.client import Api
from tests.conftest import CloneDatabase, serving

PAGE = "edges { cursor node { id } } nodes { id } totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
WITHIN = {
    "jobs": "{ %s }",
    "executions": "{ %s }",
    "newest": "{ %s }",
    "children": '{ job(jobId: "JB_FULL") { %s } }',
    "job logs": '{ job(jobId: "JB_FULL") { %s } }',
    "stage logs": '{ job(jobId: "JB_FULL") { stage(name: "score") { %s } } }',
    "task logs": '{ job(jobId: "JB_FULL") { stage(name: "score") { tasks(first: 1) { nodes { %s } } } } }',
    "tasks": '{ job(jobId: "JB_FULL") { stage(name: "score") { %s } } }',
    "execution jobs": '{ execution(executionId: "EX_FULL") { %s } }',
    "execution logs": '{ execution(executionId: "EX_FULL") { %s } }',
}
"""Of each connection, the query around it."""
FIELDS = {
    "jobs": "jobs",
    "executions": "executions",
    "newest": "logs",
    "children": "children",
    "job logs": "logs",
    "stage logs": "logs",
    "task logs": "logs",
    "tasks": "tasks",
    "execution jobs": "jobs",
    "execution logs": "logs",
}
BOTH_WAYS = ["jobs", "job logs", "stage logs", "task logs", "execution logs"]
EMPTY = {
    "jobs": "{ jobs(filter: {statuses: [PAUSED]} %s) { PAGE } }",
    "executions": '{ executions(scheduleId: "none" %s) { PAGE } }',
    "newest": '{ logs(filter: {search: "never said"} %s) { PAGE } }',
    "children": '{ job(jobId: "JB_EMPTY") { children(first: 100 %s) { PAGE } } }',
    "job logs": '{ job(jobId: "JB_EMPTY") { logs(filter: {} %s) { PAGE } } }',
    "execution logs": '{ execution(executionId: "EX_EMPTY") { logs(filter: {} %s) { PAGE } } }',
}
"""Connections that are empty; there is no stage or task without a line, and no execution without a job."""


@pytest.fixture(scope="module")
def api(new_database: CloneDatabase, migrated_template: str) -> Iterator[Api]:
    with serving(new_database(migrated_template)) as service, Api(service) as api:
        api.start("JB_FULL", executionId="EX_FULL")
        api.start("JB_EMPTY", executionId="EX_EMPTY")
        for n in range(5):
            api.start(f"JB_CHILD_{n}", parentJobId="JB_FULL", executionId="EX_FULL")
            api.start(f"JB_RUN_{n}", executionId=f"EX_{n}")
        api.capture("JB_FULL", *({"stage": "score", "taskId": "CNT_0", "message": "m"} for _ in range(6)))
        api.capture("JB_FULL", *({"stage": "score", "taskId": f"CNT_{n}", "message": "m"} for n in range(1, 6)))
        yield api


def _page(api: Api, connection: str, **arguments: Any) -> Any:
    text = ", ".join(f"{name}: {json.dumps(value)}" for name, value in arguments.items())
    field = f"{FIELDS[connection]}({text})" if text else FIELDS[connection]
    found = api.ask(WITHIN[connection] % f"page: {field} {{ {PAGE} }}")
    while "page" not in found:
        (found,) = found.values() if isinstance(found, dict) else found
    return found["page"]


def _refusal(api: Api, connection: str, **arguments: Any) -> Any:
    text = ", ".join(f"{name}: {json.dumps(value)}" for name, value in arguments.items())
    return api.refusal(WITHIN[connection] % f"{FIELDS[connection]}({text}) {{ {PAGE} }}")


def _ids(page: Any) -> list[str]:
    return [node["id"] for node in page["nodes"]]


def _info(page: Any) -> tuple[bool, bool]:
    return page["pageInfo"]["hasPreviousPage"], page["pageInfo"]["hasNextPage"]


@pytest.fixture(scope="module")
def whole(api: Api) -> dict[str, Any]:
    return {connection: _page(api, connection, first=1000) for connection in WITHIN}


@pytest.mark.parametrize("connection", WITHIN)
def test_edges_and_nodes_tell_the_same(whole: dict[str, Any], connection: str) -> None:
    page = whole[connection]
    assert len(page["edges"]) == page["totalCount"] == len(set(_ids(page))) >= 5
    assert [edge["node"] for edge in page["edges"]] == page["nodes"]
    cursors = [edge["cursor"] for edge in page["edges"]]
    assert len(set(cursors)) == len(cursors)
    assert (page["pageInfo"]["startCursor"], page["pageInfo"]["endCursor"]) == (cursors[0], cursors[-1])
    assert _info(page) == (False, False)


@pytest.mark.parametrize("connection", WITHIN)
@pytest.mark.parametrize("size", [1, 2, 5])
def test_pages_forward_make_up_the_whole(api: Api, whole: dict[str, Any], connection: str, size: int) -> None:
    found: list[str] = []
    after: dict[str, str] = {}
    while len(found) < len(whole[connection]["nodes"]):
        page = _page(api, connection, first=size, **after)
        assert page["totalCount"] == len(whole[connection]["nodes"])
        found += _ids(page)
        assert page["pageInfo"]["hasNextPage"] == (len(found) < page["totalCount"])
        assert page["pageInfo"]["hasPreviousPage"] == bool(after)
        after = {"after": page["pageInfo"]["endCursor"]}
    assert found == _ids(whole[connection])
    behind = _page(api, connection, first=size, **after)
    assert (_ids(behind), _info(behind), behind["pageInfo"]["endCursor"]) == ([], (True, False), None)


@pytest.mark.parametrize("connection", BOTH_WAYS)
@pytest.mark.parametrize("size", [1, 2, 5])
def test_pages_backward_make_up_the_whole(api: Api, whole: dict[str, Any], connection: str, size: int) -> None:
    found: list[str] = []
    before: dict[str, str] = {}
    while len(found) < len(whole[connection]["nodes"]):
        page = _page(api, connection, last=size, **before)
        found = _ids(page) + found
        assert page["pageInfo"]["hasPreviousPage"] == (len(found) < page["totalCount"])
        assert page["pageInfo"]["hasNextPage"] == bool(before)
        before = {"before": page["pageInfo"]["startCursor"]}
    assert found == _ids(whole[connection])


@pytest.mark.parametrize("connection", BOTH_WAYS)
def test_two_cursors_bound_a_page_from_both_sides(api: Api, whole: dict[str, Any], connection: str) -> None:
    ids, edges = _ids(whole[connection]), whole[connection]["edges"]
    between = {"after": edges[0]["cursor"], "before": edges[4]["cursor"]}
    assert _ids(_page(api, connection, **between)) == ids[1:4]
    page = _page(api, connection, first=2, **between)
    assert (_ids(page), _info(page)) == (ids[1:3], (True, True))
    page = _page(api, connection, last=2, **between)
    assert (_ids(page), _info(page)) == (ids[2:4], (True, True))
    assert _ids(_page(api, connection, after=edges[4]["cursor"], before=edges[0]["cursor"])) == []
    assert _ids(_page(api, connection, after=edges[2]["cursor"], before=edges[2]["cursor"])) == []


@pytest.mark.parametrize("connection", WITHIN)
def test_a_page_of_nothing_tells_whether_there_is_more(api: Api, connection: str) -> None:
    page = _page(api, connection, first=0)
    ends = {"startCursor": None, "endCursor": None}
    assert (page["edges"], page["pageInfo"]) == ([], {"hasNextPage": True, "hasPreviousPage": False, **ends})


@pytest.mark.parametrize("connection", EMPTY)
@pytest.mark.parametrize("size", ["", ", first: 0", ", first: 1000"])
def test_an_empty_list_has_an_empty_page(api: Api, connection: str, size: str) -> None:
    if connection == "children":
        size = ""
    found = api.ask((EMPTY[connection] % size).replace("PAGE", PAGE))
    while "edges" not in found:
        (found,) = found.values()
    info = {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None}
    assert found == {"edges": [], "nodes": [], "totalCount": 0, "pageInfo": info}


@pytest.mark.parametrize("connection", WITHIN)
@pytest.mark.parametrize("size", [-1, 1001, 2**31 - 1])
def test_a_size_that_cannot_be_is_refused(api: Api, connection: str, size: int) -> None:
    names = ["first", "last"] if connection in BOTH_WAYS else ["first"]
    for name in names:
        refused = _refusal(api, connection, **{name: size})
        assert (refused.code, refused.message) == ("BAD_INPUT", f"{name} must be between 0 and 1000, not {size}")


@pytest.mark.parametrize("connection", BOTH_WAYS)
def test_first_and_last_together_are_refused(api: Api, connection: str) -> None:
    for first, last in ((1, 1), (0, 0), (1000, 1)):
        refused = _refusal(api, connection, first=first, last=last)
        assert (refused.code, refused.message) == ("BAD_INPUT", "give first or last, not both")


KINDS = {
    "jobs": "job",
    "executions": "execution",
    "newest": "newest",
    "children": "job",
    "job logs": "log",
    "stage logs": "log",
    "task logs": "log",
    "tasks": "task",
    "execution jobs": "job",
    "execution logs": "executionLog",
}


@pytest.mark.parametrize("connection", WITHIN)
def test_a_cursor_of_another_kind_or_of_none_is_refused(api: Api, whole: dict[str, Any], connection: str) -> None:
    foreign = [whole[other]["edges"][0]["cursor"] for other in WITHIN if KINDS[other] != KINDS[connection]]
    nodes = [whole[other]["nodes"][0]["id"] for other in WITHIN]
    own = whole[connection]["edges"][0]["cursor"]
    names = ["after", "before"] if connection in BOTH_WAYS else ["after"]
    for cursor in [*foreign, *nodes, "", "0", "nonsense", own[:-3], own + own, encode(KINDS[connection]), "A" * 10_000]:
        for name in names:
            refused = _refusal(api, connection, **{name: cursor})
            assert refused.code == "BAD_INPUT", cursor
            assert "is not a cursor of" in refused.message
            assert len(refused.message) < 300


@pytest.mark.parametrize("connection", ["job logs", "stage logs", "task logs"])
def test_a_cursor_of_another_job_is_refused(api: Api, connection: str) -> None:
    for name in ("after", "before"):
        refused = _refusal(api, connection, **{name: log_cursor("JB_EMPTY", 1)})
        assert refused.message == "this cursor belongs to the log of job 'JB_EMPTY', not to 'JB_FULL'"


@pytest.mark.parametrize("connection", WITHIN)
def test_a_cursor_of_what_is_gone_still_names_its_place(api: Api, whole: dict[str, Any], connection: str) -> None:
    """A place lies between others, whether or not something stands there."""
    at = "2020-01-01T00:00:00+00:00"
    oldest = {
        "job": encode("job", at, "JB_GONE"),
        "execution": encode("execution", at, "JB_GONE"),
        "newest": encode("newest", at, "JB_GONE", 7),
    }
    behind = {
        "log": log_cursor("JB_FULL", 999),
        "task": encode("task", 999, at, "CNT_GONE"),
        "executionLog": encode("executionLog", "EX_FULL", "2100-01-01T00:00:00+00:00", "JB_GONE", 1),
    }
    page = _page(api, connection, after=(oldest | behind)[KINDS[connection]])
    assert (page["nodes"], _info(page), page["totalCount"]) == ([], (True, False), whole[connection]["totalCount"])


NODE = "query ($id: ID!) { node(id: $id) { __typename id } }"
TYPES = {"jobs": "Job", "executions": "Execution", "job logs": "TaskLog", "tasks": "Task"}


@pytest.mark.parametrize("connection", TYPES)
def test_every_node_is_found_by_its_id(api: Api, whole: dict[str, Any], connection: str) -> None:
    for node_id in _ids(whole[connection]):
        assert api.ask(NODE, id=node_id) == {"node": {"__typename": TYPES[connection], "id": node_id}}
    stage = api.ask('{ job(jobId: "JB_FULL") { stage(name: "score") { id } } }')["job"]["stage"]["id"]
    assert api.ask(NODE, id=stage) == {"node": {"__typename": "Stage", "id": stage}}


@pytest.mark.parametrize(
    "node_id",
    [
        encode("Job", ""),
        encode("Job", "JB_GONE"),
        encode("Execution", "EX_GONE"),
        encode("Stage", "JB_FULL", "gone"),
        encode("Stage", "JB_GONE", "score"),
        encode("Task", "JB_FULL", "score", "CNT_GONE"),
        encode("Task", "JB_FULL", "gone", "CNT_0"),
        encode("Task", "JB_EMPTY", "score", "CNT_0"),
        encode("TaskLog", "JB_FULL", 999),
        encode("TaskLog", "JB_EMPTY", 1),
        encode("TaskLog", "JB_FULL", -1),
    ],
)
def test_a_node_that_is_gone_is_null(api: Api, node_id: str) -> None:
    assert api.ask(NODE, id=node_id) == {"node": None}


@pytest.mark.parametrize(
    "node_id",
    [
        "",
        "0",
        "nonsense",
        "W10",
        "A" * 10_000,
        log_cursor("JB_FULL", 1),
        encode("job", "2026-01-01T00:00:00+00:00", "JB_FULL"),
        encode("Job"),
        encode("Job", 1),
        encode("Job", "JB_FULL", "more"),
        encode("Job", "\0"),
        encode("Job", "\ud800"),
        encode("Execution", 1),
        encode("Stage", "JB_FULL"),
        encode("Task", "JB_FULL", "score"),
        encode("TaskLog", "JB_FULL"),
        encode("TaskLog", "JB_FULL", "1"),
        encode("TaskLog", "JB_FULL", 2**63),
        encode("Query", "JB_FULL"),
    ],
)
def test_a_node_id_that_cannot_be_is_refused(api: Api, node_id: str) -> None:
    refused = api.refusal(NODE, id=node_id)
    assert refused.code == "BAD_INPUT"
    assert "is not a node id of this API; pass one back as you received it" in refused.message
    assert len(refused.message) < 300
