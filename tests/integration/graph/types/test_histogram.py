"""Histograms as clients ask for them: together the buckets hold what the filter finds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.analysis.timelines import Timelines
from domain.filters import LogFilter
from domain.logs import EARLIEST, LATEST
from domain.requests import LogCount, LogScope
from jobtail.events import Line, LogLevel
from persistence.database import Database
from persistence.stores.log_store import PostgresLogStore
from persistence.stores.log_times import PostgresLogTimes
from tests.client import Api, Refusal, new_job_id
from tests.conftest import Service
from tests.fakes import store

AT = datetime(2026, 11, 22, 20, 33, 58, tzinfo=UTC)
TIMES = st.sampled_from([EARLIEST, LATEST, AT]) | st.integers(-(10**9), 10**9).map(
    lambda n: AT + timedelta(microseconds=n)
)
LINES = st.builds(
    Line,
    job_id=st.just("job"),
    message=st.sampled_from(["read", "Read 17", "scored"]),
    level=st.sampled_from(LogLevel),
    stage=st.sampled_from(["read", "score"]),
    at=TIMES,
)
FILTERS = st.builds(
    LogFilter,
    min_level=st.sampled_from(LogLevel) | st.none(),
    stages=st.none() | st.frozensets(st.sampled_from(["read", "score"])),
    since=st.none() | TIMES,
    until=st.none() | TIMES,
    search=st.sampled_from([None, "read", "[0-9]"]),
    regex=st.booleans(),
)


@given(
    lines=st.lists(LINES, min_size=1, max_size=20),
    more=st.lists(LINES, max_size=5),
    filters=st.lists(FILTERS, min_size=3, max_size=5),
    buckets=st.integers(1, 500),
)
async def test_buckets_hold_together_what_the_filter_finds(
    database: Database, lines: list[Line], more: list[Line], filters: list[LogFilter], buckets: int
) -> None:
    logs, timelines, job_id = PostgresLogStore(database), Timelines(PostgresLogTimes(database)), str(uuid4())
    for batch in filter(None, (lines, more)):
        await store(logs, *(replace(line, job_id=job_id) for line in batch))
        for log_filter in (*filters, LogFilter(), LogFilter(min_level=LogLevel.ERROR)):
            found = await timelines.histogram(job_id, buckets, log_filter)
            assert len(found) <= buckets
            counted = sum(bucket.log_counts.total for bucket in found)
            asked = LogCount(scope=LogScope(job_id=job_id), filter=log_filter)
            assert [counted] == await logs.counts([asked]), log_filter


HISTOGRAM = """
query ($jobId: String!, $buckets: Int, $filter: LogFilter) {
  job(jobId: $jobId) {
    logHistogram(buckets: $buckets, filter: $filter) { since until logCounts { total info error } }
  }
}
"""


@pytest.fixture
def job_id(service: Service) -> str:
    with Api(service) as api:
        job_id = new_job_id()
        api.capture(
            job_id,
            *(
                {"stage": "read", "message": f"line {n}", "level": level, "timestamp": f"2026-11-22T20:00:{n:02}Z"}
                for n, level in enumerate(["INFO", "INFO", "ERROR", "INFO", "INFO", "INFO", "INFO", "ERROR"])
            ),
        )
        return job_id


def test_a_timeline_is_asked_for_by_graphql(service: Service, job_id: str) -> None:
    with Api(service) as api:
        found = api.ask(HISTOGRAM, jobId=job_id, buckets=4)["job"]["logHistogram"]
        assert [bucket["logCounts"] for bucket in found] == [
            {"total": 2, "info": 2, "error": 0},
            {"total": 2, "info": 1, "error": 1},
            {"total": 2, "info": 2, "error": 0},
            {"total": 2, "info": 1, "error": 1},
        ]
        assert [bucket["since"] for bucket in found[1:]] == [bucket["until"] for bucket in found[:-1]]
        chosen = {"minLevel": "ERROR", "search": "line [2-5]", "regex": True}
        assert len(api.ask(HISTOGRAM, jobId=job_id, filter=chosen)["job"]["logHistogram"]) == 1
        assert api.ask(HISTOGRAM, jobId=job_id, filter={"search": "nowhere"})["job"]["logHistogram"] == []


def test_a_number_of_buckets_out_of_bounds_is_refused(service: Service, job_id: str) -> None:
    with Api(service) as api:
        assert api.refusal(HISTOGRAM, jobId=job_id, buckets=501) == Refusal(
            "BAD_INPUT", "buckets must be between 1 and 500, not 501", ["job", "logHistogram"]
        )
