"""The log by plain HTTP: pages, whole logs as text and NDJSON, and the counts of stages and tasks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.client import Api, new_job_id
from tests.conftest import Service

AT = "2026-11-22T20:33:58.123456Z"


@pytest.fixture(scope="module")
def api(shared_service: Service) -> Iterator[Api]:
    with Api(shared_service) as api:
        yield api


def get(api: Api, path: str, **headers: str) -> httpx.Response:
    return api.http.get(f"{api.service.url}{path}", headers=headers)


def read(api: Api, path: str) -> Any:
    response = get(api, path)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    return response.json()


def refused(api: Api, path: str, **headers: str) -> tuple[int, str, str]:
    response = get(api, path, **headers)
    error = response.json()["error"]
    return response.status_code, error["code"], error["message"]


def line(message: str, stage: str = "read_jd", **more: Any) -> dict[str, Any]:
    return {"stage": stage, "message": message, "timestamp": AT, **more}


def scored(api: Api) -> str:
    """Capture a job of two stages and three tasks."""
    job_id = new_job_id()
    api.capture(
        job_id,
        line("Reading"),
        line("Scoring", "score", taskId="c-1", metadata={"score": 0.5}),
        line("No email", "score", taskId="c-2", level="WARNING"),
        line("Scored", "score"),
        line("Gone", "score", taskId="c-2", level="ERROR"),
    )
    return job_id


def ids(answer: Any) -> list[int]:
    return [each["id"] for each in answer["logs"]]


def test_a_page_has_the_lines_of_a_job_as_they_were_captured(api: Api) -> None:
    job_id = scored(api)
    assert read(api, f"/jobs/{job_id}/logs?limit=2") == {
        "job_id": job_id,
        "total_count": 5,
        "logs": [
            {
                "id": 1,
                "stage": "read_jd",
                "task_id": None,
                "timestamp": AT,
                "level": "info",
                "message": "Reading",
                "metadata": None,
            },
            {
                "id": 2,
                "stage": "score",
                "task_id": "c-1",
                "timestamp": AT,
                "level": "info",
                "message": "Scoring",
                "metadata": {"score": 0.5},
            },
        ],
        "next": 2,
    }


def test_the_pages_are_the_whole_job(api: Api) -> None:
    job_id, after, found = scored(api), 0, []
    while after is not None:
        page = read(api, f"/jobs/{job_id}/logs?limit=2&after={after}")
        found += ids(page)
        after = page["next"]
    assert found == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("", [1, 2, 3, 4, 5]),
        ("level=error", [5]),
        ("level=ERROR,warn", [3, 5]),
        ("level=error&level=info", [1, 2, 4, 5]),
        ("min_level=warning", [3, 5]),
        ("stage=score", [2, 3, 4, 5]),
        ("stage=score&stage=read_jd&task_id=c-2", [3, 5]),
        ("task_id=score", [4]),
        ("search=SCOR", [2, 4]),
        ("search=^scor(ed|es)$&regex=1", [4]),
        (f"since={AT}", [1, 2, 3, 4, 5]),
        (f"until={AT}", []),
        ("since_seq=2&until_seq=4", [2, 3]),
        ("since_seq=3&search=scor", [4]),
        ("stage=nowhere", []),
        ("limit=0", []),
        ("after=4", [5]),
        ("after=99", []),
    ],
)
def test_filters_choose_lines_and_count_them(api: Api, asked: str, found: list[int]) -> None:
    page = read(api, f"/jobs/{scored(api)}/logs?{asked}")
    assert ids(page) == found
    if not asked.startswith(("limit", "after")):
        assert page["total_count"] == len(found)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("search=a)&regex=1", "the regular expression 'a)' is wrong at character 2"),
        ("levels=error", "there is no parameter 'levels'; this endpoint knows stage, task_id, level,"),
        ("level=loud", "level must be one of trace, debug, info, warning, error, critical, not 'loud'"),
        ("level=", "level must be one of"),
        ("min_level=info,error", "min_level must be one of"),
        ("min_level=info&min_level=error", "give min_level once, not 2 times"),
        ("limit=1001", "limit must be a whole number from 0 to 1000, not '1001'"),
        ("limit=-1", "limit must be a whole number"),
        ("limit=%D9%A1", "limit must be a whole number"),
        ("after=x", "after must be a whole number"),
        ("after=" + "9" * 5000, "after must be a whole number"),
        ("since=yesterday", "since must be a time such as 2025-01-15T10:30:00Z, not 'yesterday'"),
        ("since_seq=-1", "since_seq must be a whole number from 0"),
        ("format=xml", "format must be one of json, text, ndjson, not 'xml'"),
        ("download=yes", "download must be 1 or 0, not 'yes'"),
    ],
)
def test_a_wrong_parameter_is_refused_with_what_to_do(api: Api, asked: str, said: str) -> None:
    status, code, message = refused(api, f"/jobs/{new_job_id()}/logs?{asked}")
    assert (status, code) == (400, "BAD_INPUT")
    assert message.startswith(said)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/jobs/none/logs", "there is no job 'none'"),
        ("/executions/none/logs", "there is no execution 'none'"),
        ("/api/pulse/jobs/none/stages", "there is no job 'none'"),
        ("/api/pulse/jobs/none/tasks/c/logs", "there is no job 'none'"),
        ("/api/pulse/tasks/none/logs", "there is no task 'none'"),
        ("/jobs/none/logs?format=text", "there is no job 'none'"),
    ],
)
def test_what_is_not_there_is_404(api: Api, path: str, said: str) -> None:
    assert refused(api, path) == (404, "NOT_FOUND", said)


@pytest.mark.parametrize("name", ["a/b", "a%2Fb", "ä?#&", "a/logs", "..", "x/tasks/y", "a b+c", "日本"])
def test_an_id_may_hold_any_character(api: Api, name: str) -> None:
    job_id = new_job_id(name)
    api.capture(job_id, line("m", "score", taskId=name))
    sent, task = quote(job_id, ""), quote(name, "") if name != ".." else "%2E%2E"
    assert read(api, f"/jobs/{sent}/logs")["job_id"] == job_id
    assert read(api, f"/api/pulse/jobs/{sent}/stages")["job_id"] == job_id
    assert read(api, f"/api/pulse/jobs/{sent}/tasks/{task}/logs")["task_id"] == name


def test_a_job_without_lines_has_an_empty_page(api: Api) -> None:
    job_id = new_job_id()
    api.start(job_id)
    assert read(api, f"/jobs/{job_id}/logs") == {"job_id": job_id, "total_count": 0, "logs": [], "next": None}
    assert read(api, f"/api/pulse/jobs/{job_id}/stages") == {"job_id": job_id, "stages": []}
    assert get(api, f"/jobs/{job_id}/logs?format=text").content == b""


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("*/*", "application/json"),
        ("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", "application/json"),
        ("text/plain", "text/plain; charset=utf-8"),
        ("application/x-ndjson", "application/x-ndjson"),
        ("text/plain;q=0.1, application/x-ndjson", "application/x-ndjson"),
        ("application/json, text/plain;q=0.5", "application/json"),
        ("text/plain;q=0", "application/json"),
        ("text/plain;q=loud", "application/json"),
    ],
)
def test_the_accept_header_chooses_the_form(api: Api, accept: str, media_type: str) -> None:
    response = get(api, f"/jobs/{scored(api)}/logs", accept=accept)
    assert (response.status_code, response.headers["content-type"]) == (200, media_type)


def test_text_shows_a_line_with_its_time_level_and_place(api: Api) -> None:
    text = get(api, f"/jobs/{scored(api)}/logs?format=text&min_level=warning").text
    assert text == f"{AT}  WARNING   score/c-2  No email\n{AT}  ERROR     score/c-2  Gone\n"


def test_ndjson_has_one_line_an_object(api: Api) -> None:
    job_id = scored(api)
    lines = get(api, f"/jobs/{job_id}/logs?format=ndjson&after=1&limit=3").text.splitlines()
    assert [json.loads(line) for line in lines] == read(api, f"/jobs/{job_id}/logs?after=1&limit=3")["logs"]


def test_a_download_has_a_file_name(api: Api) -> None:
    job_id = new_job_id("a/ä")
    api.capture(job_id, "m")
    response = get(api, f"/jobs/{quote(job_id, '')}/logs?format=text&download=1")
    assert response.headers["content-disposition"] == f"attachment; filename*=UTF-8''{quote(job_id, '')}.log"


def test_an_execution_has_the_lines_of_its_jobs_job_by_job(api: Api) -> None:
    execution_id, first, second = new_job_id("EX"), new_job_id(), new_job_id()
    for job_id in (first, second):
        api.start(job_id, executionId=execution_id)
    api.capture(second, "c")
    api.capture(first, "a", "b")
    found, after = [], ""
    while after is not None:
        page = read(api, f"/executions/{execution_id}/logs?limit=1{after and '&after='}{after}")
        assert (page["execution_id"], page["total_count"]) == (execution_id, 3)
        found += [(each["job_id"], each["id"], each["message"]) for each in page["logs"]]
        after = page["next"]
    assert found == [(first, 1, "a"), (first, 2, "b"), (second, 1, "c")]
    whole = get(api, f"/executions/{execution_id}/logs?format=ndjson").text.splitlines()
    assert [(each["job_id"], each["id"], each["message"]) for each in map(json.loads, whole)] == found
    assert refused(api, f"/executions/{execution_id}/logs?after=1")[:2] == (400, "BAD_INPUT")


def test_stages_come_in_order_with_the_lines_of_their_tasks(api: Api) -> None:
    job_id = scored(api)
    assert read(api, f"/api/pulse/jobs/{job_id}/stages") == {
        "job_id": job_id,
        "stages": [
            {"stage": "read_jd", "tasks": [{"task_id": "read_jd", "log_count": 1}]},
            {
                "stage": "score",
                "tasks": [
                    {"task_id": "c-1", "log_count": 1},
                    {"task_id": "c-2", "log_count": 2},
                    {"task_id": "score", "log_count": 1},
                ],
            },
        ],
    }


def test_all_tasks_of_a_large_stage_are_counted(api: Api) -> None:
    job_id, tasks = new_job_id(), [f"c-{n}" for n in range(2300)]
    for some in (tasks[:2000], tasks[2000:]):
        api.capture(job_id, *(line("m", "score", taskId=task) for task in some))
    api.capture(job_id, line("m"))
    large, small = read(api, f"/api/pulse/jobs/{job_id}/stages")["stages"]
    assert [task["task_id"] for task in large["tasks"]] == tasks
    assert len(small["tasks"]) == 1


def test_a_task_has_its_lines_in_order_from_all_stages(api: Api) -> None:
    job_id = scored(api)
    api.capture(job_id, line("Persisted", "persist", taskId="c-2", metadata={"row": 7}))
    answer = read(api, f"/api/pulse/jobs/{job_id}/tasks/c-2/logs")
    assert answer == {
        "task_id": "c-2",
        "logs": [
            {"timestamp": AT, "level": "warning", "message": "No email", "metadata": None},
            {"timestamp": AT, "level": "error", "message": "Gone", "metadata": None},
            {"timestamp": AT, "level": "info", "message": "Persisted", "metadata": {"row": 7}},
        ],
    }
    own = read(api, f"/api/pulse/jobs/{job_id}/tasks/read_jd/logs")
    assert [each["message"] for each in own["logs"]] == ["Reading"]
    assert refused(api, f"/api/pulse/jobs/{job_id}/tasks/c-3/logs") == (404, "NOT_FOUND", "there is no task 'c-3'")


def test_a_task_is_found_without_its_job_where_one_job_has_it(api: Api) -> None:
    task_id, first, second = new_job_id("CNT"), new_job_id("b"), new_job_id("a")
    api.capture(first, line("m", "score", taskId=task_id))
    answer = read(api, f"/api/pulse/tasks/{task_id}/logs")
    assert [each["message"] for each in answer["logs"]] == ["m"]
    api.capture(second, line("n", "score", taskId=task_id))
    response = get(api, f"/api/pulse/tasks/{task_id}/logs")
    assert response.status_code == 409
    error = response.json()["error"]
    assert error["job_ids"] == [second, first]
    assert error["message"].startswith(f"several jobs have a task {task_id!r}; ask for that of one of them")


def test_other_methods_are_refused(api: Api) -> None:
    response = api.http.post(f"{api.service.url}/jobs/a/logs")
    assert (response.status_code, set(response.headers["allow"].split(", "))) == (405, {"GET", "HEAD"})
