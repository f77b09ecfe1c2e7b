"""Clients of a service process: GraphQL by HTTP, subscriptions by websocket and by SSE, and a worker beside it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, Protocol, Self

import httpx
from gql import Client, gql
from gql.transport.exceptions import TransportQueryError
from gql.transport.websockets import WebsocketsTransport

from domain.recorder import Recorder
from persistence.channel.channel import BroadcastChannel
from persistence.database import Database
from persistence.stores.log_store import PostgresLogStore
from tests.conftest import Served

PATIENCE_S = 20
REQUEST_ID = "4f6c1d2e9a7b0358"
"""The one that the documentation shows."""
TRANSPORT_WS = "graphql-transport-ws"
JOB_LOGS = """
subscription ($jobId: String!, $after: String, $afterSeq: BigInt, $last: Int, $filter: LogFilter) {
  jobLogs(jobId: $jobId, after: $after, afterSeq: $afterSeq, last: $last, filter: $filter) {
    logs { seq message level stage taskId timestamp } endCursor caughtUp lastSeq jobStatus
  }
}
"""

_numbers = count(1)


def new_job_id(name: str = "JB") -> str:
    """Name a job that no other test of this process has."""
    return f"{name}_{next(_numbers)}"


@dataclass(frozen=True, slots=True)
class Refusal(Exception):
    """The first error of an answer."""

    code: str | None
    message: str
    path: list[str | int] | None = None

    @classmethod
    def of(cls, error: dict[str, Any]) -> Self:
        return cls((error.get("extensions") or {}).get("code"), error["message"], error.get("path"))


class Api:
    """GraphQL over HTTP. A context manager."""

    def __init__(self, service: Served) -> None:
        self.service = service
        self.http = httpx.Client(timeout=PATIENCE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.http.close()

    def answer(self, query: str, **variables: Any) -> dict[str, Any]:
        """Post an operation as JSON, lone surrogates included, and read the whole answer."""
        body = json.dumps({"query": query, "variables": variables})
        response = self.http.post(self.service.graphql_url, content=body, headers={"Content-Type": "application/json"})
        answer: dict[str, Any] = response.json()
        return answer

    def ask(self, query: str, **variables: Any) -> Any:
        """Read the data of an answer without errors."""
        answer = self.answer(query, **variables)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def refusal(self, query: str, **variables: Any) -> Refusal:
        """Read the error of an answer that has one."""
        (error,) = self.answer(query, **variables)["errors"]
        return Refusal.of(error)

    def start(self, job_id: str, handler_name: str = "ingest_jd", **more: Any) -> Any:
        query = "mutation ($input: StartJobInput!) { startJob(input: $input) { jobId status } }"
        return self.ask(query, input={"jobId": job_id, "handlerName": handler_name, **more})["startJob"]

    def capture(self, job_id: str, *lines: dict[str, Any] | str) -> tuple[int, int]:
        """Capture lines; a text is a line of the stage `read_jd`. Says the first and the last seq."""
        query = """
        mutation ($jobId: String!, $lines: [CaptureLineInput!]!) {
          captureLogs(jobId: $jobId, lines: $lines) { firstSeq lastSeq }
        }
        """
        whole = [{"stage": "read_jd", "message": line} if isinstance(line, str) else line for line in lines]
        payload = self.ask(query, jobId=job_id, lines=whole)["captureLogs"]
        return payload["firstSeq"], payload["lastSeq"]

    def finish(self, job_id: str, status: str = "COMPLETED", **more: Any) -> Any:
        query = "mutation ($input: FinishJobInput!) { finishJob(input: $input) { jobId status } }"
        return self.ask(query, input={"jobId": job_id, "status": status, **more})["finishJob"]


class Events:
    """The events of one subscription, each the value of its only field."""

    def __init__(self, events: AsyncGenerator[Any, None], cut: Callable[[], None] = lambda: None) -> None:
        self._events = events
        self.cut = cut
        """End the connection without a word."""

    async def next(self) -> Any:
        async with asyncio.timeout(PATIENCE_S):
            return await anext(self._events)

    async def until(self, is_enough: Callable[[Any], bool]) -> list[Any]:
        """Read up to the event that is enough, that one included."""
        events: list[Any] = []
        async with asyncio.timeout(PATIENCE_S):
            while not events or not is_enough(events[-1]):
                events.append(await anext(self._events))
        return events

    async def rest(self) -> list[Any]:
        """Read until the server completes the stream."""
        async with asyncio.timeout(PATIENCE_S):
            return [event async for event in self._events]


class Subscribe(Protocol):
    def __call__(self, service: Served, query: str, **variables: Any) -> AbstractAsyncContextManager[Events]:
        """Subscribe for as long as the context lasts."""


@asynccontextmanager
async def by_websocket(service: Served, query: str, **variables: Any) -> AsyncIterator[Events]:
    transport = WebsocketsTransport(url=service.websocket_url, subprotocols=[TRANSPORT_WS])
    async with Client(transport=transport) as session:

        async def events() -> AsyncGenerator[Any, None]:
            request = gql(query)
            request.variable_values = variables
            answers = session.subscribe(request)
            async with aclosing(answers):
                try:
                    async for data in answers:
                        yield next(iter(data.values()))
                except TransportQueryError as error:
                    raise Refusal.of((error.errors or [{}])[0]) from error

        def cut() -> None:
            transport.adapter.websocket.transport.abort()  # type: ignore[union-attr]

        async with aclosing(events()) as running:
            yield Events(running, cut)


@asynccontextmanager
async def by_sse(service: Served, query: str, **variables: Any) -> AsyncIterator[Events]:
    """Subscribe in the distinct connections mode of graphql-sse."""
    body = {"query": query, "variables": variables}
    headers = {"Accept": "text/event-stream"}
    async with (
        httpx.AsyncClient(timeout=PATIENCE_S) as http,
        http.stream("POST", service.graphql_url, json=body, headers=headers) as response,
    ):
        assert response.headers["content-type"].startswith("text/event-stream")

        async def events() -> AsyncGenerator[Any, None]:
            kind = ""
            async for line in response.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "event":
                    kind = value
                if kind == "complete":
                    return
                if name == "data":
                    answer = json.loads(value)
                    if "errors" in answer:
                        raise Refusal.of(answer["errors"][0])
                    yield next(iter(answer["data"].values()))
            raise AssertionError("the stream ended without `complete`")

        async with aclosing(events()) as running:
            yield Events(running)


@asynccontextmanager
async def worker(database_url: str, channel_url: str | None = None) -> AsyncIterator[Recorder]:
    """Record from this process, which is not the service's."""
    async with Database(database_url) as database, BroadcastChannel(channel_url or database_url) as channel:
        yield Recorder(PostgresLogStore(database), channel)
