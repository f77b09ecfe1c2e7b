"""Connections at their edges: empty and full pages, sizes and cursors that cannot be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from domain.cursors import encode, log_cursor
from tests.client import Api
from tests.conftest import CloneDatabase, serving

JOB = "JB_TEN_LINES"
FIELDS = "totalCount edges { cursor } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
ARGUMENTS = "first: $first, after: $after, last: $last, before: $before"
DECLARED = "$first: Int, $after: String, $last: Int, $before: String"
LOGS = (
    f"query ($job: String!, {DECLARED}) {{ job(jobId: $job) {{ logs({ARGUMENTS}) {{ nodes {{ seq }} {FIELDS} }} }} }}"
)
JOBS = f"query ({DECLARED}) {{ jobs({ARGUMENTS}) {{ nodes {{ jobId }} {FIELDS} }} }}"
AROUND = f"""
query ($job: String!, $around: BigInt, $filter: LogFilter, {DECLARED}) {{
  job(jobId: $job) {{ logs({ARGUMENTS}, around: $around, filter: $filter) {{ nodes {{ seq }} {FIELDS} }} }}
}}
"""
TASKS = f"""
query ($first: Int, $after: String) {{
  job(jobId: "{JOB}") {{ stage(name: "read_jd") {{ tasks(first: $first, after: $after) {{ {FIELDS} }} }} }}
}}
"""
CHILDREN = f"""
query ($first: Int, $after: String) {{
  job(jobId: "{JOB}") {{ children(first: $first, after: $after) {{ {FIELDS} }} }}
}}
"""


@pytest.fixture(scope="module")
def api(new_database: CloneDatabase, migrated_template: str) -> Iterator[Api]:
    with serving(new_database(migrated_template)) as service, Api(service) as api:
        api.capture(JOB, *map(str, range(1, 11)))
        api.start("JB_EMPTY")
        api.start("JB_OTHER", parentJobId=JOB)
        yield api


def _logs(api: Api, job_id: str = JOB, **arguments: Any) -> Any:
    return api.ask(LOGS, job=job_id, **arguments)["job"]["logs"]


def _seqs(page: Any) -> list[int]:
    return [node["seq"] for node in page["nodes"]]


def _info(page: Any) -> tuple[bool, bool]:
    return page["pageInfo"]["hasPreviousPage"], page["pageInfo"]["hasNextPage"]


EMPTY = {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None}


@pytest.mark.parametrize("arguments", [{}, {"first": 5}, {"last": 5}, {"first": 0}])
def test_an_empty_list_has_an_empty_page(api: Api, arguments: dict[str, Any]) -> None:
    page = _logs(api, "JB_EMPTY", **arguments)
    assert page == {"nodes": [], "edges": [], "totalCount": 0, "pageInfo": EMPTY}


def test_an_empty_list_of_children_has_an_empty_page(api: Api) -> None:
    query = f'{{ job(jobId: "JB_EMPTY") {{ children {{ {FIELDS} }} }} }}'
    assert api.ask(query)["job"]["children"] == {"edges": [], "totalCount": 0, "pageInfo": EMPTY}


def test_a_page_of_nothing_still_tells_whether_there_is_more(api: Api) -> None:
    for arguments, info in (
        ({"first": 0}, (False, True)),
        ({"last": 0}, (True, False)),
        ({"first": 0, "after": log_cursor(JOB, 10)}, (True, False)),
        ({"last": 0, "before": log_cursor(JOB, 1)}, (False, True)),
    ):
        page = _logs(api, **arguments)
        assert (page["edges"], page["totalCount"], _info(page)) == ([], 10, info)


def test_the_edges_are_where_the_list_ends(api: Api) -> None:
    for arguments, seqs, info in (
        ({"first": 10}, range(1, 11), (False, False)),
        ({"first": 9}, range(1, 10), (False, True)),
        ({"first": 1000}, range(1, 11), (False, False)),
        ({"last": 9}, range(2, 11), (True, False)),
        ({"last": 1000}, range(1, 11), (False, False)),
        ({"first": 5, "after": log_cursor(JOB, 0)}, range(1, 6), (True, True)),
        ({"after": log_cursor(JOB, 10)}, (), (True, False)),
        ({"before": log_cursor(JOB, 1)}, (), (False, False)),
        ({"after": log_cursor(JOB, 999)}, (), (True, False)),
    ):
        page = _logs(api, **arguments)
        assert (_seqs(page), _info(page)) == (list(seqs), info), arguments
        assert [edge["cursor"] for edge in page["edges"]] == [log_cursor(JOB, seq) for seq in seqs]
        assert page["totalCount"] == 10


def test_a_page_lies_between_two_cursors(api: Api) -> None:
    between = {"after": log_cursor(JOB, 2), "before": log_cursor(JOB, 8)}
    assert _seqs(_logs(api, **between)) == [3, 4, 5, 6, 7]
    page = _logs(api, **between, first=2)
    assert (_seqs(page), _info(page)) == ([3, 4], (True, True))
    page = _logs(api, **between, last=2)
    assert (_seqs(page), _info(page)) == ([6, 7], (True, True))
    assert _seqs(_logs(api, after=log_cursor(JOB, 8), before=log_cursor(JOB, 2))) == []
    assert _seqs(_logs(api, after=log_cursor(JOB, 2), before=log_cursor(JOB, 3))) == []


def test_without_a_size_a_page_has_a_hundred(api: Api) -> None:
    api.capture("JB_MANY", *["line"] * 130)
    page = _logs(api, "JB_MANY")
    assert (len(page["nodes"]), page["totalCount"], _info(page)) == (100, 130, (False, True))


@pytest.mark.parametrize("query", [LOGS, JOBS])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"first": 1, "last": 1}, "give first or last, not both"),
        ({"first": 0, "last": 0}, "give first or last, not both"),
        ({"first": 1001}, "first must be between 0 and 1000, not 1001"),
        ({"last": 1001}, "last must be between 0 and 1000, not 1001"),
        ({"first": -1}, "first must be between 0 and 1000, not -1"),
        ({"last": -1}, "last must be between 0 and 1000, not -1"),
    ],
)
def test_a_size_that_cannot_be_is_refused(api: Api, query: str, arguments: dict[str, Any], message: str) -> None:
    job = {"job": JOB} if query is LOGS else {}
    refused = api.refusal(query, **job, **arguments)
    assert (refused.code, refused.message) == ("BAD_INPUT", message)


@pytest.mark.parametrize("query", [TASKS, CHILDREN])
def test_a_size_that_cannot_be_is_refused_below_a_job_too(api: Api, query: str) -> None:
    refused = api.refusal(query, first=1001)
    assert (refused.code, refused.message) == ("BAD_INPUT", "first must be between 0 and 1000, not 1001")


def _around(api: Api, line: int, first: int | None = None, **chosen: Any) -> Any:
    return api.ask(AROUND, job=JOB, around=line, first=first, filter=chosen)["job"]["logs"]


@pytest.mark.parametrize(
    ("line", "first", "seqs", "info"),
    [
        (5, 4, range(3, 7), (True, True)),
        (5, 3, range(4, 7), (True, True)),
        (5, 1, range(5, 6), (True, True)),
        (5, 0, (), (True, True)),
        (1, 0, (), (False, True)),
        (1, 4, range(1, 5), (False, True)),
        (2, 6, range(1, 7), (False, True)),
        (3, 4, range(1, 5), (False, True)),
        (9, 4, range(7, 11), (True, False)),
        (10, 4, range(7, 11), (True, False)),
        (11, 4, range(7, 11), (True, False)),
        (2**53 - 1, 4, range(7, 11), (True, False)),
        (5, None, range(1, 11), (False, False)),
        (999, 1000, range(1, 11), (False, False)),
    ],
)
def test_a_page_lies_around_a_line(
    api: Api, line: int, first: int | None, seqs: Iterable[int], info: tuple[bool, bool]
) -> None:
    page = _around(api, line, first)
    assert (_seqs(page), _info(page), page["totalCount"]) == (list(seqs), info, 10)
    cursors = [edge["cursor"] for edge in page["edges"]]
    assert cursors == [log_cursor(JOB, seq) for seq in seqs]
    ends = page["pageInfo"]["startCursor"], page["pageInfo"]["endCursor"]
    assert ends == ((cursors[0], cursors[-1]) if cursors else (None, None))


def test_a_page_around_a_line_has_what_the_filter_leaves(api: Api) -> None:
    page = _around(api, 5, 3, search="1")
    assert (_seqs(page), _info(page), page["totalCount"]) == ([1, 10], (False, False), 2)
    page = _around(api, 7, 4, taskIds=["read_jd"])
    assert (_seqs(page), page["totalCount"]) == ([5, 6, 7, 8], 10)
    page = _around(api, 5, 4, levels=[])
    assert page == {"nodes": [], "edges": [], "totalCount": 0, "pageInfo": EMPTY}


def test_an_empty_log_has_an_empty_page_around_any_line(api: Api) -> None:
    page = api.ask(AROUND, job="JB_EMPTY", around=7)["job"]["logs"]
    assert page == {"nodes": [], "edges": [], "totalCount": 0, "pageInfo": EMPTY}


def test_stages_and_tasks_have_pages_around_a_line_too(api: Api) -> None:
    job = "JB_TWO_TASKS"
    api.capture(job, *({"stage": "score", "taskId": f"CNT_{n % 2}", "message": "m"} for n in range(20)))
    page = "logs(first: 4, around: 10) { nodes { seq } }"
    query = f'{{ job(jobId: "{job}") {{ stage(name: "score") {{ {page} tasks {{ nodes {{ {page} }} }} }} }} }}'
    stage = api.ask(query)["job"]["stage"]
    assert _seqs(stage["logs"]) == [8, 9, 10, 11]
    assert [_seqs(task["logs"]) for task in stage["tasks"]["nodes"]] == [[7, 9, 11, 13], [6, 8, 10, 12]]


PLACED = "around says where the page lies; give it with first alone, without after, last and before"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"around": 0}, "around must be the number of a line, 1 or more, not 0"),
        ({"around": -5}, "around must be the number of a line, 1 or more, not -5"),
        ({"around": 5, "after": log_cursor(JOB, 1)}, PLACED),
        ({"around": 5, "before": log_cursor(JOB, 1)}, PLACED),
        ({"around": 5, "last": 2}, PLACED),
        ({"around": 5, "first": 1001}, "first must be between 0 and 1000, not 1001"),
        ({"around": 5, "first": -1}, "first must be between 0 and 1000, not -1"),
    ],
)
def test_a_page_around_what_cannot_be_is_refused(api: Api, arguments: dict[str, Any], message: str) -> None:
    refused = api.refusal(AROUND, job=JOB, **arguments)
    assert (refused.code, refused.message) == ("BAD_INPUT", message)


def test_arguments_that_are_null_count_as_left_out(api: Api) -> None:
    every = dict.fromkeys(["around", "after", "last", "before", "first"])
    assert _seqs(api.ask(AROUND, job=JOB, **every)["job"]["logs"]) == list(range(1, 11))
    assert _seqs(api.ask(AROUND, job=JOB, **{**every, "around": 3, "first": 2})["job"]["logs"]) == [2, 3]


LOG = log_cursor(JOB, 3)
FOREIGN = {
    LOGS: [encode("job", "2026-01-01T00:00:00+00:00", JOB), encode("log", JOB), encode("log", JOB, "3")],
    JOBS: [LOG, encode("job", "yesterday", JOB), encode("job", "2026-01-01", JOB), encode("job", JOB)],
    TASKS: [LOG, encode("task", 1, "soon", "read_jd"), encode("task", "1", "2026-01-01T00:00:00Z", "read_jd")],
    CHILDREN: [LOG, encode("task", 1, "2026-01-01T00:00:00Z", "read_jd")],
}
BROKEN = [
    "",
    "nonsense",
    "ü",
    "\ud800",
    LOG[:-2],
    "W10",
    encode("log"),
    encode("log", JOB, 2**70),
    encode("log", JOB, -1),
    encode("job", "9999-12-31T23:59:59-23:00", JOB),
    encode("job", "2026-01-01T00:00:00+00:00", "\0"),
    encode("task", 2**70, "2026-01-01T00:00:00Z", "read_jd"),
]


@pytest.mark.parametrize(
    ("query", "cursor"), [(query, cursor) for query in FOREIGN for cursor in [*BROKEN, *FOREIGN[query]]]
)
@pytest.mark.parametrize("name", ["after", "before"])
def test_a_cursor_that_is_none_is_refused(api: Api, query: str, cursor: str, name: str) -> None:
    if name == "before" and query in {TASKS, CHILDREN}:
        name = "after"
    job = {"job": JOB} if query is LOGS else {}
    refused = api.refusal(query, **job, **{name: cursor})
    assert refused.code == "BAD_INPUT"
    assert "is not a cursor of" in refused.message


def test_a_cursor_of_another_job_is_refused(api: Api) -> None:
    refused = api.refusal(LOGS, job="JB_OTHER", after=LOG)
    assert refused.code == "BAD_INPUT"
    assert refused.message == f"this cursor belongs to the log of job '{JOB}', not to 'JB_OTHER'"


@pytest.mark.parametrize(
    "node_id", ["", "nonsense", LOG, encode("Job"), encode("TaskLog", JOB, 2**63 - 1), encode("Job", "\0")]
)
def test_a_node_id_that_is_none_is_refused(api: Api, node_id: str) -> None:
    refused = api.refusal("query ($id: ID!) { node(id: $id) { id } }", id=node_id)
    assert refused.code == "BAD_INPUT"
    assert "is not a node id of this API; pass one back as you received it" in refused.message


@pytest.mark.parametrize(
    "node_id",
    [
        encode("Job", "JB_NOBODY"),
        encode("Stage", "JB_NOBODY", "read_jd"),
        encode("Stage", JOB, "nowhere"),
        encode("Task", JOB, "read_jd", "CNT_404"),
        encode("Task", JOB, "nowhere", "read_jd"),
        encode("TaskLog", JOB, 11),
        encode("TaskLog", JOB, 0),
        encode("TaskLog", JOB, -(2**53) + 1),
        encode("TaskLog", JOB, 2**53 - 1),
        encode("TaskLog", "JB_NOBODY", 1),
    ],
)
def test_a_node_that_is_not_there_is_null(api: Api, node_id: str) -> None:
    assert api.ask("query ($id: ID!) { node(id: $id) { id } }", id=node_id) == {"node": None}
