"""The subscriptions, by a real websocket client and by SSE, against a real service process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from gql.transport.exceptions import TransportConnectionFailed
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from domain.cursors import log_cursor
from domain.recorder import Recorder
from jobtail.events import Event, JobProgressed, Line, TaskChanged, TaskStatus
from tests.client import JOB_LOGS, TRANSPORT_WS, Api, Refusal, Subscribe, by_sse, by_websocket, new_job_id, worker
from tests.conftest import CloneDatabase, serving
from tests.redis_server import RedisServer

JOB_UPDATED = """
subscription ($jobId: String!) {
  jobUpdated(jobId: $jobId) {
    jobId status lastSeq progress { current total percentage } logCounts { total error }
    stages { name status taskCount logCounts { total } tasks { nodes { taskId status } } }
  }
}
"""
JOBS_UPDATED = "subscription ($filter: JobFilter) { jobsUpdated(filter: $filter) { jobId status lastSeq } }"

both = pytest.mark.parametrize("subscribe", [by_websocket, by_sse])


@pytest.fixture(scope="module")
def database_url(new_database: CloneDatabase, migrated_template: str) -> str:
    return new_database(migrated_template)


@pytest.fixture(scope="module")
def api(database_url: str) -> Iterator[Api]:
    with serving(database_url) as service, Api(service) as api:
        yield api


def seqs(batches: Sequence[Any]) -> list[int]:
    return [line["seq"] for batch in batches for line in batch["logs"]]


@both
async def test_the_whole_log_of_an_ended_job_is_sent_and_the_stream_completes(api: Api, subscribe: Subscribe) -> None:
    job_id = new_job_id()
    api.capture(job_id, *(f"line {n}" for n in range(1, 1201)))
    api.finish(job_id, "FAILED", error="file not found")
    async with subscribe(api.service, JOB_LOGS, jobId=job_id, afterSeq=0) as events:
        batches = await events.rest()
    assert seqs(batches) == list(range(1, 1201))
    assert batches[0]["logs"][0]["message"] == "line 1"
    assert [batch["jobStatus"] for batch in batches] == [None] * (len(batches) - 1) + ["FAILED"]
    assert [batch["caughtUp"] for batch in batches] == [False] * (len(batches) - 1) + [True]
    assert {batch["lastSeq"] for batch in batches} == {1200}
    assert batches[-1]["endCursor"] == log_cursor(job_id, 1200)


@both
async def test_it_goes_on_behind_a_cursor(api: Api, subscribe: Subscribe) -> None:
    job_id = new_job_id()
    api.capture(job_id, "one", "two", "three", "four")
    async with subscribe(api.service, JOB_LOGS, jobId=job_id, after=log_cursor(job_id, 2)) as events:
        backlog = await events.next()
        assert (seqs([backlog]), backlog["caughtUp"], backlog["jobStatus"]) == ([3, 4], True, None)
        api.capture(job_id, "five")
        assert seqs([await events.next()]) == [5]


@both
async def test_the_newest_lines_come_first_and_then_the_live_ones(api: Api, subscribe: Subscribe) -> None:
    job_id = new_job_id()
    api.capture(job_id, *map(str, range(10)))
    async with subscribe(api.service, JOB_LOGS, jobId=job_id, last=3) as events:
        assert seqs([await events.next()]) == [8, 9, 10]
        api.capture(job_id, "live")
        assert seqs([await events.next()]) == [11]


@both
async def test_without_a_beginning_only_new_lines_are_sent(api: Api, subscribe: Subscribe) -> None:
    job_id = new_job_id()
    api.capture(job_id, "old", "older")
    async with subscribe(api.service, JOB_LOGS, jobId=job_id) as events:
        first = await events.next()
        assert (first["logs"], first["caughtUp"], first["lastSeq"]) == ([], True, 2)
        assert first["endCursor"] == log_cursor(job_id, 2)
        api.capture(job_id, "new")
        assert seqs([await events.next()]) == [3]
        api.finish(job_id)
        (end,) = await events.rest()
        assert (end["logs"], end["jobStatus"], end["lastSeq"]) == ([], "COMPLETED", 3)


@both
async def test_a_filter_holds_for_the_backlog_and_for_live_lines(api: Api, subscribe: Subscribe) -> None:
    job_id = new_job_id()
    lines: list[dict[str, Any]] = [
        {"stage": "read_jd", "message": "Reading"},
        {"stage": "score", "message": "a match", "taskId": "CNT_1", "level": "WARNING", "metadata": {"score": 7}},
        {"stage": "score", "message": "A MATCH at last", "taskId": "CNT_2", "level": "ERROR"},
    ]
    chosen = {"minLevel": "WARNING", "stages": ["score"], "search": "match"}
    api.capture(job_id, *lines)
    async with subscribe(api.service, JOB_LOGS, jobId=job_id, afterSeq=0, filter=chosen) as events:
        assert seqs([await events.next()]) == [2, 3]
        api.capture(job_id, *lines)
        assert seqs(await events.until(lambda batch: batch["logs"])) == [5, 6]
    async with subscribe(
        api.service, JOB_LOGS, jobId=job_id, afterSeq=0, filter={"metadata": {"score": 7}, "taskIds": ["CNT_1"]}
    ) as events:
        assert seqs([await events.next()]) == [2, 5]
    async with subscribe(api.service, JOB_LOGS, jobId=job_id, last=2, filter={"levels": ["INFO"]}) as events:
        assert seqs([await events.next()]) == [1, 4]


@both
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"afterSeq": 0, "last": 1}, "at most one of after, afterSeq and last"),
        ({"after": log_cursor("JB_LINES", 1), "afterSeq": 1}, "at most one of after, afterSeq and last"),
        ({"after": "nonsense"}, "pass one back as you received it"),
        ({"after": log_cursor("JB_OTHER", 1)}, "belongs to the log of job 'JB_OTHER', not to 'JB_LINES'"),
        ({"afterSeq": -1}, "ends at line 2"),
        ({"afterSeq": 3}, "ends at line 2, so nothing is behind 3"),
        ({"last": 1001}, "last must be between 0 and 1000, not 1001"),
        ({"last": -1}, "last must be between 0 and 1000, not -1"),
        ({"filter": {"metadata": [1]}}, "must be a JSON object"),
        ({"filter": {"since": "yesterday"}}, "no RFC 3339 time"),
        ({"afterSeq": "1"}, "no whole number"),
    ],
)
async def test_a_beginning_that_cannot_be_is_refused(
    api: Api, subscribe: Subscribe, arguments: dict[str, Any], message: str
) -> None:
    if api.ask('{ job(jobId: "JB_LINES") { lastSeq } }')["job"] is None:
        api.capture("JB_LINES", "one", "two")
    async with subscribe(api.service, JOB_LOGS, jobId="JB_LINES", **arguments) as events:
        with pytest.raises(Refusal) as refused:
            await events.next()
    assert refused.value.code == "BAD_INPUT"
    assert message in refused.value.message


@both
async def test_a_job_that_does_not_exist_yet_is_waited_for(api: Api, subscribe: Subscribe) -> None:
    job_id = new_job_id()
    async with subscribe(api.service, JOB_LOGS, jobId=job_id, afterSeq=0) as events:
        first = await events.next()
        assert (first["logs"], first["caughtUp"], first["lastSeq"], first["jobStatus"]) == ([], True, 0, None)
        api.capture(job_id, "here I am")
        assert seqs([await events.next()]) == [1]


async def test_a_job_is_known_by_its_stored_id_however_it_is_written(api: Api) -> None:
    job_id = f"{'long ' * 60}\0{new_job_id()}"
    async with by_websocket(api.service, JOB_LOGS, jobId=job_id) as events:
        assert (await events.next())["logs"] == []
        api.capture(job_id, "found")
        batch = await events.next()
        assert seqs([batch]) == [1]
    stored = api.ask("query ($id: String!) { job(jobId: $id) { jobId } }", id=job_id)["job"]["jobId"]
    assert len(stored) == 200
    assert batch["endCursor"] == log_cursor(stored, 1)
    async with by_websocket(api.service, JOB_LOGS, jobId=job_id, after=log_cursor(stored, 0)) as events:
        assert seqs([await events.next()]) == [1]


async def _write(recorder: Recorder, job_id: str, lines: int) -> None:
    """Record lines in batches of many sizes."""
    left, size = lines, 1
    while left:
        size = min(left, size % 40 + 1)
        await recorder.record_job(job_id, [Line(job_id=job_id, message=f"of {lines}", stage="read")] * size)
        left -= size


@both
async def test_backlog_and_live_lines_follow_without_gap_or_repeat_while_others_write(
    api: Api, database_url: str, subscribe: Subscribe
) -> None:
    job_id = new_job_id()
    api.capture(job_id, *(f"backlog {n}" for n in range(900)))
    async with worker(database_url) as recorder, asyncio.TaskGroup() as tasks:
        tasks.create_task(_write(recorder, job_id, 1500))
        tasks.create_task(_write(recorder, job_id, 700))
        async with subscribe(api.service, JOB_LOGS, jobId=job_id, afterSeq=0) as events:
            batches = await events.until(lambda batch: batch["logs"] and batch["logs"][-1]["seq"] == 3100)
    assert seqs(batches) == list(range(1, 3101))


async def test_a_reader_goes_on_where_an_abrupt_disconnect_left_it(api: Api, database_url: str) -> None:
    job_id = new_job_id()
    read: list[int] = []
    cursor = log_cursor(job_id, 0)
    async with worker(database_url) as recorder, asyncio.TaskGroup() as tasks:
        tasks.create_task(_write(recorder, job_id, 2000))
        for disconnect_at in (300, 800, 1300):
            async with by_websocket(api.service, JOB_LOGS, jobId=job_id, after=cursor) as events:
                for batch in await events.until(lambda batch, at=disconnect_at: batch["lastSeq"] >= at):  # type: ignore[misc]
                    read += seqs([batch])
                    cursor = batch["endCursor"]
                events.cut()
                with pytest.raises((TransportConnectionFailed, ConnectionClosed)):
                    await events.rest()
    api.finish(job_id)
    async with by_websocket(api.service, JOB_LOGS, jobId=job_id, after=cursor) as events:
        read += seqs(await events.rest())
    assert read == list(range(1, 2001))


@both
async def test_a_job_is_told_as_it_is_and_then_as_it_changes(api: Api, database_url: str, subscribe: Subscribe) -> None:
    job_id = new_job_id()
    api.start(job_id, progressTotal=4)
    api.capture(job_id, {"stage": "read_jd", "message": "Reading"})
    async with worker(database_url) as recorder, subscribe(api.service, JOB_UPDATED, jobId=job_id) as events:
        first = await events.next()
        assert (first["status"], first["lastSeq"]) == ("RUNNING", 1)
        assert first["progress"] == {"current": 0, "total": 4, "percentage": 0}
        assert [(stage["name"], stage["status"]) for stage in first["stages"]] == [("read_jd", "RUNNING")]

        changes: list[Event] = [
            Line(job_id=job_id, message="Scoring", stage="score"),
            TaskChanged(job_id=job_id, stage="score", task_id="CNT_1", status=TaskStatus.COMPLETED),
            JobProgressed(job_id=job_id, current=3),
        ]
        await recorder.record_job(job_id, changes)
        changed = await events.next()
        assert (changed["lastSeq"], changed["logCounts"]["total"]) == (2, 2)
        assert changed["progress"] == {"current": 3, "total": 4, "percentage": 75}
        assert [(stage["name"], stage["status"]) for stage in changed["stages"]] == [
            ("read_jd", "COMPLETED"),
            ("score", "RUNNING"),
        ]
        tasks = changed["stages"][1]["tasks"]["nodes"]
        assert [(task["taskId"], task["status"]) for task in tasks] == [("score", "RUNNING"), ("CNT_1", "COMPLETED")]

        api.finish(job_id, "CANCELLED")
        (*_, end) = await events.until(lambda job: job["status"] == "CANCELLED")
        assert end["stages"][1]["status"] == "CANCELLED"


@both
async def test_new_and_changed_jobs_are_told_where_they_match(api: Api, subscribe: Subscribe) -> None:
    parent, other, matching = new_job_id("PARENT"), new_job_id(), new_job_id()
    async with (
        subscribe(api.service, JOBS_UPDATED) as everything,
        subscribe(api.service, JOBS_UPDATED, filter={"parentJobId": parent}) as children,
    ):
        heard, heard_children = asyncio.create_task(everything.next()), asyncio.create_task(children.next())
        while not heard.done():  # a feed says nothing until a job changes, so it is asked until it has begun
            api.capture(other, "ding")
            await asyncio.wait([heard], timeout=0.1)
        assert (await heard)["jobId"] == other
        while not heard_children.done():
            api.start(matching, parentJobId=parent)
            await asyncio.wait([heard_children], timeout=0.1)
        assert await heard_children == {"jobId": matching, "status": "RUNNING", "lastSeq": 0}
        api.capture(matching, "one")
        api.finish(matching)
        told = await children.until(lambda job: job["status"] == "COMPLETED")
        assert {job["jobId"] for job in told} == {matching}
        assert told[-1]["lastSeq"] == 1
        await everything.until(lambda job: job["jobId"] == matching and job["status"] == "COMPLETED")


async def _two_services_hear_each_other(api: Api, other: Api) -> None:
    job_id = new_job_id()
    async with AsyncExitStack() as stack:
        here, there = [
            await stack.enter_async_context(by_websocket(each.service, JOB_LOGS, jobId=job_id)) for each in (api, other)
        ]
        for events in (here, there):
            assert (await events.next())["caughtUp"]
        loop = asyncio.get_running_loop()
        for n, each in enumerate((api, other, api, other), 1):
            said_at = loop.time()
            each.capture(job_id, f"line {n}")
            for events in (here, there):
                assert seqs([await events.next()]) == [n]
            assert loop.time() - said_at < 2, "it was found by the safety look, not heard"


async def test_two_services_on_one_database_hear_each_other(api: Api, database_url: str) -> None:
    with serving(database_url) as service, Api(service) as other:
        await _two_services_hear_each_other(api, other)


async def test_two_services_hear_each_other_by_redis(database_url: str, tmp_path: Path) -> None:
    async with RedisServer(tmp_path) as redis:
        with (
            serving(database_url, JOBTAIL_CHANNEL_URL=redis.url) as one,
            serving(database_url, JOBTAIL_CHANNEL_URL=redis.url) as two,
            Api(one) as api,
            Api(two) as other,
        ):
            await _two_services_hear_each_other(api, other)


async def test_lines_that_a_service_stores_itself_are_seen_though_the_channel_is_away(database_url: str) -> None:
    """Sooner than the next look at the database would find them, which is every 3 s."""
    job_id = new_job_id()
    with serving(database_url, JOBTAIL_CHANNEL_URL="postgresql://127.0.0.1:1/nowhere") as service, Api(service) as here:
        async with by_websocket(service, JOB_LOGS, jobId=job_id, afterSeq=0) as events:
            assert (await events.next())["logs"] == []
            for seq in range(1, 41):
                here.capture(job_id, "a line")
                async with asyncio.timeout(1):
                    assert seqs([await events.next()]) == [seq]


async def test_a_websocket_of_another_origin_is_refused_unless_it_is_allowed(api: Api, database_url: str) -> None:
    protocols: Any = [TRANSPORT_WS]
    with pytest.raises(InvalidStatus) as refused:
        await connect(api.service.websocket_url, subprotocols=protocols, origin="https://evil.example")  # type: ignore[arg-type]
    assert refused.value.response.status_code == 403
    async with connect(api.service.websocket_url, subprotocols=protocols, origin=api.service.url) as own:  # type: ignore[arg-type]
        assert own.subprotocol == TRANSPORT_WS
    with serving(database_url, JOBTAIL_ALLOWED_ORIGINS='["https://ops.example"]') as open_service:
        async with connect(open_service.websocket_url, subprotocols=protocols, origin="https://ops.example") as allowed:  # type: ignore[arg-type]
            assert allowed.subprotocol == TRANSPORT_WS


async def test_the_legacy_protocol_is_not_offered(api: Api) -> None:
    protocols: Any = ["graphql-ws"]
    async with connect(api.service.websocket_url, subprotocols=protocols) as legacy:
        assert legacy.subprotocol is None
        with pytest.raises(ConnectionClosed):
            await legacy.recv()
        assert legacy.close_code == 4406


async def test_queries_and_mutations_run_by_websocket_too(api: Api) -> None:
    job_id = new_job_id()
    query = 'mutation ($id: String!) { captureLogs(jobId: $id, lines: [{stage: "a", message: "m"}]) { lastSeq } }'
    async with by_websocket(api.service, query, id=job_id) as events:
        assert await events.rest() == [{"lastSeq": 1}]
