"""Each limit refuses what is beyond it, says by how much, and lets everything else pass."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest
from graphql import get_introspection_query
from sqlalchemy import text
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from domain.access import Scope
from domain.errors import TooMany
from graph.access.gate import make_token
from graph.access.rate_limits import Rate
from jobtail.events import Line
from persistence.database import Database
from persistence.stores.token_store import PostgresTokenStore
from tests.client import PATIENCE_S, TRANSPORT_WS, Api, Refusal, by_sse, by_websocket, worker
from tests.conftest import CloneDatabase, serving
from tests.processes import until

LIMITS = {
    "JOBTAIL_MAX_QUERY_BYTES": "2000",
    "JOBTAIL_MAX_QUERY_TOKENS": "60",
    "JOBTAIL_MAX_QUERY_DEPTH": "4",
    "JOBTAIL_MAX_QUERY_ALIASES": "2",
    "JOBTAIL_MAX_QUERY_COST": "2000",
    "JOBTAIL_MAX_QUERY_SECONDS": "1.5",
    "JOBTAIL_MAX_SUBSCRIPTIONS_PER_CONNECTION": "2",
    "JOBTAIL_MAX_CONNECTIONS_PER_ADDRESS": "3",
    "JOBTAIL_INTROSPECTION": "false",
    "JOBTAIL_GRAPHIQL": "false",
}
PAGE = "query ($n: Int) { jobs(first: $n) { nodes { jobId status } } }"
WITHIN_S = 5


@pytest.fixture(scope="module")
def url(new_database: CloneDatabase, migrated_template: str) -> str:
    return new_database(migrated_template)


@pytest.fixture(scope="module")
def narrow(url: str) -> Iterator[Api]:
    """A service with low limits."""
    with serving(url, **LIMITS, JOBTAIL_TRUSTED_PROXIES='["127.0.0.1"]') as service, Api(service) as api:
        yield api


@pytest.mark.parametrize(
    ("query", "variables", "code", "message"),
    [
        (
            "{ jobs { nodes { parent { parent { jobId } } } } }",
            {},
            "TOO_COMPLEX",
            (
                "the query is nested 5 levels deep, 1 more than the 4 that it may: ask for the inner parts by `node`, or raise "
                "JOBTAIL_MAX_QUERY_DEPTH"
            ),
        ),
        (
            "{ a: __typename b: __typename c: __typename }",
            {},
            "TOO_COMPLEX",
            "the query has 3 aliases, 1 more than the 2 that it may: divide it, or raise JOBTAIL_MAX_QUERY_ALIASES",
        ),
        (
            PAGE,
            {"n": 1000},
            "TOO_COMPLEX",
            (
                "the query may be answered with 2,002 values, where page sizes multiply, 2 more than the 2,000 that it may: ask "
                "for smaller pages or for fewer fields, or raise JOBTAIL_MAX_QUERY_COST"
            ),
        ),
        (
            "{ " + "__typename " * 100 + "}",
            {},
            "TOO_COMPLEX",
            ("the query has more than 60 tokens, the most that it may: they end at character "),
        ),
        (
            '{ __type(name: "Job") { name } }',
            {},
            "BAD_INPUT",
            "the schema cannot be asked for here: JOBTAIL_INTROSPECTION is off",
        ),
    ],
    ids=["depth", "aliases", "cost", "tokens", "introspection"],
)
async def test_what_is_beyond_a_limit_is_told_by_how_much(
    narrow: Api, query: str, variables: dict[str, Any], code: str, message: str
) -> None:
    for _ in range(2):  # the second time the document is known
        answer = narrow.answer(query, **variables)
        assert "data" not in answer
        refused = Refusal.of(answer["errors"][0])
        assert refused.code == code
        assert refused.message.startswith(message)
    for subscribe in (by_sse, by_websocket):
        async with subscribe(narrow.service, query, **variables) as events:
            with pytest.raises(Refusal) as refusal:
                await events.next()
        assert refusal.value.code == code
        assert refusal.value.message.startswith(message)


def test_what_is_within_the_limits_passes(narrow: Api) -> None:
    for size in (999, 1, None):
        assert narrow.ask(PAGE, n=size) == {"jobs": {"nodes": []}}
    assert narrow.ask("{ a: __typename b: __typename }") == {"a": "Query", "b": "Query"}
    assert narrow.ask("query A { jobs { totalCount } } query B { __typename }".replace("query B", "#")) is not None


def test_an_unknown_operation_is_told_as_ever(narrow: Api) -> None:
    body = {"query": "{ " + "__typename " * 100 + "}", "operationName": "A"}
    response = narrow.http.post(narrow.service.graphql_url, json=body)
    assert Refusal.of(response.json()["errors"][0]).code == "TOO_COMPLEX"


def test_graphiql_can_be_turned_off(narrow: Api) -> None:
    response = narrow.http.get(narrow.service.graphql_url, headers={"Accept": "text/html"})
    assert response.status_code == 404
    assert "<html" not in response.text


def chunked(size: int) -> Iterator[bytes]:
    yield from (b" " * 100 for _ in range(size // 100))


def test_a_request_that_is_too_large_is_refused_as_json(narrow: Api) -> None:
    headers = {"Content-Type": "application/json"}
    for body in (b" " * 2001, chunked(3000)):
        response = narrow.http.post(narrow.service.graphql_url, content=body, headers=headers)
        assert response.status_code == 413
        (error,) = response.json()["errors"]
        assert error["message"].startswith("the body is over the 2,000 bytes that it may have as sent, by ")
        assert error["message"].endswith(" or more: send less at a time, or raise JOBTAIL_MAX_QUERY_BYTES")
        assert error["extensions"]["code"] == "BAD_INPUT"


async def test_a_message_that_is_too_large_closes_its_websocket(narrow: Api) -> None:
    async with connect(narrow.service.websocket_url, subprotocols=[Subprotocol(TRANSPORT_WS)]) as websocket:
        await websocket.send('{"type": "connection_init", "payload": {"a": "%s"}}' % ("x" * 2000))
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(websocket.recv(), PATIENCE_S)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


@pytest.mark.parametrize("query", ["{ jobs { nodes { jobId } totalCount } }", '{ job(jobId: "a") { jobId } }'])
async def test_a_query_that_takes_too_long_is_given_up_with_its_statements(narrow: Api, url: str, query: str) -> None:
    """Who holds the table stands for whatever makes a statement slow."""
    async with Database(url) as other, other.engine.connect() as holder:
        await holder.execute(text("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE"))
        clock = asyncio.get_running_loop().time
        begun = clock()
        answer = await asyncio.to_thread(narrow.answer, query)
        refused = Refusal.of(answer["errors"][0])
        assert refused.code == "TOO_COMPLEX"
        assert refused.message.startswith(
            "the query took longer than 1.5 s, the most that it may, and was given up; ask"
        )
        for subscribe in (by_websocket, by_sse):
            async with subscribe(narrow.service, query) as events:
                with pytest.raises(Refusal) as refusal:
                    await events.next()
            assert refusal.value.code == "TOO_COMPLEX"
        assert 4 < clock() - begun < 4 * WITHIN_S

        async def nobody_waits() -> bool:
            await holder.execute(text("SELECT pg_stat_clear_snapshot()"))
            waiting = await holder.execute(
                text(
                    "SELECT count(*) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND wait_event_type = 'Lock'"
                )
            )
            return bool(waiting.scalar_one() == 0)

        await until(nobody_waits, patience_s=WITHIN_S)
        await holder.rollback()
    assert await asyncio.to_thread(narrow.ask, "{ jobs { totalCount } }") == {"jobs": {"totalCount": 0}}


async def test_a_page_by_plain_http_is_given_up_in_the_same_time_and_a_whole_log_is_not(narrow: Api, url: str) -> None:
    async with worker(url) as recorder:
        lines = [Line(job_id="JB_WHOLE", message=f"{n} " + "x" * 500_000) for n in range(64)]
        await recorder.record_job("JB_WHOLE", lines)
    pages = ["/jobs/JB_WHOLE/logs", "/executions/EX/logs", "/api/pulse/jobs/JB_WHOLE/stages"]
    whole = "/jobs/JB_WHOLE/logs?format=ndjson"
    async with (
        httpx.AsyncClient(base_url=narrow.service.url, timeout=PATIENCE_S) as client,
        client.stream("GET", whole) as begun,
        Database(url) as other,
        other.engine.connect() as holder,
    ):
        read = begun.aiter_lines()
        assert json.loads(await anext(read))["id"] == 1
        await holder.execute(text("LOCK TABLE jobs, job_tasks IN ACCESS EXCLUSIVE MODE"))
        beginning = asyncio.create_task(client.get(whole))
        for refused in await asyncio.gather(*map(client.get, pages)):
            error = refused.json()["error"]
            assert (refused.status_code, error["code"]) == (422, "TOO_COMPLEX")
            assert error["message"].startswith("the query took longer than 1.5 s, the most that it may")
        await holder.rollback()
        assert [json.loads(line)["id"] async for line in read] == list(range(2, 65))
        assert len((await beginning).text.splitlines()) == 64


def test_introspection_and_the_page_are_there_by_default(database_url: str) -> None:
    with serving(database_url) as service, Api(service) as api:
        assert api.ask(get_introspection_query())["__schema"]["types"]
        page = httpx.get(service.graphql_url, headers={"Accept": "text/html"})
        assert (page.status_code, "<html" in page.text) == (200, True)
        assert json.loads(api.http.get(service.url + "/nowhere").text)["error"]["code"] == "NOT_FOUND"


FOLLOW = 'subscription { jobLogs(jobId: "JB_NONE") { caughtUp } }'


@asynccontextmanager
async def opened(api: Api, address: str) -> AsyncIterator[ClientConnection]:
    """Open a websocket as a proxy would that passes on where it comes from."""
    headers, protocol = {"X-Forwarded-For": address}, Subprotocol(TRANSPORT_WS)
    async with connect(api.service.websocket_url, subprotocols=[protocol], additional_headers=headers) as websocket:
        await websocket.send('{"type": "connection_init"}')
        assert await websocket.recv() == '{"type":"connection_ack"}'
        yield websocket


async def subscribed(websocket: ClientConnection, name: str, query: str = FOLLOW) -> dict[str, Any]:
    await websocket.send(json.dumps({"type": "subscribe", "id": name, "payload": {"query": query}}))
    answer: dict[str, Any] = json.loads(await asyncio.wait_for(websocket.recv(), PATIENCE_S))
    return answer


async def test_a_websocket_runs_so_many_operations_at_a_time(narrow: Api) -> None:
    async with opened(narrow, "10.0.0.1") as websocket:
        for name in ("1", "2"):
            assert (await subscribed(websocket, name))["type"] == "next"
        refused = await subscribed(websocket, "3")
        assert (refused["id"], refused["type"]) == ("3", "error")
        error = Refusal.of(refused["payload"][0])
        assert error.code == "UNAVAILABLE"
        assert error.message == (
            "2 operations run on this websocket, the most that may: complete one, open another websocket, or raise "
            "JOBTAIL_MAX_SUBSCRIPTIONS_PER_CONNECTION"
        )
        await websocket.send('{"type": "complete", "id": "1"}')
        assert (await subscribed(websocket, "4"))["type"] == "next"


async def test_an_address_has_so_many_websockets_and_streams(narrow: Api) -> None:
    event_stream = {"Accept": "text/event-stream", "X-Forwarded-For": "10.0.0.2"}
    async with AsyncExitStack() as stack, httpx.AsyncClient(timeout=PATIENCE_S) as http:
        for _ in range(2):
            await stack.enter_async_context(opened(narrow, "10.0.0.2"))
        url, body = narrow.service.graphql_url, {"query": FOLLOW}
        async with http.stream("POST", url, json=body, headers=event_stream) as stream:
            assert stream.status_code == 200
            lines = stream.aiter_lines()
            await anext(lines)
            refused = await http.post(url, json=body, headers=event_stream)
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
            message = refused.json()["errors"][0]["message"]
            assert message.startswith(
                "3 websockets and event streams are open from 10.0.0.2, the most that may be: close"
            )
            with pytest.raises(InvalidStatus) as handshake:
                async with opened(narrow, "10.0.0.2"):
                    pass
            assert handshake.value.response.status_code == 429
            assert handshake.value.response.headers["x-request-id"]
            async with opened(narrow, "10.0.0.3"):
                pass
            assert (
                await http.post(url, json={"query": "{ __typename }"}, headers={"X-Forwarded-For": "10.0.0.2"})
            ).is_success

    async def is_free() -> bool:
        async with httpx.AsyncClient() as http, http.stream("POST", url, json=body, headers=event_stream) as stream:
            return stream.status_code == 200

    await until(is_free, patience_s=WITHIN_S)


@pytest.fixture
def tokens(url: str) -> list[str]:
    made = [make_token([Scope.READ]) for _ in range(2)]

    async def add() -> None:
        async with Database(url) as database:
            for _, token in made:
                await PostgresTokenStore(database).add(token)

    asyncio.run(add())
    return [text for text, _ in made]


async def test_a_token_makes_so_many_requests_a_second(url: str, tokens: list[str]) -> None:
    one, other = ({"Authorization": f"Bearer {token}"} for token in tokens)
    with serving(url, JOBTAIL_ACCESS="tokens", JOBTAIL_MAX_REQUESTS_PER_SECOND="0.5") as service:
        async with httpx.AsyncClient(base_url=service.url, timeout=PATIENCE_S) as http:
            for _ in range(5):
                assert (await http.get("/graphql?query={__typename}", headers=one)).status_code == 200
            refused = await http.get("/graphql?query={__typename}", headers=one)
            assert refused.status_code == 429
            assert 1 <= int(refused.headers["retry-after"]) <= 2
            assert "more than 0.5 requests a second" in refused.json()["errors"][0]["message"]
            plain = await http.get("/jobs/JB_1/logs", headers=one)
            assert (plain.status_code, plain.json()["error"]["code"]) == (429, "UNAVAILABLE")
            assert (await http.get("/jobs/JB_1/logs", headers=other)).status_code == 404
        protocol = Subprotocol(TRANSPORT_WS)
        async with connect(service.websocket_url, subprotocols=[protocol], additional_headers=other) as websocket:
            await websocket.send('{"type": "connection_init"}')
            await websocket.recv()
            answers = [await subscribed(websocket, str(n), "{ __typename }") for n in range(9)]
            assert "error" in [answer["type"] for answer in answers]


def test_a_caller_gets_as_much_as_time_gives() -> None:
    now = 100.0
    rate = Rate(2, clock=lambda: now)
    for _ in range(20):
        rate.charge("a")
    with pytest.raises(TooMany) as refused:
        rate.charge("a")
    assert (refused.value.retry_after_s, "wait 0.500 s" in str(refused.value)) == (1, True)
    rate.charge("b")
    now += 0.5
    rate.charge("a")
    with pytest.raises(TooMany):
        rate.charge("a")
    now += 1000
    for _ in range(20):
        rate.charge("a")
    with pytest.raises(TooMany):
        rate.charge("a")
