"""Any selection of any rows is answered alike by plans and by graphql-core, what fails included."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from enum import Enum
from functools import partial
from types import SimpleNamespace
from typing import Any, Generic, TypeVar, cast

import pytest
import strawberry
from hypothesis import example, given, settings
from hypothesis import strategies as st
from strawberry.permission import BasePermission

from domain.errors import Unavailable
from domain.jobs import Job, LogCounts
from domain.logs import TaskLog
from domain.pages import Page
from domain.stages.job_stages import Hierarchy
from domain.stages.stage_status import StageRecord, TaskRecord
from graph.context import Context, Services
from graph.errors import CodedErrors
from graph.formats.json_fragment import to_json
from graph.operations.limits import USUAL_LIMITS
from graph.plans.steps import Plan
from graph.schema import PreparedDocuments, Schema, schema
from tests.graphql_property import (
    JOB,
    JOBS,
    LINE,
    LINES,
    ODD,
    ODDITIES,
    STAGE,
    TASK,
    UNPLANNED,
    Operation,
    answers,
    assert_alike,
    context,
    odd_now_and_then,
    operations,
)


@pytest.fixture(autouse=True, scope="module")
def _no_log_of_odd_rows() -> Iterator[None]:
    """Rows that make an error are meant; telling of each takes longer than the test."""
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


alike = settings(max_examples=120, deadline=None)


@alike
@given(
    operations(
        schema, "TaskLog", 'query { job(jobId: "job") { logs { nodes { ... } edges { cursor node { ... } } } } }'
    ),
    LINES,
)
def test_pages_of_lines_are_answered_alike(operation: Operation, lines: list[TaskLog]) -> None:
    assert_alike(operation, partial(context, lines))


@alike
@given(
    operations(schema, "TaskLog", 'subscription { jobLogs(jobId: "job") { logs { ... } lastSeq logs { ... } } }'), LINES
)
def test_events_are_answered_alike(operation: Operation, lines: list[TaskLog]) -> None:
    assert_alike(operation, partial(context, lines))


async def sent(tested: Schema, operation: Operation, context: Any) -> list[str]:
    """Collect what is sent, as text."""
    said = []
    stream = await tested.stream(operation.text, operation.variables, context_value=context)
    async for result in stream:
        errors = sorted((error.formatted for error in result.errors or ()), key=repr)  # type: ignore[union-attr]  # the schema has no @defer
        try:
            said.append(to_json({"data": result.data, "errors": errors}))  # type: ignore[union-attr]  # the same
        except (TypeError, ValueError):  # what no stored row holds, and no JSON
            said.append("nothing")
    return said


@alike
@given(
    operations(
        schema,
        "TaskLog",
        'subscription { jobLogs(jobId: "job") { first: logs { ... } lastSeq again: logs { ... } caughtUp __typename } }',
    ),
    LINES,
)
@example(
    operation=Operation('subscription { jobLogs(jobId: "job") { logs { seq stage level } } }', {}),
    lines=[LINE, replace(LINE, stage=cast("str", 5))],
)
def test_frames_that_viewers_share_say_what_they_would_be_told_alone(
    operation: Operation, lines: list[TaskLog]
) -> None:
    async def all_three() -> tuple[list[str], list[str], list[str]]:
        shared = context(lines, is_shared=True)
        maker, follower = await sent(schema, operation, shared), await sent(schema, operation, shared)
        return maker, follower, await sent(UNPLANNED, operation, context(lines))

    maker, follower, alone = asyncio.run(all_three())
    assert maker == follower == alone


@alike
@given(operations(schema, "Job", "query { jobs { nodes { ... } } }"), JOBS)
def test_jobs_are_answered_alike(operation: Operation, jobs: list[Job]) -> None:
    assert_alike(operation, partial(context, jobs=jobs))


STAGES = odd_now_and_then(
    st.builds(replace, st.just(STAGE), name=st.sampled_from(["read_jd", "score"]), task_count=st.integers(0, 3)),
    ["name", "task_count"],
)
TASKS = odd_now_and_then(
    st.builds(replace, st.just(TASK), name=st.none() | st.just("first"), log_counts=st.just(LogCounts(error=1))),
    ["name", "result"],
)


def tree(
    jobs: Sequence[Job], stages: Sequence[StageRecord], tasks: Sequence[TaskRecord], lines: Sequence[TaskLog]
) -> Context:
    """Give a whole hierarchy: each job these stages, each stage these tasks, and everything these lines.

    Where there is no job there are no lines either: a page of lines tells whether there is their job.
    """
    lines = lines if jobs else []

    def pages(items: Sequence[Any]) -> Callable[[Sequence[Any]], Any]:
        async def load(requests: Sequence[Any]) -> list[Page[Any]]:
            return [Page(items[: request.window.limit], has_next=True, has_previous=False) for request in requests]

        return load

    async def get(job_ids: Sequence[str]) -> dict[str, Job]:
        return dict.fromkeys(job_ids, jobs[0]) if jobs else {}

    async def stages_of(job_ids: Sequence[str]) -> dict[str, Sequence[StageRecord]]:
        return dict.fromkeys(job_ids, stages)

    async def hierarchies(job_ids: Sequence[str]) -> dict[str, Hierarchy]:
        return dict.fromkeys(job_ids, Hierarchy(jobs[0], None)) if jobs else {}

    async def log_counts(requests: Sequence[Any]) -> list[int]:
        if len(lines) > 2:
            raise Unavailable("away")
        return [len(lines) for _ in requests]

    async def counts(filters: Sequence[Any]) -> list[int]:
        return [len(jobs) for _ in filters]

    async def none(*_: Any) -> dict[str, Any]:
        return {}

    services = SimpleNamespace(
        jobs=SimpleNamespace(get=get, pages=pages(jobs), counts=counts),
        tasks=SimpleNamespace(stages=stages_of, pages=pages(tasks), hierarchies=hierarchies),
        logs=SimpleNamespace(pages=pages(lines), counts=log_counts),
        executions=SimpleNamespace(get=none),
    )
    return Context(cast("Services", services))


@settings(max_examples=300, deadline=None)
@given(
    operations(schema, "Job", 'query { job(jobId: "job") { ... } jobs { nodes { ... } } }', (), 5),
    JOBS,
    STAGES,
    TASKS,
    LINES,
)
def test_the_hierarchy_is_answered_alike(
    operation: Operation,
    jobs: list[Job],
    stages: list[StageRecord],
    tasks: list[TaskRecord],
    lines: list[TaskLog],
) -> None:
    assert_alike(operation, partial(tree, jobs, stages, tasks, lines))


HIERARCHY = """
query Tree($first: Int = 2, $no: Boolean = false) {
  __typename
  jobs(first: $first) {
    totalCount
    pageInfo { hasNextPage endCursor }
    edges { cursor node { jobId } }
    nodes {
      ...Whole
      stages { name status logCounts { total } tasks { totalCount nodes { taskId logs(last: 1) { nodes { seq } } } } }
      parent { jobId } children { nodes { jobId } } execution { executionId }
    }
  }
  job(jobId: "job") { ...Whole @skip(if: $no) logs(first: $first) { totalCount edges { cursor node { id seq } } } }
}
fragment Whole on Job { id status createdAt metadata progress { percentage } }
"""


def assert_is_planned(text: str, variables: dict[str, Any]) -> None:
    operation = schema.documents.prepare(text, USUAL_LIMITS).operation(None)
    assert operation is not None
    values = operation.variables.read(variables)
    assert not isinstance(values, list)
    assert isinstance(operation.plan(values), Plan)


@pytest.mark.parametrize("variables", [{}, {"first": None}, {"first": 1, "no": True}], ids=str)
async def test_the_hierarchy_has_a_plan(variables: dict[str, Any]) -> None:
    assert_is_planned(HIERARCHY, variables)
    given_tree = tree([JOB], [STAGE], [TASK, TASK], [LINE])
    planned = await answers(schema, Operation(HIERARCHY, variables), given_tree)
    assert planned == await answers(UNPLANNED, Operation(HIERARCHY, variables), given_tree)


async def test_the_time_that_a_plan_takes_does_not_double_with_each_level() -> None:
    levels = 12
    text = "{ jobs { nodes { " + "children { nodes { " * levels + "jobId" + " } }" * levels + " } } }"
    assert_is_planned(text, {})
    began = time.perf_counter()
    assert await answers(schema, Operation(text, {}), tree([JOB], [], [], []))
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize(
    "selected",
    [
        "jobs { nodes @skip(if: $yes) { jobId } }",
        "jobs { nodes { jobId @skip(if: $yes) } }",
        "jobs { edges { cursor @skip(if: $yes) } }",
        "jobs { nodes { children { totalCount @skip(if: $yes) } } }",
        'job(jobId: "job") { stages { name @skip(if: $yes) } }',
    ],
)
async def test_where_everything_is_skipped_there_are_objects_without_fields(selected: str) -> None:
    operation = Operation(f"query ($yes: Boolean!) {{ {selected} }}", {"yes": True})
    given_tree = tree([JOB], [STAGE], [TASK], [LINE])
    found = await answers(schema, operation, given_tree)
    assert found == await answers(UNPLANNED, operation, given_tree)
    assert "{}" in found[0][0]


class Closed(BasePermission):
    message = "closed"

    def has_permission(self, source: Any, info: strawberry.Info, **kwargs: Any) -> bool:
        return bool(source.count)


@strawberry.enum
class Colour(Enum):
    RED = "r"
    GREEN = "g"


PartValue = TypeVar("PartValue")


@strawberry.type
class Part(Generic[PartValue]):
    whole: bool | None
    value: PartValue


@strawberry.interface
class Named:
    name: str


@strawberry.type
class Thing(Named):
    count: int
    weight: float | None
    colour: Colour | None
    grid: list[list[int]]
    part: Part[int]
    spare: Part[int] | None
    parts: list[Part[int] | None]
    pile: list[list[Part[int]]]
    guarded: int = strawberry.field(default=1, permission_classes=[Closed])

    @strawberry.field
    def shout(self, times: int | None = 2, prefix: str | None = "!") -> str:
        return (prefix or "-") + self.name * (times or 0)

    @strawberry.field
    def kin(self, root: strawberry.Parent[Any]) -> str | None:
        return None if root.count else root.name

    @strawberry.field
    def at(self, index: int = 0) -> int:
        return self.count + index

    @strawberry.field
    async def slow(self) -> int:
        await asyncio.sleep(0)
        return self.count

    @strawberry.field
    def risky(self) -> float | None:
        return 1 / self.count


@strawberry.type
class Other(Named):
    name: str


@strawberry.type
class Zoo:
    things: list[Thing]
    loose: list[Thing | None] | None
    named: list[Named]


def drawn(usual: st.SearchStrategy[Any], odd: st.SearchStrategy[Any] = ODD) -> st.SearchStrategy[Any]:
    """Draw what is usual, and seldom what is odd."""
    return st.integers(0, 30).flatmap(lambda number: odd if number == 30 else usual)


NO_OBJECT: st.SearchStrategy[Any] = st.sampled_from([None, ValueError("a value that is an exception")])
PARTS: st.SearchStrategy[Any] = st.builds(Part, whole=drawn(st.none() | st.booleans()), value=drawn(st.integers(0, 9)))
THINGS: st.SearchStrategy[Any] = st.builds(
    Thing,
    name=drawn(st.sampled_from(["a", "b"])),
    count=drawn(st.sampled_from([0, 1])),
    weight=drawn(st.sampled_from([None, 0.5, 3])),
    colour=drawn(st.none() | st.sampled_from(Colour)),
    grid=drawn(st.just([[1], []]), NO_OBJECT),
    part=drawn(PARTS, NO_OBJECT),
    spare=drawn(st.none() | PARTS, NO_OBJECT),
    parts=drawn(st.lists(PARTS | st.none(), max_size=2), NO_OBJECT),
    pile=drawn(st.lists(st.lists(PARTS, max_size=2), max_size=2), NO_OBJECT),
)
THING = Thing(
    name="a", count=1, weight=None, colour=None, grid=[], part=Part(whole=True, value=1), spare=None, parts=[], pile=[]
)
ZOOS: st.SearchStrategy[Any] = st.builds(
    Zoo,
    things=st.lists(drawn(THINGS, NO_OBJECT), max_size=3),
    loose=st.none() | st.lists(drawn(THINGS | st.none(), NO_OBJECT), max_size=3),
    named=st.lists(drawn(THINGS | st.builds(Other, name=drawn(st.just("other"))), NO_OBJECT), max_size=3),
)
PLANNED_ZOO, UNPLANNED_ZOO = (
    Schema(is_planned=is_planned, query=Zoo, types=[Thing, Other], extensions=[CodedErrors, PreparedDocuments])
    for is_planned in (True, False)
)


def assert_zoo_alike(operation: Operation, root_value: Zoo) -> None:
    assert_alike(operation, context, (PLANNED_ZOO, UNPLANNED_ZOO), root_value)


@alike
@given(operations(PLANNED_ZOO, "Thing", "query { things { ... } loose { ... } }"), ZOOS)
def test_what_other_types_may_have_is_answered_alike(operation: Operation, zoo: Zoo) -> None:
    assert_zoo_alike(operation, zoo)


@alike
@given(operations(PLANNED_ZOO, "Named", "query { named { ... } things { ... } }"), ZOOS)
def test_lists_of_an_interface_are_answered_alike(operation: Operation, zoo: Zoo) -> None:
    assert_zoo_alike(operation, zoo)


@pytest.mark.parametrize(
    ("attribute", "asked"),
    [
        *(("seq", "seq"), ("execution_id", "executionId"), ("stage", "stage"), ("task_id", "taskId")),
        *(("timestamp", "timestamp"), ("level", "level"), ("metadata", "metadata")),
        *(("message", "message"), ("message", "message(maxLength: 2)"), ("message", "messageLength"), ("job_id", "id")),
    ],
)
def test_each_odd_value_of_a_line_is_answered_alike(attribute: str, asked: str) -> None:
    operation = Operation(f'query {{ job(jobId: "job") {{ logs {{ nodes {{ {asked} }} }} }} }}', {})
    for odd in ODDITIES:
        lines = [LINE, replace(LINE, **{attribute: odd})]
        assert_alike(operation, partial(context, lines))


@pytest.mark.parametrize("asked", ["name", "count", "weight", "colour", "guarded"])
def test_each_odd_value_of_other_types_is_answered_alike(asked: str) -> None:
    operation = Operation(f"query {{ things {{ {asked} }} }}", {})
    for odd in (*ODDITIES, 0, Colour.RED):
        things = [THING, replace(THING, **{"count" if asked == "guarded" else asked: odd})]
        assert_zoo_alike(operation, Zoo(things=things, loose=None, named=[]))
