"""Every query and every field of the API, against a service process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from domain.jobs import LARGE_PARTS
from domain.recorder import Recorder
from graph.context import Context
from graph.formats.json_fragment import to_bytes
from graph.schema import schema
from jobtail.events import Event, JobProgressed, JobStarted, JobStatus, Line, LogLevel, TaskChanged, TaskStatus
from persistence.database import Database
from persistence.stores import task_store
from persistence.stores.log_store import PostgresLogStore
from tests.client import Api, new_job_id, worker
from tests.conftest import CloneDatabase, serving
from tests.fakes import store
from tests.services import services_over
from tests.statements import Sent, statements_of

AT = datetime(2025, 1, 15, 10, 30, 0, 123456, tzinfo=UTC)
JOB, PARENT, CHILDREN = "JB_WHOLE", "JB_PARENT", ["JB_CHILD_1", "JB_CHILD_2", "JB_CHILD_3"]
LONG = "A job description, however long. " * 5000

LINES: list[dict[str, Any]] = [
    {"stage": "read_jd", "message": "Reading", "timestamp": "2025-01-15T10:30:00.123456Z"},
    {"stage": "read_jd", "message": LONG, "timestamp": "2025-01-15T11:30:01+01:00", "level": "DEBUG"},
    {"stage": "score", "message": "Scoring 100%", "timestamp": "2025-01-15T10:30:02Z", "level": "TRACE"},
    {
        "stage": "score",
        "taskId": "CNT_1",
        "message": "ÄRGER with snake_case",
        "timestamp": "2025-01-15T10:30:03Z",
        "level": "WARNING",
        "metadata": {"score": 7, "tags": ["a", "b"], "of": {"deep": True}},
    },
    {"stage": "score", "taskId": "CNT_2", "message": "failed", "timestamp": "2025-01-15T10:30:04Z", "level": "ERROR"},
    {"stage": "score", "taskId": "CNT_1", "message": "", "timestamp": "2025-01-15T10:30:05Z", "level": "CRITICAL"},
    {"stage": "score", "taskId": "CNT_1", "message": "again", "timestamp": "2025-01-15T10:30:06Z", "metadata": {}},
]


@pytest.fixture(scope="module")
def database_url(new_database: CloneDatabase, migrated_template: str) -> str:
    return new_database(migrated_template)


@pytest.fixture(scope="module")
def api(database_url: str) -> Iterator[Api]:
    with serving(database_url) as service, Api(service) as api:
        api.start(PARENT, "scrape_vacancies", source="https://example.org/vacancies")
        api.start(
            JOB,
            "ingest_jd",
            source="file:///tmp/jd.txt",
            parentJobId=PARENT,
            executionId="EX_1",
            metadata={"attempt": 2, "nested": {"list": [1, None, "ü"]}},
            progressTotal=8,
        )
        api.capture(JOB, *LINES)
        for child in CHILDREN:
            api.start(child, "score_candidates", parentJobId=JOB)
        api.finish(CHILDREN[0], "COMPLETED")
        api.finish(CHILDREN[1], "FAILED", error="no such description")
        yield api


def _job(api: Api, fields: str, job_id: str = JOB, **variables: Any) -> Any:
    declared = {"filter": "LogFilter", "after": "String", "before": "String", "first": "Int", "last": "Int"}
    declarations = "".join(f", ${name}: {declared[name]}" for name in variables)
    query = f"query ($jobId: String!{declarations}) {{ job(jobId: $jobId) {{ {fields} }} }}"
    return api.ask(query, jobId=job_id, **variables)["job"]


def test_a_job_has_all_that_was_said_of_it(api: Api) -> None:
    job = _job(
        api,
        """
        jobId handlerName source status error metadata createdAt startedAt finishedAt durationMs lastSeq
        progress { current total percentage } logCounts { total trace debug info warning error critical }
        parent { jobId source parent { jobId } }
        """,
    )
    created_at = datetime.fromisoformat(job.pop("createdAt"))
    assert abs(datetime.now(UTC) - created_at) < timedelta(minutes=5)
    assert datetime.fromisoformat(job.pop("startedAt")) < datetime.now(UTC)
    assert job == {
        "jobId": JOB,
        "handlerName": "ingest_jd",
        "source": "file:///tmp/jd.txt",
        "status": "RUNNING",
        "error": None,
        "metadata": {"attempt": 2, "nested": {"list": [1, None, "ü"]}},
        "finishedAt": None,
        "durationMs": None,
        "lastSeq": 7,
        "progress": {"current": 0, "total": 8, "percentage": 0},
        "logCounts": {"total": 7, "trace": 1, "debug": 1, "info": 2, "warning": 1, "error": 1, "critical": 1},
        "parent": {"jobId": PARENT, "source": "https://example.org/vacancies", "parent": None},
    }


def test_a_job_that_nobody_spoke_of_is_null(api: Api) -> None:
    assert api.ask('{ job(jobId: "JB_NOBODY") { jobId } }') == {"job": None}
    assert api.ask('{ job(jobId: "") { jobId } }') == {"job": None}


def test_a_job_whose_parent_was_never_heard_of_has_none(api: Api) -> None:
    job_id = new_job_id()
    api.start(job_id, parentJobId="JB_NOBODY")
    assert _job(api, "parent { jobId }", job_id) == {"parent": None}


def test_a_job_that_has_said_nothing_has_no_stages_and_no_lines(api: Api) -> None:
    fields = 'lastSeq stages { name } stage(name: "read_jd") { name } logs { totalCount edges { cursor } }'
    assert _job(api, fields, PARENT) == {
        "lastSeq": 0,
        "stages": [],
        "stage": None,
        "logs": {"totalCount": 0, "edges": []},
    }


def test_children_come_the_newest_first_by_pages(api: Api) -> None:
    page = "children(first: 2, after: $after) { totalCount nodes { jobId } pageInfo { hasNextPage endCursor } }"
    first = _job(api, page, after=None)["children"]
    assert ([job["jobId"] for job in first["nodes"]], first["totalCount"]) == (["JB_CHILD_3", "JB_CHILD_2"], 3)
    assert first["pageInfo"]["hasNextPage"]
    rest = _job(api, page, after=first["pageInfo"]["endCursor"])["children"]
    assert ([job["jobId"] for job in rest["nodes"]], rest["pageInfo"]["hasNextPage"]) == (["JB_CHILD_1"], False)
    assert _job(api, "children { nodes { parent { jobId } } }")["children"]["nodes"] == [{"parent": {"jobId": JOB}}] * 3
    assert _job(api, "children { totalCount edges { cursor } }", CHILDREN[0])["children"] == {
        "totalCount": 0,
        "edges": [],
    }


def test_stages_come_in_order_of_first_occurrence_with_their_counts(api: Api) -> None:
    stages = _job(api, "stages { name status startedAt finishedAt durationMs taskCount logCounts { total error } }")
    assert stages["stages"] == [
        {
            "name": "read_jd",
            "status": "COMPLETED",
            "startedAt": "2025-01-15T10:30:00.123456Z",
            "finishedAt": "2025-01-15T10:30:02.000000Z",
            "durationMs": 1877,
            "taskCount": 1,
            "logCounts": {"total": 2, "error": 0},
        },
        {
            "name": "score",
            "status": "RUNNING",
            "startedAt": "2025-01-15T10:30:02.000000Z",
            "finishedAt": None,
            "durationMs": None,
            "taskCount": 3,
            "logCounts": {"total": 5, "error": 1},
        },
    ]


def test_a_stage_is_found_by_its_name(api: Api) -> None:
    assert _job(api, 'stage(name: "score") { name taskCount }') == {"stage": {"name": "score", "taskCount": 3}}
    assert _job(api, 'stage(name: "nowhere") { name }') == {"stage": None}


def test_tasks_come_in_order_of_first_occurrence_by_pages(api: Api) -> None:
    fields = """
    stage(name: "score") {
      tasks(first: 2, after: $after) {
        totalCount edges { cursor node { taskId name result status logCounts { total critical } } }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      }
    }
    """
    first = _job(api, fields, after=None)["stage"]["tasks"]
    assert [edge["node"]["taskId"] for edge in first["edges"]] == ["score", "CNT_1"]
    assert first["edges"][1]["node"]["logCounts"] == {"total": 3, "critical": 1}
    assert first["totalCount"] == 3
    assert first["pageInfo"] == {
        "hasNextPage": True,
        "hasPreviousPage": False,
        "startCursor": first["edges"][0]["cursor"],
        "endCursor": first["edges"][1]["cursor"],
    }
    rest = _job(api, fields, after=first["pageInfo"]["endCursor"])["stage"]["tasks"]
    assert [edge["node"]["taskId"] for edge in rest["edges"]] == ["CNT_2"]
    assert rest["edges"][0]["node"] == {
        "taskId": "CNT_2",
        "name": None,
        "result": None,
        "status": "FAILED",
        "logCounts": {"total": 1, "critical": 0},
    }
    assert (rest["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasPreviousPage"]) == (False, True)


async def test_tasks_have_what_the_job_stated_of_them(api: Api, database_url: str) -> None:
    job_id = new_job_id()

    def changed(task_id: str, status: TaskStatus, **more: Any) -> TaskChanged:
        return TaskChanged(job_id=job_id, stage="score", task_id=task_id, status=status, **more)

    events: list[Event] = [
        Line(job_id=job_id, message="Scoring", stage="score", at=AT),
        changed("CNT_1", TaskStatus.RUNNING, name="Ada", at=AT),
        changed("CNT_2", TaskStatus.RUNNING, name="Bob", at=AT),
        changed("CNT_1", TaskStatus.COMPLETED, result="87.5", at=AT + timedelta(seconds=2)),
        changed("CNT_3", TaskStatus.CANCELLED, at=AT),
        Line(job_id=job_id, message="no degree", stage="score", task_id="CNT_4", level=LogLevel.ERROR, at=AT),
        Line(job_id=job_id, message="fine", stage="score", task_id="CNT_5", at=AT),
        JobProgressed(job_id=job_id, current=1, total=3),
    ]
    async with worker(database_url) as recorder:
        await recorder.record_job(job_id, events)
    fields = "progress { current total percentage } stages { taskCount tasks { nodes { %s } } }"
    job = _job(api, fields % "taskId name status result startedAt finishedAt durationMs", job_id)
    assert job["progress"] == {"current": 1, "total": 3, "percentage": 33.33}
    (stage,) = job["stages"]
    assert stage["taskCount"] == 6
    tasks = {task["taskId"]: task for task in stage["tasks"]["nodes"]}
    assert tasks["CNT_1"] == {
        "taskId": "CNT_1",
        "name": "Ada",
        "status": "COMPLETED",
        "result": "87.5",
        "startedAt": "2025-01-15T10:30:00.123456Z",
        "finishedAt": "2025-01-15T10:30:02.123456Z",
        "durationMs": 2000,
    }
    statuses = {task_id: task["status"] for task_id, task in tasks.items()}
    assert statuses == {
        "score": "RUNNING",
        "CNT_1": "COMPLETED",
        "CNT_2": "RUNNING",
        "CNT_3": "CANCELLED",
        "CNT_4": "FAILED",
        "CNT_5": "RUNNING",
    }
    api.finish(job_id, "COMPLETED")
    (stage,) = _job(api, fields % "taskId status", job_id)["stages"]
    statuses = {task["taskId"]: task["status"] for task in stage["tasks"]["nodes"]}
    assert (statuses["score"], statuses["CNT_4"], statuses["CNT_5"]) == ("COMPLETED", "FAILED", "COMPLETED")
    assert statuses["CNT_2"] == "COMPLETED", "no task outlives its job"


LINE = "seq jobId executionId stage taskId timestamp level metadata message messageLength"


def test_a_line_has_all_that_was_said(api: Api) -> None:
    lines = _job(api, f"logs {{ nodes {{ {LINE} }} }}")["logs"]["nodes"]
    assert [line["seq"] for line in lines] == [1, 2, 3, 4, 5, 6, 7]
    assert {line["jobId"] for line in lines} == {JOB}
    assert {line["executionId"] for line in lines} == {"EX_1"}
    assert lines[0]["timestamp"] == "2025-01-15T10:30:00.123456Z"
    assert lines[1]["timestamp"] == "2025-01-15T10:30:01.000000Z"
    assert (lines[1]["message"], lines[1]["messageLength"]) == (LONG, len(LONG))
    assert lines[3] == {
        "seq": 4,
        "jobId": JOB,
        "executionId": "EX_1",
        "stage": "score",
        "taskId": "CNT_1",
        "timestamp": "2025-01-15T10:30:03.000000Z",
        "level": "WARNING",
        "metadata": {"score": 7, "tags": ["a", "b"], "of": {"deep": True}},
        "message": "ÄRGER with snake_case",
        "messageLength": 21,
    }
    assert (lines[0]["taskId"], lines[0]["metadata"], lines[6]["metadata"], lines[6]["level"]) == (
        None,
        None,
        {},
        "INFO",
    )


def test_a_message_is_shortened_only_where_that_is_asked_for(api: Api) -> None:
    fields = "logs(first: 2) { nodes { short: message(maxLength: 5) none: message(maxLength: 0) messageLength } }"
    assert _job(api, fields)["logs"]["nodes"] == [
        {"short": "Readi", "none": "", "messageLength": 7},
        {"short": LONG[:5], "none": "", "messageLength": len(LONG)},
    ]
    refused = api.refusal(
        "query ($id: String!) { job(jobId: $id) { logs { nodes { message(maxLength: -1) } } } }", id=JOB
    )
    assert (refused.code, refused.message) == ("BAD_INPUT", "maxLength must not be negative, and is -1")


def _seqs(page: Any) -> list[int]:
    return [line["seq"] for line in page["nodes"]]


def test_lines_are_paged_in_both_directions(api: Api) -> None:
    info = "totalCount nodes { seq } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
    forward = f"logs(first: $first, after: $after) {{ {info} }}"
    backward = f"logs(last: $last, before: $before) {{ {info} }}"

    pages: list[Any] = []
    after: str | None = None
    while not pages or pages[-1]["pageInfo"]["hasNextPage"]:
        pages.append(_job(api, forward, first=3, after=after)["logs"])
        after = pages[-1]["pageInfo"]["endCursor"]
    assert [_seqs(page) for page in pages] == [[1, 2, 3], [4, 5, 6], [7]]
    assert [page["pageInfo"]["hasPreviousPage"] for page in pages] == [False, True, True]

    pages, before = [], None
    while not pages or pages[-1]["pageInfo"]["hasPreviousPage"]:
        pages.append(_job(api, backward, last=3, before=before)["logs"])
        before = pages[-1]["pageInfo"]["startCursor"]
    assert [_seqs(page) for page in pages] == [[5, 6, 7], [2, 3, 4], [1]]
    assert [page["pageInfo"]["hasNextPage"] for page in pages] == [False, True, True]
    assert {page["totalCount"] for page in pages} == {7}


FILTERS: list[tuple[dict[str, Any], list[int]]] = [
    ({}, [1, 2, 3, 4, 5, 6, 7]),
    ({"levels": ["TRACE", "ERROR"]}, [3, 5]),
    ({"levels": []}, []),
    ({"minLevel": "WARNING"}, [4, 5, 6]),
    ({"minLevel": "TRACE"}, [1, 2, 3, 4, 5, 6, 7]),
    ({"levels": ["INFO", "WARNING"], "minLevel": "WARNING"}, [4]),
    ({"stages": ["read_jd"]}, [1, 2]),
    ({"stages": ["read_jd", "score", "nowhere"]}, [1, 2, 3, 4, 5, 6, 7]),
    ({"taskIds": ["CNT_1"]}, [4, 6, 7]),
    ({"taskIds": ["score"]}, [3]),
    ({"taskIds": ["CNT_1"], "stages": ["read_jd"]}, []),
    ({"executionId": "EX_1"}, [1, 2, 3, 4, 5, 6, 7]),
    ({"executionId": "EX_2"}, []),
    ({"since": "2025-01-15T10:30:04Z"}, [5, 6, 7]),
    ({"since": "2025-01-15T11:30:04+01:00"}, [5, 6, 7]),
    ({"until": "2025-01-15T10:30:04Z"}, [1, 2, 3, 4]),
    ({"since": "2025-01-15T10:30:03Z", "until": "2025-01-15T10:30:03.000001Z"}, [4]),
    ({"sinceSeq": 3, "untilSeq": 6}, [3, 4, 5]),
    ({"sinceSeq": 6}, [6, 7]),
    ({"untilSeq": 4, "search": "e"}, [1, 2]),
    ({"sinceSeq": 0, "untilSeq": 2**53 - 1}, [1, 2, 3, 4, 5, 6, 7]),
    ({"search": "rea"}, [1]),
    ({"search": "ärger"}, [4]),
    ({"search": "%"}, [3]),
    ({"search": "e_c"}, [4]),
    ({"search": ""}, [1, 2, 3, 4, 5, 6, 7]),
    ({"search": "\0"}, []),
    ({"search": "\ud800"}, []),
    ({"metadata": {"score": 7}}, [4]),
    ({"metadata": {"score": 8}}, []),
    ({"metadata": {"tags": ["b"], "of": {"deep": True}}}, [4]),
    ({"metadata": {}}, [4, 7]),
    ({"not": {"taskIds": ["CNT_1"]}}, [1, 2, 3, 5]),
    ({"not": {"metadata": {"score": 7}}}, [1, 2, 3, 5, 6, 7]),
    ({"not": {"stages": ["score"], "levels": ["ERROR"]}}, [1, 2, 3, 4, 6, 7]),
    ({"minLevel": "WARNING", "not": {"search": "ärger"}}, [5, 6]),
    ({"not": {}}, []),
    ({"minLevel": None, "stages": None, "search": None, "metadata": None}, [1, 2, 3, 4, 5, 6, 7]),
]


@pytest.mark.parametrize(("chosen", "expected"), FILTERS, ids=[str(chosen) for chosen, _ in FILTERS])
def test_lines_are_filtered_and_counted(api: Api, chosen: dict[str, Any], expected: list[int]) -> None:
    page = _job(api, "logs(filter: $filter) { totalCount nodes { seq } }", filter=chosen)["logs"]
    assert (_seqs(page), page["totalCount"]) == (expected, len(expected))
    page = _job(api, "logs(last: 2, filter: $filter) { totalCount nodes { seq } }", filter=chosen)["logs"]
    assert (_seqs(page), page["totalCount"]) == (expected[-2:], len(expected))


def test_what_is_left_out_is_said_one_level_deep(api: Api) -> None:
    query = 'query ($filter: LogFilter) { job(jobId: "JB_WHOLE") { logs(filter: $filter) { totalCount } } }'
    refusal = api.refusal(query, filter={"not": {"not": {"stages": ["score"]}}})
    assert (refusal.code, "one level deep" in refusal.message) == ("BAD_INPUT", True)


def test_stages_and_tasks_have_their_own_lines(api: Api) -> None:
    fields = """
    stages {
      logs(first: $first, after: $after, filter: $filter) { totalCount nodes { seq } }
      newest: logs(last: $last, before: $before) { nodes { seq } }
      tasks {
        nodes {
          logs(first: $first, after: $after, filter: $filter) { totalCount nodes { seq } }
          newest: logs(last: $last, before: $before) { nodes { seq } }
        }
      }
    }
    """
    stages = _job(api, fields, first=2, after=None, last=1, before=None, filter={"minLevel": "INFO"})["stages"]
    assert [(_seqs(stage["logs"]), stage["logs"]["totalCount"]) for stage in stages] == [([1], 1), ([4, 5], 4)]
    assert [_seqs(stage["newest"]) for stage in stages] == [[2], [7]]
    tasks = stages[1]["tasks"]["nodes"]
    assert [(_seqs(task["logs"]), task["logs"]["totalCount"]) for task in tasks] == [([], 0), ([4, 6], 3), ([5], 1)]
    assert [_seqs(task["newest"]) for task in tasks] == [[3], [7], [5]]

    cursor = _job(api, 'logs(first: 1, filter: {search: "ärger"}) { edges { cursor node { seq } } }')["logs"]["edges"]
    assert cursor[0]["node"]["seq"] == 4
    at = cursor[0]["cursor"]
    stages = _job(api, fields, first=2, after=at, last=1, before=at, filter={})["stages"]
    assert [_seqs(stage["logs"]) for stage in stages] == [[], [5, 6]]
    assert [_seqs(stage["newest"]) for stage in stages] == [[2], [3]]
    tasks = stages[1]["tasks"]["nodes"]
    assert [_seqs(task["logs"]) for task in tasks] == [[], [6, 7], [5]]
    assert [_seqs(task["newest"]) for task in tasks] == [[3], [], []]


def test_everything_is_found_by_its_node_id(api: Api) -> None:
    job = _job(api, "id stages { id tasks { nodes { id } } } logs { nodes { id } }")
    ids = [job["id"], *(line["id"] for line in job["logs"]["nodes"])]
    for stage in job["stages"]:
        ids += [stage["id"], *(task["id"] for task in stage["tasks"]["nodes"])]
    assert len(set(ids)) == len(ids) == 1 + 7 + 2 + 4

    query = """
    query ($id: ID!) {
      node(id: $id) {
        __typename id
        ... on Job { jobId }
        ... on Stage { name status taskCount }
        ... on Task { taskId taskStatus: status logs { totalCount } }
        ... on TaskLog { seq message(maxLength: 7) }
      }
    }
    """

    def node(node_id: str) -> Any:
        found = api.ask(query, id=node_id)["node"]
        assert found.pop("id") == node_id
        return found

    score = job["stages"][1]
    assert node(job["id"]) == {"__typename": "Job", "jobId": JOB}
    assert node(score["id"]) == {"__typename": "Stage", "name": "score", "status": "RUNNING", "taskCount": 3}
    assert node(score["tasks"]["nodes"][2]["id"]) == {
        "__typename": "Task",
        "taskId": "CNT_2",
        "taskStatus": "FAILED",
        "logs": {"totalCount": 1},
    }
    assert node(job["logs"]["nodes"][0]["id"]) == {"__typename": "TaskLog", "seq": 1, "message": "Reading"}


def _listed(api: Api, chosen: dict[str, Any]) -> list[str]:
    query = "query ($filter: JobFilter) { jobs(first: 1000, filter: $filter) { totalCount nodes { jobId } } }"
    jobs = api.ask(query, filter=chosen)["jobs"]
    assert jobs["totalCount"] == len(jobs["nodes"])
    return [job["jobId"] for job in jobs["nodes"]]


def test_jobs_are_filtered(api: Api) -> None:
    created = _job(api, "createdAt")["createdAt"]
    newest = ["JB_CHILD_3", "JB_CHILD_2", "JB_CHILD_1"]
    assert _listed(api, {"parentJobId": JOB}) == newest
    assert _listed(api, {"parentJobId": JOB, "statuses": ["COMPLETED", "FAILED"]}) == newest[1:]
    assert _listed(api, {"parentJobId": JOB, "statuses": []}) == []
    assert _listed(api, {"handlerNames": ["score_candidates", "scrape_vacancies"]}) == [*newest, PARENT]
    assert _listed(api, {"executionId": "EX_1"}) == [JOB]
    assert JOB in _listed(api, {"createdSince": created})
    assert PARENT not in _listed(api, {"createdSince": created})
    assert JOB not in _listed(api, {"createdUntil": created})
    assert PARENT in _listed(api, {"createdUntil": created})
    assert _listed(api, {"search": "b_wHOle"}) == [JOB]
    assert _listed(api, {"search": "RAPE_VAC"}) == [PARENT]
    assert _listed(api, {"search": "JD.txt"}) == [JOB]
    assert _listed(api, {"search": "such description"}) == ["JB_CHILD_2"]
    assert _listed(api, {"search": "JB%"}) == []
    assert _listed(api, {"search": "\0"}) == []
    assert JOB in _listed(api, {"hasErrors": True})
    assert PARENT not in _listed(api, {"hasErrors": True})
    assert PARENT in _listed(api, {"hasErrors": False})
    assert JOB not in _listed(api, {"hasErrors": False})
    assert _listed(api, {"statuses": None, "search": None}) == _listed(api, {})
    for status in JobStatus:
        query = "query ($filter: JobFilter) { jobs(filter: $filter) { nodes { status } } }"
        found = api.ask(query, filter={"statuses": [status.value]})["jobs"]["nodes"]
        assert {job["status"] for job in found} <= {status.value}


def test_jobs_come_the_newest_first_in_both_directions(api: Api) -> None:
    query = """
    query ($first: Int, $after: String, $last: Int, $before: String, $filter: JobFilter) {
      jobs(first: $first, after: $after, last: $last, before: $before, filter: $filter) {
        nodes { jobId } edges { cursor node { jobId } }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      }
    }
    """
    chosen = {"parentJobId": JOB}
    first = api.ask(query, first=2, filter=chosen)["jobs"]
    assert [job["jobId"] for job in first["nodes"]] == ["JB_CHILD_3", "JB_CHILD_2"]
    assert [edge["node"] for edge in first["edges"]] == first["nodes"]
    assert first["pageInfo"] == {
        "hasNextPage": True,
        "hasPreviousPage": False,
        "startCursor": first["edges"][0]["cursor"],
        "endCursor": first["edges"][1]["cursor"],
    }
    rest = api.ask(query, first=2, after=first["pageInfo"]["endCursor"], filter=chosen)["jobs"]
    assert [job["jobId"] for job in rest["nodes"]] == ["JB_CHILD_1"]
    last = api.ask(query, last=1, filter=chosen)["jobs"]
    assert [job["jobId"] for job in last["nodes"]] == ["JB_CHILD_1"]
    back = api.ask(query, last=1, before=last["pageInfo"]["startCursor"], filter=chosen)["jobs"]
    assert [job["jobId"] for job in back["nodes"]] == ["JB_CHILD_2"]
    assert (back["pageInfo"]["hasPreviousPage"], back["pageInfo"]["hasNextPage"]) == (True, True)


HIERARCHY = """
{
  jobs {
    nodes {
      jobId logsPrunedBefore parent { jobId } children { totalCount nodes { jobId } }
      logs(first: 2) { totalCount nodes { seq } }
      found: logs(first: 2, filter: {search: "M"}) { totalCount nodes { seq } }
      stages {
        name status logs(last: 2) { totalCount nodes { seq } }
        tasks {
          totalCount
          nodes { taskId status logs(first: 2) { totalCount nodes { seq } } grave: logs(filter: {levels: [ERROR]}) { totalCount } }
        }
      }
    }
  }
}
"""


@pytest.fixture
def empty_url(new_database: CloneDatabase, migrated_template: str) -> str:
    return new_database(migrated_template)


async def test_the_hierarchy_costs_as_many_statements_whatever_its_size(empty_url: str) -> None:
    async with Database(empty_url) as database, worker(empty_url) as recorder:
        await _compare_costs(database, recorder)


async def test_a_job_with_its_stages_and_first_tasks_costs_one_statement(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = """{ job(jobId: "job-0") { jobId lastSeq stages { name status taskCount logCounts { total }
        tasks(first: 2) { totalCount pageInfo { hasNextPage endCursor } nodes { taskId status } } } } }"""
    async with Database(empty_url) as database, worker(empty_url) as recorder:
        await _record_jobs(recorder, range(1), stages=3, tasks=3)
        one, data = await _asked(database, query)
        assert len(one) == 1
        assert [len(stage["tasks"]["nodes"]) for stage in data["job"]["stages"]] == [2, 2, 2]
        monkeypatch.setattr(task_store, "MOST_TASKS", 11)
        many, same = await _asked(database, query)
        assert (len(many), same) == (3, data)


async def test_hierarchies_that_are_asked_for_at_the_same_time_cost_one_statement_and_are_shared(
    empty_url: str,
) -> None:
    async with Database(empty_url) as database, worker(empty_url) as recorder:
        await _record_jobs(recorder, range(2), stages=2, tasks=1)
        store = task_store.PostgresTaskStore(database)
        with statements_of(database) as statements:
            one, both, again = await asyncio.gather(*map(store.hierarchies, (["job-0"], ["job-1", "job-0"], ["job-0"])))
            assert len(statements) == 1
            assert one["job-0"] is both["job-0"] is again["job-0"]
            assert (await store.hierarchies(["job-0"]))["job-0"] is not one["job-0"]
            assert len(statements) == 2


async def test_a_page_of_a_job_costs_one_statement_and_tells_whether_there_is_the_job(empty_url: str) -> None:
    async with Database(empty_url) as database, worker(empty_url) as recorder:
        await _record_jobs(recorder, range(1), stages=1, tasks=1)
        await recorder.record_job("silent", [JobStarted(job_id="silent", handler_name="ingest")])

        async def page(job_id: str, logs: str) -> tuple[int, Any]:
            statements, data = await _asked(database, f'{{ job(jobId: "{job_id}") {{ {logs} }} }}')
            return len(statements), data["job"]

        nodes = "logs { nodes { seq } }"
        assert await page("job-0", nodes) == (1, {"logs": {"nodes": [{"seq": 1}, {"seq": 2}]}})
        assert await page("silent", nodes) == (2, {"logs": {"nodes": []}})
        assert (await page("job-0", "logs(first: 0) { nodes { seq } }"))[1] == {"logs": {"nodes": []}}
        for logs in (
            nodes,
            "logs { edges { cursor } }",
            "logs { totalCount pageInfo { hasNextPage } }",
            "logs { __typename }",
        ):
            assert (await page("unheard-of", logs))[1] is None
            assert (await page("silent", logs))[1] is not None


async def test_a_page_of_a_stage_costs_one_statement_and_tells_whether_there_is_the_stage(empty_url: str) -> None:
    async with Database(empty_url) as database, worker(empty_url) as recorder:
        await _record_jobs(recorder, range(1), stages=2, tasks=1)

        async def stage(name: str, logs: str, job_id: str = "job-0") -> tuple[int, Any]:
            query = f'{{ job(jobId: "{job_id}") {{ stage(name: "{name}") {{ {logs} }} }} }}'
            statements, data = await _asked(database, query)
            return len(statements), data["job"] and data["job"]["stage"]

        of_task = 'logs(filter: {taskIds: ["task-0"]}) { totalCount nodes { seq } }'
        nodes = "logs { nodes { seq } }"
        cost, found = await stage("stage-1", nodes)
        assert (cost, len(found["logs"]["nodes"])) == (1, 2)
        assert (await stage("stage-1", "logs(first: 0) { nodes { seq } }"))[1] == {"logs": {"nodes": []}}
        for logs in (
            nodes,
            of_task,
            "logs { pageInfo { endCursor } }",
            "name logs { nodes { seq } }",
            "logs { totalCount }",
        ):
            assert (await stage("stage-1", logs))[1] is not None
            assert (await stage("stage-2", logs))[1] is None
            assert (await stage("stage-1", logs, "unheard-of"))[1] is None
        both = f'a: stage(name: "stage-1") {{ {nodes} }} b: stage(name: "stage-2") {{ logs {{ totalCount }} }}'
        data = (await _asked(database, f'{{ job(jobId: "job-0") {{ {both} }} }}'))[1]
        assert data == {"job": {"a": found, "b": None}}


async def _compare_costs(database: Database, recorder: Recorder) -> None:
    async def cost() -> tuple[int, int]:
        statements, data = await _asked(database, HIERARCHY)
        lines = sum(
            len(task["logs"]["nodes"])
            for job in data["jobs"]["nodes"]
            for stage in job["stages"]
            for task in stage["tasks"]["nodes"]
        )
        return len(statements), lines

    await _record_jobs(recorder, range(2), stages=1, tasks=1)
    small, small_lines = await cost()
    await _record_jobs(recorder, range(2, 6), stages=3, tasks=4)
    large, large_lines = await cost()
    assert (small_lines, large_lines) == (2 * 2, 2 * 2 + 4 * 3 * 5)
    assert small == large == 15


async def _asked(database: Database, query: str) -> tuple[Sent, dict[str, Any]]:
    with statements_of(database) as statements:
        result = await schema.execute(query, context_value=Context(services_over(database)))
    assert result.errors is None
    return statements, orjson.loads(to_bytes(result.data))


async def _record_jobs(recorder: Recorder, numbers: range, *, stages: int, tasks: int) -> None:
    await asyncio.gather(
        *(
            recorder.record_job(
                f"job-{number}",
                [
                    Line(job_id=f"job-{number}", message="m", stage=f"stage-{stage}", task_id=task and f"task-{task}")
                    for stage in range(stages)
                    for task in [None, *range(1, tasks + 1)]
                ],
            )
            for number in numbers
        )
    )


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ("$s: String", "filter: {search: $s}"),
        ("$s: String, $n: Int", "first: $n, filter: {search: $s}"),
        ("$s: String", "filter: {metadata: {name: $s}}"),
        ("$s: String!", 'filter: {stages: ["main", $s]}'),
    ],
)
def test_a_variable_within_an_argument_is_each_requests_own(api: Api, arguments: str, given: str) -> None:
    job_id = new_job_id()
    for name in ("one", "two"):
        api.capture(job_id, {"message": name, "stage": name, "metadata": {"name": name}})
    query = f'query ({arguments}) {{ job(jobId: "{job_id}") {{ logs({given}) {{ nodes {{ message }} }} }} }}'
    for name in ("one", "two", "three", "one"):
        found = [node["message"] for node in api.ask(query, s=name)["job"]["logs"]["nodes"]]
        assert found == ([name] if name != "three" else [])


TOLD = " fragment Told on Job { error }"


@pytest.mark.parametrize(
    ("selection", "loaded"),
    [
        ("nodes { jobId stages { name } }", set()),
        ("nodes { ...Told }", {"error"}),
        ("edges { node { metadata } }", {"metadata"}),
        ("nodes { parent { error } result }", {"result"}),
        ("nodes { failure { firstError { seq } } }", {"error"}),
        ("totalCount", set()),
    ],
)
async def test_a_list_of_jobs_loads_no_error_result_or_metadata_that_nobody_asks_for(
    database: Database, selection: str, loaded: set[str]
) -> None:
    start = JobStarted(job_id="job", handler_name="h", metadata={"a": 1})
    await store(PostgresLogStore(database), start, Line(job_id="job", message="x"))
    statements, _ = await _asked(database, f"{{ jobs {{ {selection} }} }}{TOLD if 'Told' in selection else ''}")
    lists = [text for text, _ in statements if "ORDER BY" in text and "jobs.created_at" in text]
    told = {part for part in LARGE_PARTS for text in lists if f"jobs.{part}" in text}
    assert told == loaded
