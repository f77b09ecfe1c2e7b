"""Each kind of error has its code, and a message that says what to do and nothing of our insides."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from graph.errors import MESSAGES
from persistence.database import Database
from persistence.embedded.embedded_server import EmbeddedPostgres
from persistence.migration import upgrade
from persistence.upkeep.maintenance import ensure_partitions
from tests.client import JOB_LOGS, Api, Refusal, by_sse, by_websocket, new_job_id
from tests.conftest import CloneDatabase, Service, serving

JOB = "query ($id: String!) { job(jobId: $id) { jobId status } }"
LOGS = 'query ($f: LogFilter) { job(jobId: "JB_LINES") { logs(filter: $f) { nodes { seq timestamp } } } }'
LINE = 'captureLogs(jobId: "JB_LINES", lines: [{stage: "a", message: "m", timestamp: %s}]) { lastSeq }'
TIME_HELP = "is no RFC 3339 time such as 2025-01-15T10:30:00.123456Z"
BIG_HELP = "is no whole number between -(2^53-1) and 2^53-1"


@pytest.fixture(scope="module")
def api(shared_service: Service) -> Iterator[Api]:
    with Api(shared_service) as api:
        api.capture("JB_LINES", "one")
        yield api


@pytest.mark.parametrize(
    ("query", "variables", "message"),
    [
        ("{", {}, "Syntax Error: Expected Name, found <EOF>."),
        ("{ \ud800 }", {}, "Syntax Error"),
        ("{ nothing }", {}, "Cannot query field 'nothing' on type 'Query'"),
        ("{ job { jobId } }", {}, "Argument 'Query.job(jobId:)' of type 'String!' is required"),
        ("{ job(jobId: 5) { jobId } }", {}, "String cannot represent a non string value: 5"),
        ('{ job(jobId: "a") }', {}, "must have a selection of subfields"),
        (JOB, {}, "Variable '$id' has invalid value: Expected a value of non-null type"),
        (JOB, {"id": None}, "'$id' has invalid value"),
        (LOGS, {"f": {"level": "INFO"}}, "'level'"),
        (LOGS, {"f": {"levels": ["LOUD"]}}, "'LOUD' does not exist in 'LogLevel' enum"),
        (LOGS, {"f": {"levels": ["\ud800"]}}, "does not exist in 'LogLevel' enum"),
        (LOGS, {"f": {"since": "yesterday"}}, f"'yesterday' {TIME_HELP}"),
        (LOGS, {"f": {"since": "2025-01-15T10:30:00"}}, f"'2025-01-15T10:30:00' {TIME_HELP}"),
        (LOGS, {"f": {"until": "2025-01-15"}}, TIME_HELP),
        (LOGS, {"f": {"until": "2025-02-30T10:30:00Z"}}, TIME_HELP),
        (LOGS, {"f": {"since": 1736937000}}, f"1736937000 {TIME_HELP}"),
        (LOGS, {"f": {"since": "0001-01-01T00:00:00+01:00"}}, TIME_HELP),
        (LOGS, {"f": {"since": "0001-01-01T00:00:00Z"}}, TIME_HELP),
        ("mutation { %s }" % (LINE % '"now"'), {}, f"'now' {TIME_HELP}"),
        ("mutation { %s }" % (LINE % "5"), {}, TIME_HELP),
        ("mutation ($t: DateTime) { %s }" % (LINE % "$t"), {"t": "now"}, f"'now' {TIME_HELP}"),
        (
            'mutation ($n: BigInt) { startJob(input: {jobId: "a", handlerName: "h", progressTotal: $n}) { jobId } }',
            {"n": "12"},
            f"'12' {BIG_HELP}",
        ),
        (
            'mutation ($n: BigInt) { startJob(input: {jobId: "a", handlerName: "h", progressTotal: $n}) { jobId } }',
            {"n": 1.5},
            f"1.5 {BIG_HELP}",
        ),
        (
            'mutation ($n: BigInt) { startJob(input: {jobId: "a", handlerName: "h", progressTotal: $n}) { jobId } }',
            {"n": True},
            f"True {BIG_HELP}",
        ),
        ("{ jobs(first: 2147483648) { totalCount } }", {}, "Int cannot represent non 32-bit signed integer value"),
        (LOGS, {"f": {"metadata": 5}}, 'filter.metadata must be a JSON object such as {"attempt": 2}, not 5'),
    ],
)
def test_what_cannot_be_is_bad_input(api: Api, query: str, variables: dict[str, Any], message: str) -> None:
    refused = api.refusal(query, **variables)
    assert refused.code == "BAD_INPUT"
    assert message in refused.message


def test_every_error_of_an_answer_has_its_code(api: Api) -> None:
    answer = api.answer("{ nothing nobody jobs(nowhere: 1) { totalCount } }")
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_INPUT"] * 3
    assert "data" not in answer


async def test_errors_have_their_code_by_websocket_and_by_sse_too(api: Api) -> None:
    for subscribe in (by_websocket, by_sse):
        async with subscribe(api.service, JOB_LOGS, jobId="JB_LINES", afterSeq=0, last=1) as events:
            with pytest.raises(Refusal) as refused:
                await events.next()
        assert refused.value.code == "BAD_INPUT"
    for query in ("subscription { nothing }", "subscription {"):
        async with by_sse(api.service, query) as events:
            with pytest.raises(Refusal) as refused:
                await events.next()
        assert refused.value.code == "BAD_INPUT"
    async with by_websocket(api.service, "subscription { nothing }") as events:
        with pytest.raises(Refusal) as refused:
            await events.next()
    assert refused.value.code == "BAD_INPUT"


def test_a_body_that_is_no_request_is_refused(api: Api) -> None:
    for body in ("no json", "[]", "{}", '{"query": 5}', '{"query": "{__typename}", "variables": 5}'):
        response = api.http.post(api.service.graphql_url, content=body, headers={"Content-Type": "application/json"})
        assert response.status_code == 400, body
        assert "Traceback" not in response.text


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2025-01-15T10:30:00Z", "2025-01-15T10:30:00.000000Z"),
        ("2025-01-15T10:30:00.1Z", "2025-01-15T10:30:00.100000Z"),
        ("2025-01-15T10:30:00.123456789Z", "2025-01-15T10:30:00.123456Z"),
        ("2025-01-15t10:30:00.123456z", "2025-01-15T10:30:00.123456Z"),
        ("2025-01-15T01:30:00.000001+05:45", "2025-01-14T19:45:00.000001Z"),
        ("0999-12-31T23:59:59Z", "0999-12-31T23:59:59.000000Z"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000000Z"),
    ],
)
def test_a_time_has_six_digits_and_a_z(api: Api, written: str, read: str) -> None:
    job_id = new_job_id()
    api.capture(job_id, {"stage": "a", "message": "m", "timestamp": written})
    query = "query ($id: String!) { job(jobId: $id) { createdAt logs { nodes { timestamp } } stages { startedAt } } }"
    job = api.ask(query, id=job_id)["job"]
    assert job["logs"]["nodes"] == [{"timestamp": read}]
    assert job["stages"] == [{"startedAt": read}]
    assert len(job["createdAt"]) == len("2025-01-15T10:30:00.123456Z")
    assert job["createdAt"].endswith("Z")


def test_a_defect_of_ours_leaks_nothing(new_database: CloneDatabase, migrated_template: str) -> None:
    """A table that is gone stands for any defect."""
    url = new_database(migrated_template)
    with serving(url) as service, Api(service) as api:
        api.capture("JB_1", "one")
        _execute(url, "ALTER TABLE task_logs RENAME TO gone")
        query = '{ job(jobId: "JB_1") { jobId logs { nodes { seq } } } }'
        answer = api.answer(query)
        refused = Refusal.of(answer["errors"][0])
        assert (refused.code, refused.message) == ("INTERNAL", MESSAGES["INTERNAL"])
        assert "task_logs" not in json.dumps(answer)
        line = [{"stage": "a", "message": "m"}]
        query = 'mutation ($l: [CaptureLineInput!]!) { captureLogs(jobId: "JB_1", lines: $l) { lastSeq } }'
        assert api.refusal(query, l=line) == Refusal("INTERNAL", MESSAGES["INTERNAL"], ["captureLogs"])
        assert api.ask('{ job(jobId: "JB_1") { lastSeq } }')["job"]["lastSeq"] == 1


def _execute(url: str, statement: str) -> None:
    import asyncio

    async def run() -> None:
        async with Database(url) as database, database.engine.begin() as connection:
            await connection.execute(text(statement))

    asyncio.run(run())


@pytest.fixture
async def own_server(tmp_path: Path) -> AsyncIterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(tmp_path, settings={"fsync": "off"})
    async with server:
        async with Database(server.url) as database:
            await upgrade(database.engine)
            await ensure_partitions(database)
        yield server


async def test_while_the_database_is_away_the_code_says_so_and_afterwards_all_is_well(
    own_server: EmbeddedPostgres,
) -> None:
    with serving(own_server.url) as service, Api(service) as api:
        api.capture("JB_1", "one")
        async with by_websocket(service, JOB_LOGS, jobId="JB_1", afterSeq=0) as events:
            assert (await events.next())["lastSeq"] == 1
            await own_server.__aexit__(None, None, None)
            away = Refusal("UNAVAILABLE", "the database is away; try again in a moment")
            for query in (
                '{ job(jobId: "JB_1") { jobId } }',
                "{ jobs { totalCount } }",
                'mutation { finishJob(input: {jobId: "JB_1", status: COMPLETED}) { jobId } }',
                'mutation { captureLogs(jobId: "JB_1", lines: [{stage: "a", message: "m"}]) { lastSeq } }',
            ):
                refused = api.refusal(query)
                assert (refused.code, refused.message) == (away.code, away.message)
            async with by_sse(service, JOB_LOGS, jobId="JB_1") as new_reader:
                with pytest.raises(Refusal) as refusal:
                    await new_reader.next()
            assert (refusal.value.code, refusal.value.message) == (away.code, away.message)
            assert api.http.get(f"{service.url}/readyz").status_code == 503
            assert api.http.get(f"{service.url}/healthz").status_code == 200
            await own_server.__aenter__()
            api.capture("JB_1", "two")
            batch = await events.next()
            assert [line["message"] for line in batch["logs"]] == ["two"]
