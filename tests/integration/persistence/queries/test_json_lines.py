"""Lines that Postgres writes down are what they are to GraphQL's own executor, however odd their contents."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import orjson
import pytest
from hypothesis import given

from domain.access import Grant, Scope
from domain.filters import EVERYTHING
from domain.pages import Window
from domain.requests import LogPageRequest, LogScope
from domain.visibility import VisibleLogs
from domain.written_lines import LineSelection
from graph.context import Context, Services
from graph.formats.json_fragment import JsonFragment, to_bytes
from graph.schema import schema
from jobtail.events import JobStarted, Line, LogLevel
from persistence.database import Database
from persistence.stores.job_store import PostgresJobStore
from persistence.stores.log_store import PostgresLogStore
from tests.conftest import CloneDatabase, connect
from tests.fakes import store
from tests.graphql_property import UNPLANNED, Operation, operations

JOB = 'JB_ÄÖÜ "quoted" \\ and so on'
MESSAGES = [
    "",
    "plain",
    'quotes " and \\ and / and </script>',
    "".join(map(chr, range(1, 32))) + "\x7f\x80\x9f",
    "line\nbreaks\r\n\u2028\u2029\x85 and a tab\t",
    "Zoë, 工作, 🦊👩‍💻, \ufeff, \uffff, \U0010ffff",
    "%s {0} $1 :name E'\\x00' ||",
    '{"json": [1, null]}',
]
METADATA: list[dict[str, Any] | None] = [
    None,
    {},
    {"tiny": 5e-324, "huge": 1.7976931348623157e308, "whole": 2**63, "least": -(2**63), "zero": -0.0, "one": 1.0},
    {"fraction": 0.1, "small": 1e-7, "exponent": 1e22, "none": None, "yes": True, "no": False},
    {'key "quoted" \\ \n \u2028': {"": [[], {}, [[{"deep": ["ü", "\t\x01"]}]]]}},
    {"b": 1, "a": 2, "ab": "Z"},
]
TIMES = [
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
    datetime(99, 12, 31, 23, 59, 59, 100000, tzinfo=UTC),
    datetime(1883, 11, 18, 12, 3, 57, 999999, tzinfo=UTC),
    datetime(2025, 1, 15, 10, 30, tzinfo=UTC),
    datetime(2025, 1, 15, 10, 30, 0, 120000, tzinfo=UTC),
    datetime(2025, 1, 15, 10, 30, 0, 123456, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
]
PLACES = [("main", None), ("stage", None), ('st"a\\ge\n', "ta\tsk ü"), ("s", "t"), ("same", "same")]
LINES = [
    Line(
        job_id=JOB,
        message=MESSAGES[n % len(MESSAGES)],
        metadata=METADATA[n % len(METADATA)],
        at=TIMES[(n // 3) % len(TIMES)],
        stage=PLACES[n % len(PLACES)][0],
        task_id=PLACES[n % len(PLACES)][1],
        level=list(LogLevel)[n % len(LogLevel)],
    )
    for n in range(60)
]
EVERY_FIELD = "seq jobId executionId stage taskId timestamp level message metadata"
PAGE = "query ($job: String!) { job(jobId: $job) { logs %s { totalCount nodes { %s } pageInfo { %s } } } }"
PAGE_INFO = "startCursor endCursor hasNextPage hasPreviousPage"


class World:
    """A loop of its own, and stores of a real database on it."""

    def __init__(self, runner: asyncio.Runner, database: Database) -> None:
        self._runner = runner
        self.logs = PostgresLogStore(database)
        self._services = SimpleNamespace(jobs=PostgresJobStore(database), logs=self.logs)

    def run(self, made: Coroutine[Any, Any, Any]) -> Any:
        return self._runner.run(made)

    def data(self, operation: Operation, *, is_ordinary: bool) -> Any:
        context = Context(cast("Services", self._services))
        tested = UNPLANNED if is_ordinary else schema
        result = self.run(tested.execute(operation.text, operation.variables, context_value=context))
        return result.data if not result.errors else [error.formatted for error in result.errors]

    def said(self, operation: Operation, *, is_ordinary: bool) -> str:
        """Give the answer as a client reads it, in a form that tells the order of keys, and 1 from 1.0."""
        return repr(orjson.loads(to_bytes(self.data(operation, is_ordinary=is_ordinary))))

    def assert_alike(self, operation: Operation) -> None:
        assert self.said(operation, is_ordinary=False) == self.said(operation, is_ordinary=True)


@pytest.fixture(scope="module")
def world(new_database: CloneDatabase, migrated_template: str) -> Iterator[World]:
    with asyncio.Runner() as runner:
        database = runner.run(_opened(new_database(migrated_template)))
        world = World(runner, database)
        runner.run(_filled(world.logs))
        yield world
        runner.run(database.__aexit__())


async def _opened(url: str) -> Database:
    """Open a database that would write times in another form."""
    connection = await connect(url)
    name = await connection.fetchval("SELECT quote_ident(current_database())")
    await connection.execute(f"ALTER DATABASE {name} SET datestyle TO 'SQL, DMY'")
    await connection.close()
    return await Database(url).__aenter__()


async def _filled(logs: PostgresLogStore) -> None:
    await store(logs, JobStarted(job_id=JOB, handler_name="odd", execution_id='run "1"'), *LINES)
    await store(logs, JobStarted(job_id="empty", handler_name="odd"))
    large = [Line(job_id="large", message=message) for message in ("small", "x" * 10**6, "behind")]
    await store(logs, JobStarted(job_id="large", handler_name="odd"), *large)


def page(arguments: str = "", fields: str = EVERY_FIELD, job_id: str = JOB) -> Operation:
    return Operation(PAGE % (arguments, fields, PAGE_INFO), {"job": job_id})


ARGUMENTS = [
    "",
    "(first: 7)",
    "(last: 7)",
    "(first: 0)",
    "(last: 1000)",
    "(around: 30, first: 9)",
    "(first: 5, filter: {levels: [ERROR, TRACE]})",
    "(last: 5, filter: {minLevel: WARNING})",
    '(first: 5, filter: {search: "plain", stages: ["main", "s"]})',
    "(filter: {levels: []})",
]


@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_odd_contents_are_written_as_graphql_would(world: World, arguments: str) -> None:
    world.assert_alike(page(arguments))


def test_the_usual_page_is_written_by_postgres(world: World) -> None:
    nodes = [world.data(page(each), is_ordinary=False)["job"]["logs"]["nodes"] for each in ARGUMENTS]
    assert [isinstance(each, JsonFragment) for each in nodes] == ["around" not in each for each in ARGUMENTS]


@pytest.mark.parametrize("fields", ["id seq", "message(maxLength: 3)", "seq __typename", "messageLength"])
def test_what_is_not_written_is_answered_as_ever(world: World, fields: str) -> None:
    assert isinstance(world.data(page(fields=fields), is_ordinary=False)["job"]["logs"]["nodes"], list)
    world.assert_alike(page(fields=fields))


def test_no_name_that_a_client_chooses_is_a_part_of_a_statement(world: World) -> None:
    long = "a" * 2000
    world.assert_alike(page(fields=f"{long}: message __x: seq _1: level DROP: stage same: seq text: seq"))


def test_a_page_without_lines_is_an_empty_list(world: World) -> None:
    world.assert_alike(page(job_id="empty"))
    assert world.data(page(job_id="empty"), is_ordinary=False)["job"]["logs"]["nodes"].json == b"[]"


def test_a_page_with_a_large_line_is_read_as_ever(world: World) -> None:
    logs = world.data(page("(first: 30)", job_id="large"), is_ordinary=False)["job"]["logs"]
    assert [len(node["message"]) for node in logs["nodes"]] == [5, 10**6, 6]
    world.assert_alike(page("(first: 30)", job_id="large"))


def test_pages_of_several_jobs_are_written_together_and_large_ones_apart(world: World) -> None:
    text = f'{{ job(jobId: "empty") {{ children: jobId }} jobs {{ nodes {{ logs(first: 30) {{ nodes {{ {EVERY_FIELD} }} }} }} }} }}'
    world.assert_alike(Operation(text, {}))


def test_no_line_is_written_of_a_job_that_a_token_does_not_reach(world: World) -> None:
    seen = VisibleLogs(world.logs, Grant(scopes=frozenset({Scope.READ}), job_prefix="lar"))
    asked = LogPageRequest(
        scope=LogScope(job_id=JOB),
        window=Window(limit=9),
        filter=EVERYTHING,
        written_as=LineSelection((("message", "message"),)),
    )
    (page,) = world.run(seen.pages([asked]))
    assert (page.items.json, page.has_next) == (b"[]", False)


@given(operations(schema, "TaskLog", 'query { job(jobId: "JOB") { logs { nodes { ... } } } }'))
def test_any_selection_is_answered_alike(world: World, operation: Operation) -> None:
    world.assert_alike(replace(operation, text=operation.text.replace('"JOB"', orjson.dumps(JOB).decode())))
