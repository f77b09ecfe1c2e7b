"""Why a job failed: its first error, and what was said around it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from graph.context import Context
from graph.schema import schema
from jobtail.events import Line, LogLevel
from persistence.database import Database
from persistence.stores.log_store import PostgresLogStore
from tests.client import Api, new_job_id
from tests.conftest import CloneDatabase, Service
from tests.fakes import store
from tests.services import services_over
from tests.statements import statements_of

FAILURE = """
query ($job: String!, $before: Int = 10, $after: Int = 5) {
  job(jobId: $job) {
    error
    failure { stage taskId firstError { seq level message } context(before: $before, after: $after) { seq } }
  }
}
"""


@pytest.fixture(scope="module")
def api(shared_service: Service) -> Iterator[Api]:
    with Api(shared_service) as api:
        yield api


def _line(level: str, message: str = "m", **more: Any) -> dict[str, Any]:
    return {"stage": "score", "level": level, "message": message, **more}


def _failure(api: Api, job_id: str, **arguments: Any) -> Any:
    return api.ask(FAILURE, job=job_id, **arguments)["job"]["failure"]


def _context(failure: Any) -> list[int]:
    return [line["seq"] for line in failure["context"]]


def test_the_first_line_at_error_or_above_tells_why(api: Api) -> None:
    job_id = new_job_id()
    api.capture(job_id, *["said"] * 20, _line("WARNING"), _line("CRITICAL", "no CV", taskId="CNT_1"), _line("ERROR"))
    api.capture(job_id, *["said"] * 20)
    failure = _failure(api, job_id)
    assert _context(failure) == list(range(12, 28))
    del failure["context"]
    assert failure == {
        "stage": "score",
        "taskId": "CNT_1",
        "firstError": {"seq": 22, "level": "CRITICAL", "message": "no CV"},
    }


def test_a_stage_that_failed_itself_is_no_task(api: Api) -> None:
    job_id = new_job_id()
    api.capture(job_id, _line("ERROR"))
    failure = _failure(api, job_id)
    assert (failure["stage"], failure["taskId"], _context(failure)) == ("score", None, [1])


@pytest.mark.parametrize(
    ("arguments", "seqs"),
    [
        ({"before": 0, "after": 0}, [4]),
        ({"before": 1, "after": 0}, [3, 4]),
        ({"before": 0, "after": 2}, [4, 5, 6]),
        ({"before": 3, "after": 3}, [1, 2, 3, 4, 5, 6, 7]),
        ({"before": 999, "after": 0}, [1, 2, 3, 4]),
        ({"before": 0, "after": 999}, [4, 5, 6, 7]),
        ({"before": None, "after": 0}, [1, 2, 3, 4]),
        ({}, [1, 2, 3, 4, 5, 6, 7]),
    ],
    ids=str,
)
def test_the_context_is_as_wide_as_was_asked_for(api: Api, arguments: dict[str, int | None], seqs: list[int]) -> None:
    job_id = new_job_id()
    api.capture(job_id, "1", "2", "3", _line("ERROR"), "5", "6", "7")
    assert _context(_failure(api, job_id, **arguments)) == seqs


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"before": -1}, "before must not be negative, and is -1"),
        ({"after": -1}, "after must not be negative, and is -1"),
        ({"before": 500, "after": 500}, "before and after must be 999 together at most, not 1000"),
        ({"before": 2**31 - 1, "after": 2**31 - 1}, f"before and after must be 999 together at most, not {2**32 - 2}"),
    ],
    ids=str,
)
def test_a_context_that_cannot_be_is_refused(api: Api, arguments: dict[str, int], message: str) -> None:
    job_id = new_job_id()
    api.capture(job_id, _line("ERROR"))
    refused = api.refusal(FAILURE, job=job_id, **arguments)
    assert (refused.code, refused.message) == ("BAD_INPUT", message)


def test_a_job_without_a_grave_line_has_no_failure(api: Api) -> None:
    job_id = new_job_id()
    api.start(job_id)
    assert _failure(api, job_id) is None
    api.capture(job_id, "said", _line("WARNING"))
    assert _failure(api, job_id) is None


def test_a_job_that_failed_without_a_word_has_an_error_and_no_failure(api: Api) -> None:
    job_id = new_job_id()
    api.capture(job_id, "said")
    api.finish(job_id, "FAILED", error="killed")
    assert api.ask(FAILURE, job=job_id)["job"] == {"error": "killed", "failure": None}


def test_a_job_that_goes_on_or_ends_well_after_an_error_tells_of_it(api: Api) -> None:
    job_id = new_job_id()
    api.capture(job_id, _line("ERROR"))
    assert _failure(api, job_id)["firstError"]["seq"] == 1
    api.finish(job_id, "COMPLETED")
    assert _failure(api, job_id)["firstError"]["seq"] == 1


async def test_the_failures_of_many_jobs_cost_as_many_statements_as_that_of_one(
    new_database: CloneDatabase, migrated_template: str
) -> None:
    url = await asyncio.to_thread(new_database, migrated_template)
    async with Database(url) as database:
        logs = PostgresLogStore(database)
        costs = []
        for jobs in (range(1), range(1, 30)):
            for job in jobs:
                await store(logs, Line(job_id=f"job-{job}", message="m", level=LogLevel.ERROR))
            costs.append(await _cost(database, len(jobs) + (jobs.start > 0)))
        assert costs[0] == costs[1]


async def _cost(database: Database, expected: int) -> int:
    query = "{ jobs { nodes { failure { firstError { seq } context { seq } } } } }"
    with statements_of(database) as statements:
        result = await schema.execute(query, context_value=Context(services_over(database)))
    assert result.errors is None
    assert result.data is not None
    whole = {"firstError": {"seq": 1}, "context": [{"seq": 1}]}
    assert [job["failure"] for job in result.data["jobs"]["nodes"]] == [whole] * expected
    return len(statements)


WHY = """
query ($job: String!, $first: Int) {
  job(jobId: $job) {
    failure {
      firstError { seq }
      cause { seq }
      errors(first: $first) { template level stage count example { seq } }
      failedChildren { jobId failure { cause { seq } } }
    }
  }
}
"""
TRACEBACK = (
    'scoring failed\nTraceback (most recent call last):\n  File "a.py", line 1\nRuntimeError: disk quota exceeded'
)


def _why(api: Api, job_id: str, first: int | None = None) -> Any:
    return api.ask(WHY, job=job_id, first=first)["job"]["failure"]


@pytest.mark.parametrize(
    ("lines", "error", "cause"),
    [
        ([_line("ERROR", "cache miss"), "said", _line("ERROR", TRACEBACK)], "RuntimeError: disk quota exceeded", 3),
        ([_line("ERROR", TRACEBACK), _line("ERROR", "cleaning up failed")], "RuntimeError: disk quota exceeded", 1),
        (
            [_line("ERROR", "\x1b[31mdisk quota\x1b[0m exceeded"), _line("ERROR")],
            "RuntimeError: disk quota exceeded",
            1,
        ),
        (
            [_line("ERROR", "failed", metadata={"error": "disk quota exceeded"}), _line("ERROR", "later")],
            "RuntimeError: disk quota exceeded",
            1,
        ),
        ([_line("ERROR", "one"), _line("ERROR", "two"), _line("ERROR", "else", stage="zip")], "exit status 1", 3),
        ([_line("ERROR", "one"), _line("CRITICAL", "two")], None, 2),
    ],
    ids=["traceback", "before others", "colours", "metadata", "stage that failed", "no error"],
)
def test_the_cause_is_the_line_that_ended_the_job(api: Api, lines: list[Any], error: str | None, cause: int) -> None:
    job_id = new_job_id()
    api.capture(job_id, *lines)
    api.finish(job_id, "FAILED", error=error)
    assert _why(api, job_id)["cause"] == {"seq": cause}


def test_the_cause_is_found_before_many_other_errors(api: Api) -> None:
    job_id = new_job_id()
    api.capture(job_id, _line("ERROR", TRACEBACK), *[_line("ERROR", "cleaning up failed")] * 60)
    api.finish(job_id, "FAILED", error="RuntimeError: disk quota exceeded")
    assert _why(api, job_id)["cause"] == {"seq": 1}


def test_a_job_that_completed_has_errors_and_no_cause(api: Api) -> None:
    job_id = new_job_id()
    api.capture(job_id, _line("ERROR"))
    api.finish(job_id, "COMPLETED")
    failure = _why(api, job_id)
    assert (failure["cause"], [each["count"] for each in failure["errors"]]) == (None, [1])


def test_errors_are_counted_by_what_they_say_that_of_the_cause_first(api: Api) -> None:
    job_id = new_job_id()
    api.capture(job_id, *[_line("ERROR", f"order {n}: cache miss") for n in range(5)], _line("ERROR", TRACEBACK))
    api.finish(job_id, "FAILED", error="RuntimeError: disk quota exceeded")
    of_cause, missed = _why(api, job_id)["errors"]
    assert (of_cause["count"], of_cause["example"]) == (1, {"seq": 6})
    assert missed == {
        "template": "order <*>: cache miss",
        "level": "ERROR",
        "stage": "score",
        "count": 5,
        "example": {"seq": 1},
    }
    assert len(_why(api, job_id, first=1)["errors"]) == 1


def test_the_children_that_failed_are_told_the_first_to_fail_first(api: Api) -> None:
    parent = new_job_id()
    api.capture(parent, _line("ERROR", "part failed"))
    for name in ("late", "early", "well"):
        api.start(f"{parent}-{name}", parentJobId=parent)
        api.capture(f"{parent}-{name}", _line("ERROR", f"{name} failed"))
    api.finish(f"{parent}-well")
    for name in ("early", "late"):
        api.finish(f"{parent}-{name}", "FAILED", error=f"{name} failed")
    assert _why(api, parent)["failedChildren"] == [
        {"jobId": f"{parent}-{name}", "failure": {"cause": {"seq": 1}}} for name in ("early", "late")
    ]
