"""Executions by the API: what their jobs make of them, against a service process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.cursors import encode, log_cursor
from domain.filters import EVERYTHING
from domain.pages import Page, Window
from domain.requests import ExecutionLogPageRequest
from graph.context import Context
from graph.schema import schema
from jobtail.events import Event, JobFinished, JobStarted, JobStatus, Line
from persistence.database import Database
from persistence.stores.execution_store import PostgresExecutionStore
from persistence.stores.log_store import PostgresLogStore
from tests.client import Api, worker
from tests.conftest import CloneDatabase, serving
from tests.fakes import store
from tests.services import services_over
from tests.statements import statements_of

AT = datetime(2025, 1, 15, 10, 30, 0, 123456, tzinfo=UTC)
RUNS = ["EX_1", "EX_2", "EX_3", "EX_4", "EX_5"]


@pytest.fixture(scope="module")
def database_url(new_database: CloneDatabase, migrated_template: str) -> str:
    return new_database(migrated_template)


@pytest.fixture(scope="module")
def api(database_url: str) -> Iterator[Api]:
    """Five executions: of the schedules hourly, daily, hourly, none, daily. The first has two children that speak."""
    with serving(database_url) as service, Api(service) as api:
        schedules = ["hourly", "daily", "hourly", None, "daily"]
        for number, schedule in enumerate(schedules, 1):
            more = {"scheduleId": schedule} if schedule else {}
            api.start(f"JB_{number}", "scrape_vacancies", executionId=f"EX_{number}", **more)
        api.start("JB_ALONE")
        for child in ("JB_Z", "JB_A"):
            api.start(child, "ingest_jd", executionId="EX_1", parentJobId="JB_1")
        for n in range(1, 4):
            for job_id in ("JB_A", "JB_1", "JB_Z"):
                level = "ERROR" if n == 3 else "INFO"
                api.capture(job_id, {"stage": f"stage_{n}", "message": f"{job_id} says {n}", "level": level})
        api.finish("JB_2", "COMPLETED")
        api.finish("JB_3", "FAILED", error="no such page")
        api.finish("JB_5", "CANCELLED")
        yield api


WHOLE = """
query ($id: String!) {
  execution(executionId: $id) {
    __typename id executionId scheduleId status startedAt finishedAt durationMs resultSummary errorMessage
  }
}
"""


def execution(api: Api, execution_id: str) -> Any:
    return api.ask(WHOLE, id=execution_id)["execution"]


def test_an_execution_has_all_that_its_root_says(api: Api) -> None:
    found = execution(api, "EX_1")
    assert abs(datetime.fromisoformat(found.pop("startedAt")) - datetime.now(UTC)) < timedelta(minutes=5)
    assert found == {
        "__typename": "Execution",
        "id": encode("Execution", "EX_1"),
        "executionId": "EX_1",
        "scheduleId": "hourly",
        "status": "RUNNING",
        "finishedAt": None,
        "durationMs": None,
        "resultSummary": None,
        "errorMessage": None,
    }
    assert execution(api, "EX_UNHEARD_OF") is None


@pytest.mark.parametrize(
    ("execution_id", "schedule_id", "status", "error"),
    [
        ("EX_2", "daily", "COMPLETED", None),
        ("EX_3", "hourly", "FAILED", "no such page"),
        ("EX_4", "unknown", "RUNNING", None),
        ("EX_5", "daily", "FAILED", "cancelled"),
    ],
)
def test_an_execution_ends_as_its_root_does(
    api: Api, execution_id: str, schedule_id: str, status: str, error: str | None
) -> None:
    found = execution(api, execution_id)
    assert (found["scheduleId"], found["status"], found["errorMessage"]) == (schedule_id, status, error)
    assert (found["finishedAt"] is None, found["durationMs"] is None) == (status == "RUNNING", status == "RUNNING")


async def test_a_run_is_summed_up_with_its_result_and_its_duration(database_url: str, api: Api) -> None:
    start = JobStarted(job_id="JB_RUN", handler_name="h", execution_id="EX_RUN", schedule_id="weekly", at=AT)
    end = JobFinished(job_id="JB_RUN", status=JobStatus.COMPLETED, result="8 vacancies", at=AT + timedelta(seconds=2.5))
    async with worker(database_url) as recorder:
        await recorder.record_job("JB_RUN", [start, end])
    found = execution(api, "EX_RUN")
    assert (found["status"], found["resultSummary"], found["durationMs"]) == ("COMPLETED", "8 vacancies", 2500)
    assert (found["startedAt"], found["finishedAt"]) == (
        "2025-01-15T10:30:00.123456Z",
        "2025-01-15T10:30:02.623456Z",
    )


LIST = """
query ($first: Int, $after: String, $scheduleId: String, $statuses: [ExecutionStatus!]) {
  executions(first: $first, after: $after, scheduleId: $scheduleId, statuses: $statuses) {
    totalCount nodes { executionId } edges { cursor node { executionId } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}
"""


def listed(api: Api, **arguments: Any) -> Any:
    return api.ask(LIST, **arguments)["executions"]


def ids(page: Any) -> list[str]:
    """List the fixture's own executions of a page."""
    return [node["executionId"] for node in page["nodes"] if node["executionId"] in RUNS]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, ["EX_5", "EX_4", "EX_3", "EX_2", "EX_1"]),
        ({"scheduleId": "hourly"}, ["EX_3", "EX_1"]),
        ({"scheduleId": "unknown"}, ["EX_4"]),
        ({"scheduleId": "never"}, []),
        ({"statuses": ["FAILED"]}, ["EX_5", "EX_3"]),
        ({"statuses": ["RUNNING", "COMPLETED"]}, ["EX_4", "EX_2", "EX_1"]),
        ({"statuses": []}, []),
        ({"scheduleId": "daily", "statuses": ["FAILED"]}, ["EX_5"]),
        ({"scheduleId": None, "statuses": None}, ["EX_5", "EX_4", "EX_3", "EX_2", "EX_1"]),
    ],
    ids=str,
)
def test_executions_come_the_newest_first_and_filtered(
    api: Api, arguments: dict[str, Any], expected: list[str]
) -> None:
    page = listed(api, **arguments)
    assert ids(page) == expected
    assert page["totalCount"] == len(page["nodes"])
    assert [edge["node"] for edge in page["edges"]] == page["nodes"]


def test_executions_are_read_page_by_page(api: Api) -> None:
    pages: list[Any] = []
    after: str | None = None
    while not pages or pages[-1]["pageInfo"]["hasNextPage"]:
        pages.append(listed(api, first=2, after=after))
        after = pages[-1]["pageInfo"]["endCursor"]
        assert pages[-1]["edges"][-1]["cursor"] == after
    assert [run for page in pages for run in ids(page)] == list(reversed(RUNS))
    assert [page["pageInfo"]["hasPreviousPage"] for page in pages] == [False] + [True] * (len(pages) - 1)


def test_jobs_and_their_execution_know_each_other(api: Api) -> None:
    fields = "jobId scheduleId execution { executionId jobs(first: 2) { totalCount nodes { jobId } } }"
    job = api.ask(f'{{ job(jobId: "JB_A") {{ {fields} }} }}')["job"]
    assert job == {
        "jobId": "JB_A",
        "scheduleId": None,
        "execution": {
            "executionId": "EX_1",
            "jobs": {"totalCount": 3, "nodes": [{"jobId": "JB_A"}, {"jobId": "JB_Z"}]},
        },
    }
    job = api.ask('{ job(jobId: "JB_ALONE") { scheduleId execution { id } } }')["job"]
    assert job == {"scheduleId": None, "execution": None}
    assert api.ask('{ job(jobId: "JB_1") { scheduleId } }')["job"] == {"scheduleId": "hourly"}


def test_an_execution_is_found_by_its_node_id(api: Api) -> None:
    query = "query ($id: ID!) { node(id: $id) { __typename id ... on Execution { executionId } } }"
    for execution_id, expected in (("EX_3", "EX_3"), ("EX_UNHEARD_OF", None)):
        node_id = encode("Execution", execution_id)
        found = api.ask(query, id=node_id)["node"]
        assert found == ({"__typename": "Execution", "id": node_id, "executionId": expected} if expected else None)


LOGS = """
query ($id: String!, $first: Int, $after: String, $last: Int, $before: String, $filter: LogFilter) {
  execution(executionId: $id) {
    logs(first: $first, after: $after, last: $last, before: $before, filter: $filter) {
      totalCount nodes { jobId seq executionId } edges { cursor node { seq } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
}
"""
LINES = [(job_id, seq) for job_id in ("JB_1", "JB_Z", "JB_A") for seq in (1, 2, 3)]


def logs(api: Api, execution_id: str = "EX_1", **arguments: Any) -> Any:
    return api.ask(LOGS, id=execution_id, **arguments)["execution"]["logs"]


def said(page: Any) -> list[tuple[str, int]]:
    return [(line["jobId"], line["seq"]) for line in page["nodes"]]


def test_the_lines_of_all_jobs_follow_each_other_job_by_job(api: Api) -> None:
    page = logs(api)
    assert (said(page), page["totalCount"]) == (LINES, 9)
    assert {line["executionId"] for line in page["nodes"]} == {"EX_1"}
    assert logs(api, "EX_2") == {
        "totalCount": 0,
        "nodes": [],
        "edges": [],
        "pageInfo": {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None},
    }


def test_the_lines_are_paged_in_both_directions(api: Api) -> None:
    pages: list[Any] = []
    after: str | None = None
    while not pages or pages[-1]["pageInfo"]["hasNextPage"]:
        pages.append(logs(api, first=2, after=after))
        after = pages[-1]["pageInfo"]["endCursor"]
    assert [line for page in pages for line in said(page)] == LINES
    pages, before = [], None
    while not pages or pages[-1]["pageInfo"]["hasPreviousPage"]:
        pages.append(logs(api, last=2, before=before))
        before = pages[-1]["pageInfo"]["startCursor"]
    assert [line for page in reversed(pages) for line in said(page)] == LINES
    edges = logs(api)["edges"]
    between = logs(api, after=edges[1]["cursor"], before=edges[7]["cursor"])
    assert (said(between), between["pageInfo"]["hasPreviousPage"]) == (LINES[2:7], True)


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({"minLevel": "ERROR"}, [("JB_1", 3), ("JB_Z", 3), ("JB_A", 3)]),
        ({"stages": ["stage_2"]}, [("JB_1", 2), ("JB_Z", 2), ("JB_A", 2)]),
        ({"taskIds": ["stage_1"], "levels": ["INFO"]}, [("JB_1", 1), ("JB_Z", 1), ("JB_A", 1)]),
        ({"search": "jb_z says"}, [("JB_Z", 1), ("JB_Z", 2), ("JB_Z", 3)]),
        ({"levels": []}, []),
        ({"executionId": "EX_2"}, []),
    ],
    ids=str,
)
def test_the_lines_are_filtered_and_counted(api: Api, chosen: dict[str, Any], expected: list[tuple[str, int]]) -> None:
    page = logs(api, filter=chosen)
    assert (said(page), page["totalCount"]) == (expected, len(expected))
    page = logs(api, last=1, filter=chosen)
    assert (said(page), page["totalCount"]) == (expected[-1:], len(expected))


CREATED = "2026-01-01T00:00:00+00:00"
LINE_CURSOR = encode("executionLog", "EX_1", CREATED, "JB_1", 1)
BROKEN = ["", "nonsense", "\ud800", "W10", LINE_CURSOR[:-2]]


@pytest.mark.parametrize(
    "cursor",
    [
        *BROKEN,
        log_cursor("JB_1", 1),
        encode("execution", CREATED, "JB_1"),
        encode("executionLog", "EX_1", "yesterday", "JB_1", 1),
        encode("executionLog", "EX_1", "2026-01-01", "JB_1", 1),
        encode("executionLog", "EX_1", CREATED, "JB_1", -1),
        encode("executionLog", "EX_1", CREATED, "JB_1", 2**70),
        encode("executionLog", "EX_1", CREATED, "J\0B", 1),
        encode("executionLog", "EX_1", CREATED, "JB_1"),
    ],
)
@pytest.mark.parametrize("name", ["after", "before"])
def test_a_cursor_that_is_none_of_its_lines_is_refused(api: Api, cursor: str, name: str) -> None:
    refused = api.refusal(LOGS, id="EX_1", **{name: cursor})
    assert refused.code == "BAD_INPUT"
    assert "is not a cursor of" in refused.message


@pytest.mark.parametrize("cursor", [*BROKEN, LINE_CURSOR, encode("job", CREATED, "JB_1"), encode("execution", CREATED)])
def test_a_cursor_that_is_none_of_the_executions_is_refused(api: Api, cursor: str) -> None:
    refused = api.refusal(LIST, after=cursor)
    assert refused.code == "BAD_INPUT"
    assert "is not a cursor of" in refused.message


def test_a_cursor_of_another_execution_is_refused(api: Api) -> None:
    refused = api.refusal(LOGS, id="EX_2", after=LINE_CURSOR)
    assert refused.code == "BAD_INPUT"
    assert refused.message == "this cursor belongs to the log of execution 'EX_1', not to 'EX_2'"
    jobs = 'query ($after: String) { execution(executionId: "EX_1") { jobs(after: $after) { totalCount } } }'
    refused = api.refusal(jobs, after=encode("execution", CREATED, "JB_1"))
    assert "is not a cursor of a list of jobs" in refused.message


@pytest.mark.parametrize("arguments", [{"first": 1001}, {"first": -1}])
def test_a_size_that_cannot_be_is_refused(api: Api, arguments: dict[str, Any]) -> None:
    message = f"first must be between 0 and 1000, not {arguments['first']}"
    for refused in (api.refusal(LIST, **arguments), api.refusal(LOGS, id="EX_1", **arguments)):
        assert (refused.code, refused.message) == ("BAD_INPUT", message)


def test_a_schedule_without_an_execution_is_refused(api: Api) -> None:
    query = "mutation ($input: StartJobInput!) { startJob(input: $input) { jobId } }"
    refused = api.refusal(query, input={"jobId": "JB_HALF", "handlerName": "h", "scheduleId": "hourly"})
    assert refused.code == "BAD_INPUT"
    assert refused.message == "scheduleId says what started an execution; give its executionId too"


@pytest.fixture
async def empty(new_database: CloneDatabase, migrated_template: str) -> AsyncIterator[Database]:
    url = await asyncio.to_thread(new_database, migrated_template)
    async with Database(url) as database:
        yield database


async def test_a_page_of_large_lines_ends_early_and_says_that_there_is_more(empty: Database) -> None:
    records = PostgresLogStore(empty)
    for job_id in ("one", "two", "three"):
        start = JobStarted(job_id=job_id, handler_name="h", execution_id="run")
        await store(records, start, *(Line(job_id=job_id, message="x" * 400) for _ in range(2)))

    async def page(window: Window[Any]) -> Page[Any]:
        request = ExecutionLogPageRequest(execution_id="run", window=window, filter=EVERYTHING, max_bytes=1000)
        (found,) = await PostgresExecutionStore(empty).log_pages([request])
        return found

    first = await page(Window(limit=100))
    assert [(line.log.job_id, line.log.seq) for line in first.items] == [("one", 1), ("one", 2)]
    assert (first.has_next, first.has_previous) == (True, False)
    last = await page(Window(limit=100, backward=True))
    assert [(line.log.job_id, line.log.seq) for line in last.items] == [("three", 1), ("three", 2)]
    assert (last.has_next, last.has_previous) == (False, True)


TREE = """
{
  executions {
    nodes {
      executionId status
      logs(first: 3) { totalCount nodes { seq jobId } }
      errors: logs(last: 2, filter: {stages: ["a"]}) { totalCount nodes { seq } }
      jobs { totalCount nodes { jobId execution { executionId } logs(first: 1) { nodes { seq } } } }
    }
  }
}
"""


async def test_a_list_of_executions_costs_as_many_statements_whatever_its_length(empty: Database) -> None:
    async def cost() -> tuple[int, int]:
        with statements_of(empty) as statements:
            result = await schema.execute(TREE, context_value=Context(services_over(empty)))
        assert result.errors is None
        assert result.data is not None
        nodes = result.data["executions"]["nodes"]
        assert all(
            job["execution"]["executionId"] == node["executionId"] for node in nodes for job in node["jobs"]["nodes"]
        )
        return len(statements), sum(len(node["jobs"]["nodes"]) for node in nodes)

    await record(empty, range(1), jobs=1)
    small = await cost()
    await record(empty, range(1, 20), jobs=4)
    assert (small, await cost()) == ((7, 1), (7, 1 + 19 * 4))


async def record(database: Database, runs: range, *, jobs: int) -> None:
    for run in runs:
        for number in range(jobs):
            job_id = f"{run}-{number}"
            events: list[Event] = [
                JobStarted(job_id=job_id, handler_name="h", execution_id=f"run-{run}"),
                Line(job_id=job_id, message="x", stage="a"),
            ]
            await store(PostgresLogStore(database), *events)
