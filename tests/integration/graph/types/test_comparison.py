"""Comparisons as clients ask for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.client import Api, Refusal, new_job_id
from tests.conftest import Service

COMPARE = """
query ($jobId: String!, $with: String, $first: Int) {
  job(jobId: $jobId) {
    compare(with: $with) {
      with { jobId status }
      reason
      isComplete
      comparedLines
      withComparedLines
      newMessages(first: $first) { template level stage count withCount example { jobId seq message } }
      newCount
      missingMessages(first: $first) { template count withCount example { jobId seq } }
      missingCount
      moreFrequent(first: $first) { template count withCount example { seq } }
      moreFrequentCount
      stages { name status withStatus durationMs withDurationMs logCounts { total } withLogCounts { error } }
    }
  }
}
"""


@pytest.fixture(scope="module")
def api(shared_service: Service) -> Iterator[Api]:
    with Api(shared_service) as api:
        yield api


def line(message: str, stage: str = "score", second: int = 0, **more: Any) -> dict[str, Any]:
    return {"stage": stage, "message": message, "timestamp": f"2026-11-22T20:00:{second:02}Z", **more}


def good_run(api: Api, handler: str) -> str:
    job_id = new_job_id()
    api.start(job_id, handler)
    api.capture(job_id, line("Read 7 rows", "read"), line("Scored CNT_1: 0.9", second=2), line("Stored", "store", 5))
    api.finish(job_id)
    return job_id


def bad_run(api: Api, handler: str) -> str:
    job_id = new_job_id()
    api.start(job_id, handler)
    scored = [line(f"Scored CNT_{n}: 0.{n}", second=4) for n in range(5)]
    api.capture(job_id, line("Read 9 rows", "read"), *scored, line("Row 17 has no CV", second=9, level="ERROR"))
    api.finish(job_id, "FAILED")
    return job_id


def compare(api: Api, job_id: str, **more: Any) -> Any:
    return api.ask(COMPARE, jobId=job_id, **more)["job"]["compare"]


def test_a_failed_run_is_compared_with_the_last_good_one(api: Api) -> None:
    handler = new_job_id("handler")
    good_run(api, handler)
    good, broken = good_run(api, handler), bad_run(api, handler)
    bad = bad_run(api, handler)
    later = good_run(api, handler)
    found = compare(api, bad)
    assert found["with"] == {"jobId": good, "status": "COMPLETED"}
    assert (found["reason"], found["isComplete"], found["comparedLines"], found["withComparedLines"]) == (
        None,
        True,
        7,
        3,
    )
    assert found["newMessages"] == [
        {
            "template": "Row <*> has no CV",
            "level": "ERROR",
            "stage": "score",
            "count": 1,
            "withCount": 0,
            "example": {"jobId": bad, "seq": 7, "message": "Row 17 has no CV"},
        }
    ]
    assert found["missingMessages"] == [
        {"template": "Stored", "count": 0, "withCount": 1, "example": {"jobId": good, "seq": 3}}
    ]
    assert found["moreFrequent"] == [
        {"template": "Scored CNT_<*>: <*>", "count": 5, "withCount": 1, "example": {"seq": 2}}
    ]
    assert (found["newCount"], found["missingCount"], found["moreFrequentCount"]) == (1, 1, 1)
    assert compare(api, bad, **{"with": broken})["newCount"] == 0
    assert compare(api, bad, **{"with": later})["with"]["jobId"] == later


def test_stages_are_side_by_side(api: Api) -> None:
    handler = new_job_id("handler")
    good, bad = good_run(api, handler), bad_run(api, handler)
    read, score, store = compare(api, bad, **{"with": good})["stages"]
    assert read == {
        "name": "read",
        "status": "COMPLETED",
        "withStatus": "COMPLETED",
        "durationMs": 4000,
        "withDurationMs": 2000,
        "logCounts": {"total": 1},
        "withLogCounts": {"error": 0},
    }
    assert (score["status"], score["withStatus"], score["withDurationMs"]) == ("FAILED", "COMPLETED", 3000)
    assert (store["status"], store["durationMs"], store["logCounts"]) == (None, None, None)
    assert store["withStatus"] == "COMPLETED"
    assert [stage["name"] for stage in compare(api, good, **{"with": bad})["stages"]] == ["read", "score", "store"]


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        ("first_of_all", "no run of 'first_of_all' before this one completed; name a job to compare it with"),
        (None, "nobody said what runs this job; name one to compare it with"),
    ],
)
def test_a_job_without_a_good_run_before_it_has_none_to_compare_with(
    api: Api, handler: str | None, reason: str
) -> None:
    job_id = new_job_id()
    if handler is not None:
        api.start(job_id, handler)
    api.capture(job_id, "said")
    found = compare(api, job_id)
    assert (found["with"], found["reason"], found["newMessages"], found["stages"]) == (None, reason, [], [])
    assert (found["comparedLines"], found["isComplete"]) == (0, True)


def test_another_run_that_is_unknown_is_named(api: Api) -> None:
    assert api.refusal(COMPARE, jobId=good_run(api, "ingest"), **{"with": "nobody"}) == Refusal(
        "NOT_FOUND", "there is no job 'nobody'", ["job", "compare"]
    )


def test_lists_are_as_long_as_was_asked_for(api: Api) -> None:
    other, job_id = new_job_id(), new_job_id()
    api.start(other)
    api.capture(job_id, *(f"said {chr(ord('a') + n % 26) * (n // 26 + 1)}" for n in range(60)))
    for first, length in ((None, 50), (0, 0), (7, 7), (1000, 60)):
        found = compare(api, job_id, first=first, **{"with": other})
        assert (len(found["newMessages"]), found["newCount"]) == (length, 60)
    refused = api.refusal(COMPARE, jobId=job_id, first=1001, **{"with": other})
    assert (refused.code, refused.message) == ("BAD_INPUT", "first must be between 0 and 1000, not 1001")
