"""The lines of all jobs, the newest first, by the API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from domain.cursors import encode, log_cursor
from tests.client import Api
from tests.conftest import CloneDatabase, serving

LOGS = """
query ($first: Int, $after: String, $filter: LogFilter, $jobFilter: JobFilter) {
  logs(first: $first, after: $after, filter: $filter, jobFilter: $jobFilter) {
    nodes { jobId seq message } edges { cursor } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}
"""
COUNT = (
    "query ($filter: LogFilter, $jobFilter: JobFilter) { logs(filter: $filter, jobFilter: $jobFilter) { totalCount } }"
)


@pytest.fixture(scope="module")
def api(new_database: CloneDatabase, migrated_template: str) -> Iterator[Api]:
    with serving(new_database(migrated_template)) as service, Api(service) as api:
        api.start("JB_1", "ingest_jd", executionId="EX_1")
        api.start("JB_2", "score_candidates", parentJobId="JB_1")
        api.capture("JB_1", "a", "b")
        api.capture("JB_2", "c", {"stage": "score", "message": "d", "level": "ERROR"})
        api.capture("JB_1", "e")
        api.capture("JB_3", "f")
        yield api


WHOLE = [("JB_3", 1), ("JB_1", 3), ("JB_2", 2), ("JB_2", 1), ("JB_1", 2), ("JB_1", 1)]


def _logs(api: Api, **arguments: Any) -> Any:
    return api.ask(LOGS, **arguments)["logs"]


def _keys(page: Any) -> list[tuple[str, int]]:
    return [(line["jobId"], line["seq"]) for line in page["nodes"]]


def _info(page: Any) -> tuple[bool, bool]:
    return page["pageInfo"]["hasPreviousPage"], page["pageInfo"]["hasNextPage"]


def test_the_lines_of_all_jobs_come_the_newest_first(api: Api) -> None:
    page = _logs(api)
    assert [line["message"] for line in page["nodes"]] == list("fedcba")
    assert (_keys(page), _info(page)) == (WHOLE, (False, False))
    cursors = [edge["cursor"] for edge in page["edges"]]
    assert (page["pageInfo"]["startCursor"], page["pageInfo"]["endCursor"]) == (cursors[0], cursors[-1])
    assert len(set(cursors)) == 6


@pytest.mark.parametrize("first", [1, 2, 3, 5])
def test_pages_follow_each_other(api: Api, first: int) -> None:
    found: list[tuple[str, int]] = []
    after = None
    while len(found) < len(WHOLE):
        page = _logs(api, first=first, after=after)
        found += _keys(page)
        after = page["pageInfo"]["endCursor"]
        assert _info(page) == (len(found) > first, len(found) < len(WHOLE))
    assert found == WHOLE
    page = _logs(api, after=after)
    assert (page["nodes"], _info(page), page["pageInfo"]["endCursor"]) == ([], (True, False), None)


def test_each_edge_is_a_place_to_go_on_from(api: Api) -> None:
    for place, edge in enumerate(_logs(api)["edges"], 1):
        assert _keys(_logs(api, after=edge["cursor"])) == WHOLE[place:]


def test_a_page_of_nothing_tells_whether_there_is_more(api: Api) -> None:
    page = _logs(api, first=0)
    assert (page["nodes"], _info(page), page["pageInfo"]["endCursor"]) == ([], (False, True), None)


@pytest.mark.parametrize(
    ("chosen", "of_jobs", "expected"),
    [
        ({"minLevel": "ERROR"}, {}, [("JB_2", 2)]),
        ({"search": "E"}, None, [("JB_1", 3)]),
        ({"executionId": "EX_1"}, {}, [("JB_1", 3), ("JB_1", 2), ("JB_1", 1)]),
        ({"taskIds": ["score"]}, {"handlerNames": ["score_candidates"]}, [("JB_2", 2)]),
        ({}, {"parentJobId": "JB_1"}, [("JB_2", 2), ("JB_2", 1)]),
        ({}, {"executionId": "EX_1", "search": "ingest"}, [("JB_1", 3), ("JB_1", 2), ("JB_1", 1)]),
        ({"levels": ["INFO"]}, {"hasErrors": True}, [("JB_2", 1)]),
        ({}, {"executionId": "EX_NONE"}, []),
        ({"levels": []}, {}, []),
    ],
    ids=str,
)
def test_both_filters_hold_and_their_lines_are_counted(
    api: Api, chosen: Any, of_jobs: Any, expected: list[tuple[str, int]]
) -> None:
    page = _logs(api, filter=chosen, jobFilter=of_jobs)
    assert (_keys(page), _info(page)) == (expected, (False, False))
    assert api.ask(COUNT, filter=chosen, jobFilter=of_jobs) == {"logs": {"totalCount": len(expected)}}


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "nonsense",
        log_cursor("JB_1", 1),
        encode("job", "2026-01-01T00:00:00+00:00", "JB_1"),
        encode("newest", "2026-01-01T00:00:00+00:00", "JB_1"),
        encode("newest", "2026-01-01T00:00:00+00:00", "JB_1", 0),
        encode("newest", "2026-01-01T00:00:00+00:00", "JB_1", "1"),
        encode("newest", "2026-01-01T00:00:00", "JB_1", 1),
        encode("newest", "soon", "JB_1", 1),
        encode("newest", "2026-01-01T00:00:00+00:00", "\0", 1),
        encode("newest", "2026-01-01T00:00:00+00:00", "JB_1", 2**60),
    ],
)
def test_a_cursor_that_is_none_is_refused(api: Api, cursor: str) -> None:
    refused = api.refusal(LOGS, after=cursor)
    assert refused.code == "BAD_INPUT"
    assert "is not a cursor of" in refused.message


@pytest.mark.parametrize("first", [-1, 1001])
def test_a_size_that_cannot_be_is_refused(api: Api, first: int) -> None:
    refused = api.refusal(LOGS, first=first)
    assert (refused.code, refused.message) == ("BAD_INPUT", f"first must be between 0 and 1000, not {first}")


def test_a_page_tells_how_far_back_it_looked(api: Api) -> None:
    query = "query ($first: Int) { logs(first: $first) { nodes { seq } pageInfo { lookedBackTo } } }"
    looked = [api.ask(query, first=first)["logs"]["pageInfo"]["lookedBackTo"] for first in (1, 4, 6)]
    assert looked[0] > looked[1]
    assert looked[2] is None
