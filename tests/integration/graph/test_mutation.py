"""The mutations, and what follows from them for stages and tasks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.client import Api, new_job_id
from tests.conftest import Service


@pytest.fixture(scope="module")
def api(shared_service: Service) -> Iterator[Api]:
    with Api(shared_service) as api:
        yield api


def _line(stage: str, message: str = "said", **more: Any) -> dict[str, Any]:
    return {"stage": stage, "message": message, **more}


def _job(api: Api, job_id: str) -> Any:
    query = """
    query ($jobId: String!) {
      job(jobId: $jobId) {
        jobId handlerName source status error metadata startedAt finishedAt durationMs lastSeq
        progress { current total } parent { jobId } logs { nodes { seq executionId } }
      }
    }
    """
    return api.ask(query, jobId=job_id)["job"]


def _stages(api: Api, job_id: str) -> dict[str, str]:
    query = "query ($jobId: String!) { job(jobId: $jobId) { stages { name status finishedAt } } }"
    stages = api.ask(query, jobId=job_id)["job"]["stages"]
    for stage in stages:
        assert (stage["finishedAt"] is None) is (stage["status"] == "RUNNING")
    return {stage["name"]: stage["status"] for stage in stages}


def _tasks(api: Api, job_id: str) -> dict[str, str]:
    query = "query ($jobId: String!) { job(jobId: $jobId) { stages { tasks { nodes { taskId status } } } } }"
    stages = api.ask(query, jobId=job_id)["job"]["stages"]
    return {task["taskId"]: task["status"] for stage in stages for task in stage["tasks"]["nodes"]}


def test_a_line_without_a_stage_belongs_to_main(api: Api) -> None:
    job_id = new_job_id()
    api.capture(job_id, {"message": "hello"})
    query = "query ($id: String!) { job(jobId: $id) { logs { nodes { stage } } } }"
    assert api.ask(query, id=job_id)["job"]["logs"]["nodes"] == [{"stage": "main"}]


def test_a_job_starts_with_all_that_is_known_of_it(api: Api) -> None:
    parent, job_id = new_job_id(), new_job_id()
    query = """
    mutation ($input: StartJobInput!) {
      startJob(input: $input) {
        jobId handlerName source status metadata lastSeq progress { current total percentage } startedAt finishedAt
        stages { name }
      }
    }
    """
    job = api.ask(
        query,
        input={
            "jobId": job_id,
            "handlerName": "ingest_jd",
            "source": "queue://recruiting",
            "executionId": "EX_7",
            "parentJobId": parent,
            "metadata": {"attempt": 1, "big": 10**30},
            "progressTotal": 2**53 - 1,
        },
    )["startJob"]
    assert datetime.now(UTC) - datetime.fromisoformat(job.pop("startedAt")) < timedelta(minutes=1)
    assert job == {
        "jobId": job_id,
        "handlerName": "ingest_jd",
        "source": "queue://recruiting",
        "status": "RUNNING",
        "metadata": {"attempt": 1, "big": str(10**30)},
        "lastSeq": 0,
        "progress": {"current": 0, "total": 2**53 - 1, "percentage": 0},
        "finishedAt": None,
        "stages": [],
    }
    api.start(parent)
    api.capture(job_id, "line")
    stored = _job(api, job_id)
    assert (stored["parent"], stored["logs"]["nodes"]) == ({"jobId": parent}, [{"seq": 1, "executionId": "EX_7"}])


def test_a_job_starts_with_little(api: Api) -> None:
    job_id = new_job_id()
    api.start(job_id, source=None, executionId=None, parentJobId=None, metadata=None, progressTotal=None)
    job = _job(api, job_id)
    assert (job["source"], job["metadata"], job["progress"], job["parent"]) == (None, None, None, None)


def test_starting_a_running_job_again_changes_only_what_is_said(api: Api) -> None:
    job_id = new_job_id()
    api.start(job_id, source="here", metadata={"a": 1})
    before = _job(api, job_id)
    api.capture(job_id, "one")
    api.start(job_id, "another_handler")
    job = _job(api, job_id)
    assert (job["handlerName"], job["source"], job["metadata"]) == ("another_handler", "here", {"a": 1})
    assert (job["lastSeq"], job["startedAt"]) == (1, before["startedAt"])


def test_a_job_says_what_came_of_it_and_when_it_spoke_last(api: Api) -> None:
    job_id = new_job_id()
    api.start(job_id)
    query = "query ($job: String!) { job(jobId: $job) { result createdAt lastLineAt } }"
    job = api.ask(query, job=job_id)["job"]
    assert (job["result"], job["lastLineAt"]) == (None, None)
    api.capture(job_id, "one")
    first = api.ask(query, job=job_id)["job"]["lastLineAt"]
    api.capture(job_id, "two")
    api.finish(job_id, result="1,000,000 documents")
    job = api.ask(query, job=job_id)["job"]
    assert job["result"] == "1,000,000 documents"
    assert job["createdAt"] <= first < job["lastLineAt"]


def test_a_job_that_has_ended_starts_anew(api: Api) -> None:
    job_id = new_job_id()
    api.start(job_id)
    api.capture(job_id, "first run")
    api.finish(job_id, "FAILED", error="out of memory")
    ended = _job(api, job_id)
    assert (ended["status"], ended["error"]) == ("FAILED", "out of memory")
    assert ended["durationMs"] >= 0
    assert _stages(api, job_id) == {"read_jd": "FAILED"}

    assert api.start(job_id) == {"jobId": job_id, "status": "RUNNING"}
    job = _job(api, job_id)
    assert (job["error"], job["finishedAt"], job["durationMs"]) == (None, None, None)
    assert job["startedAt"] > ended["startedAt"]
    assert api.capture(job_id, "second run") == (2, 2)
    assert _stages(api, job_id) == {"read_jd": "RUNNING"}
    api.finish(job_id)
    assert _job(api, job_id)["status"] == "COMPLETED"


def test_lines_are_numbered_in_the_order_they_came_in(api: Api) -> None:
    job_id = new_job_id()
    assert api.capture(job_id, "one") == (1, 1)
    assert api.capture(job_id, "two", "three", "four") == (2, 4)
    assert api.capture(job_id, *["more"] * 1000) == (5, 1004)


def test_an_unknown_job_is_registered_by_its_first_line(api: Api) -> None:
    job_id = new_job_id()
    api.capture(job_id, "hello")
    job = _job(api, job_id)
    assert (job["handlerName"], job["status"], job["lastSeq"]) == ("unknown", "RUNNING", 1)
    api.start(job_id, "ingest_jd")
    assert _job(api, job_id)["handlerName"] == "ingest_jd"


def test_a_line_has_its_defaults(api: Api) -> None:
    job_id = new_job_id()
    api.capture(job_id, {"stage": "read_jd", "message": "said"}, {"stage": "", "message": "before any stage"})
    query = """
    query ($id: String!) { job(jobId: $id) { logs { nodes { stage taskId level metadata timestamp } } } }
    """
    one, two = api.ask(query, id=job_id)["job"]["logs"]["nodes"]
    assert datetime.now(UTC) - datetime.fromisoformat(one.pop("timestamp")) < timedelta(minutes=1)
    assert one == {"stage": "read_jd", "taskId": None, "level": "INFO", "metadata": None}
    assert two["stage"] == "main"


def test_what_postgres_cannot_hold_is_replaced_visibly(api: Api) -> None:
    job_id = new_job_id()
    odd = {"stage": "a\0b", "taskId": "t\ud800", "message": "x\0y\udfffz", "metadata": {"k\0": ["\ud800"]}}
    api.capture(job_id, odd)
    query = "query ($id: String!) { job(jobId: $id) { logs { nodes { stage taskId message metadata } } } }"
    assert api.ask(query, id=job_id)["job"]["logs"]["nodes"] == [
        {"stage": "a\u2400b", "taskId": "t\ufffd", "message": "x\u2400y\ufffdz", "metadata": {"k\u2400": ["\ufffd"]}}
    ]
    query = "query ($id: String!, $f: LogFilter) { job(jobId: $id) { logs(filter: $f) { totalCount } } }"
    for chosen in ({"search": "X\0Y"}, {"stages": ["a\0b"]}, {"taskIds": ["t\ud800"]}, {"metadata": odd["metadata"]}):
        assert api.ask(query, id=job_id, f=chosen)["job"]["logs"]["totalCount"] == 1
    query = "query ($id: String!, $name: String!) { job(jobId: $id) { stage(name: $name) { taskCount } } }"
    assert api.ask(query, id=job_id, name="a\0b")["job"]["stage"] == {"taskCount": 1}


CAPTURE = """
mutation ($jobId: String!, $lines: [CaptureLineInput!]!) { captureLogs(jobId: $jobId, lines: $lines) { lastSeq } }
"""


def test_lines_are_stored_all_or_none(api: Api) -> None:
    job_id = new_job_id()
    refused = api.refusal(CAPTURE, jobId=job_id, lines=[_line("a"), _line("a", metadata=["no object"])])
    assert refused.code == "BAD_INPUT"
    assert refused.message == "metadata must be a JSON object such as {\"attempt\": 2}, not ['no object']"
    assert _job(api, job_id) is None


def test_no_lines_are_refused(api: Api) -> None:
    refused = api.refusal(CAPTURE, jobId=new_job_id(), lines=[])
    assert (refused.code, refused.message) == ("BAD_INPUT", "lines is empty; send at least one line")


START = "mutation ($input: StartJobInput!) { startJob(input: $input) { jobId } }"
FINISH = "mutation ($input: FinishJobInput!) { finishJob(input: $input) { jobId } }"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"jobId": ""}, "a job id cannot be empty"),
        ({"jobId": "JB_SELF", "parentJobId": "JB_SELF"}, "a job cannot be its own parent"),
        ({"jobId": "JB_BAD", "progressTotal": -1}, "progressTotal must not be negative"),
        ({"jobId": "JB_BAD", "metadata": "text"}, "metadata must be a JSON object"),
        ({"jobId": "JB_BAD", "progressTotal": 2**53}, "no whole number between"),
    ],
)
def test_a_job_that_cannot_be_is_refused(api: Api, given: dict[str, Any], message: str) -> None:
    refused = api.refusal(START, input={"handlerName": "ingest_jd", **given})
    assert refused.code == "BAD_INPUT"
    assert message in refused.message
    assert _job(api, given["jobId"]) is None


def test_the_end_of_an_unknown_job_is_not_found(api: Api) -> None:
    refused = api.refusal(FINISH, input={"jobId": "JB_NOBODY", "status": "COMPLETED"})
    assert (refused.code, refused.message, refused.path) == ("NOT_FOUND", "there is no job 'JB_NOBODY'", ["finishJob"])
    assert _job(api, "JB_NOBODY") is None


@pytest.mark.parametrize("status", ["RUNNING", "QUEUED", "PAUSED"])
def test_a_job_does_not_end_unfinished(api: Api, status: str) -> None:
    job_id = new_job_id()
    api.start(job_id)
    refused = api.refusal(FINISH, input={"jobId": job_id, "status": status})
    assert (refused.code, refused.message) == (
        "BAD_INPUT",
        f"a job ends COMPLETED, FAILED or CANCELLED, not {status}",
    )
    assert _job(api, job_id)["finishedAt"] is None


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "CANCELLED"])
def test_a_job_ends_and_its_latest_stage_with_it(api: Api, status: str) -> None:
    job_id = new_job_id()
    api.start(job_id)
    api.capture(job_id, _line("read"), _line("score"), _line("score", taskId="CNT_1"))
    assert _stages(api, job_id) == {"read": "COMPLETED", "score": "RUNNING"}
    assert _tasks(api, job_id) == {"read": "COMPLETED", "score": "RUNNING", "CNT_1": "RUNNING"}
    assert api.finish(job_id, status, error="why")["status"] == status
    job = _job(api, job_id)
    assert (job["status"], job["error"]) == (status, "why")
    assert job["finishedAt"] >= job["startedAt"]
    assert _stages(api, job_id) == {"read": "COMPLETED", "score": status}
    task = "CANCELLED" if status == "CANCELLED" else "COMPLETED"
    assert _tasks(api, job_id) == {"read": "COMPLETED", "score": status, "CNT_1": task}


def test_a_stage_runs_from_its_first_line_until_a_later_one_starts(api: Api) -> None:
    job_id = new_job_id()
    api.capture(job_id, _line("one"))
    assert _stages(api, job_id) == {"one": "RUNNING"}
    api.capture(job_id, _line("two"))
    assert _stages(api, job_id) == {"one": "COMPLETED", "two": "RUNNING"}
    api.capture(job_id, _line("one", "a straggler"))
    assert _stages(api, job_id) == {"one": "COMPLETED", "two": "RUNNING"}


@pytest.mark.parametrize("level", ["ERROR", "CRITICAL"])
def test_a_stage_fails_where_an_error_names_it(api: Api, level: str) -> None:
    job_id = new_job_id()
    api.capture(job_id, _line("one"), _line("one", "broke", level=level))
    assert _stages(api, job_id) == {"one": "FAILED"}
    api.capture(job_id, _line("two"), _line("two", "hm", level="WARNING"))
    assert _stages(api, job_id) == {"one": "FAILED", "two": "RUNNING"}
    api.finish(job_id)
    assert _stages(api, job_id) == {"one": "FAILED", "two": "COMPLETED"}


def test_a_task_that_fails_leaves_its_stage_running(api: Api) -> None:
    job_id = new_job_id()
    api.capture(job_id, _line("score"), _line("score", "no degree", taskId="CNT_1", level="ERROR"))
    assert _stages(api, job_id) == {"score": "RUNNING"}
    assert _tasks(api, job_id) == {"score": "RUNNING", "CNT_1": "FAILED"}
