"""Any selection of any rows is answered alike by the executor of the schema and by Strawberry's own."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Collection, Generator, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from functools import partial
from itertools import cycle, islice
from types import SimpleNamespace
from typing import Any, ClassVar, Generic, TypeVar, cast

import pytest
import strawberry
from graphql import GraphQLInterfaceType, GraphQLObjectType, get_named_type, is_composite_type
from graphql.execution import Executor
from hypothesis import example, given, settings
from hypothesis import strategies as st
from strawberry.permission import BasePermission
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from domain.errors import Unavailable
from domain.jobs import Job, LogCounts, Progress
from domain.live.shared_batches import Stretch, Stretches
from domain.live.tail_hub import TailBatch
from domain.logs import TaskLog
from domain.pages import Page
from domain.stages.stage_status import StageRecord, TaskRecord
from graph.context import Context, Services
from graph.formats.json_fragment import to_json
from graph.operations.limits import USUAL_LIMITS
from graph.plans.column_executor import ColumnExecutor
from graph.schema import schema
from jobtail.events import JobStatus, LogLevel

AT = datetime(2026, 11, 22, 20, 33, 58, 123456, tzinfo=UTC)
LINE = TaskLog(
    job_id="job",
    seq=1,
    execution_id=None,
    stage="read_jd",
    task_id=None,
    timestamp=AT,
    recorded_at=AT,
    level=LogLevel.INFO,
    message="Reading job description",
    metadata=None,
)
JOB = Job(
    job_id="job",
    handler_name="ingest_jd",
    source=None,
    status=JobStatus.RUNNING,
    progress=None,
    error=None,
    result=None,
    parent_job_id=None,
    execution_id=None,
    schedule_id=None,
    metadata=None,
    created_at=AT,
    started_at=None,
    finished_at=None,
    last_seq=1,
    first_recorded_at=None,
    last_recorded_at=None,
    log_counts=LogCounts(),
)
USUAL = "seq stage taskId timestamp level message metadata"


@dataclass(frozen=True)
class Later:
    """Has to be awaited."""

    value: Any

    def __await__(self) -> Generator[Any, None, Any]:
        yield from asyncio.sleep(0).__await__()
        return self.value


class Text(str):
    __slots__ = ()


ODDITIES: tuple[Any, ...] = (
    *(None, True, 7, -1, 2**31, 2**53, 10**400, 0.5, 2.0, float("nan"), "", "7", Text("text"), b"", [1], {"a": [None]}),
    *((1,), object, ValueError("a value that is an exception"), JobStatus.FAILED, LogLevel.ERROR, AT),
    *(AT.replace(tzinfo=None), datetime.max.replace(tzinfo=timezone(timedelta(hours=-1)))),
    *(Later(None), Later("later"), Later(3), Later(ValueError("later"))),
)
"""What no stored row has where it does not belong."""
ODD = st.sampled_from(ODDITIES)


def odd_now_and_then(usual: st.SearchStrategy[Any], names: Sequence[str]) -> st.SearchStrategy[Any]:
    """Draw rows, some with odd values in some of their fields."""
    spoilt = st.builds(
        lambda row, odd: replace(row, **odd), usual, st.dictionaries(st.sampled_from(names), ODD, max_size=2)
    )
    return st.lists(usual, max_size=4) | st.lists(spoilt, max_size=3)


LINES = odd_now_and_then(
    st.builds(
        replace,
        st.just(LINE),
        seq=st.integers(0, 2**53),
        execution_id=st.none() | st.just("run-1"),
        task_id=st.none() | st.just("candidate-1"),
        timestamp=st.sampled_from([AT, AT.replace(microsecond=0), AT.astimezone(timezone(timedelta(hours=2)))]),
        level=st.sampled_from(LogLevel),
        message=st.text(max_size=12),
        metadata=st.none() | st.just({}) | st.just({"score": 0.5, "tags": ["a", None]}),
    ),
    ["seq", "execution_id", "stage", "task_id", "timestamp", "level", "message", "metadata"],
)
JOBS = odd_now_and_then(
    st.builds(
        replace,
        st.just(JOB),
        progress=st.none() | st.builds(Progress, current=st.integers(0, 9), total=st.none() | st.integers(0, 9)),
        status=st.sampled_from(JobStatus),
        finished_at=st.none() | st.just(AT),
    ),
    ["source", "status", "error", "metadata", "last_seq", "started_at"],
)
"""What cursors are made of is as it is stored: a plan makes none for edges whose cursor nobody asks for."""


# Selections

Composite = GraphQLObjectType | GraphQLInterfaceType
ARGUMENTS = {
    "message": ["", "(maxLength: 3)", "(maxLength: null)", "(maxLength: $length)", "(maxLength: -1)"],
    "at": ["", "(index: 1)", "(index: $length)"],
    "stage": ['(name: "read_jd")', '(name: "none")'],
    "tasks": ["", "(first: 2)", "(first: $length)", '(after: "no cursor")'],
    "children": ["", "(first: $length)"],
    "logs": ["", "(first: 2)", "(last: $length)", '(filter: {levels: [ERROR], search: "x"})', "(first: 1, last: 1)"],
    "failure": [""],
    "shout": ["", "(times: 1)", "(times: $length)", '(times: 0, prefix: "a")', "(prefix: null)"],
}
DIRECTIVES = [
    "",
    "",
    "",
    "@include(if: $yes)",
    "@skip(if: $no)",
    "@skip(if: true)",
    "@include(if: $no) @skip(if: $yes)",
]
UNASKED = {"Job.children", "Job.logs", "Job.parent", "Job.stage", "Job.stages"}
"""What loads something more."""
VARIABLES = {"yes": "Boolean!", "no": "Boolean! = false", "length": "Int"}


class Selections:
    """Draws what an operation selects, with the fragments that it needs."""

    def __init__(self, draw: st.DrawFn, unasked: Collection[str] = UNASKED) -> None:
        self._draw = draw
        self._unasked = unasked
        self.fragments: dict[str, str] = {}

    def of(self, kind: Composite, depth: int = 2) -> str:
        pieces = self._draw(st.integers(1, 4 if depth else 3))
        return " ".join(self._piece(kind, depth) for _ in range(pieces))

    def _piece(self, kind: Composite, depth: int) -> str:
        form = self._draw(st.sampled_from(["field"] * 5 + ["usual", "typename", "inline", "spread"]))
        directives = self._draw(st.sampled_from(DIRECTIVES))
        if form == "typename":
            return f"__typename {directives}"
        if form == "usual" and kind.name == "TaskLog":
            return USUAL
        if form == "inline" and depth:
            condition, inner = self._condition(kind)
            return f"... {condition} {directives} {{ {self.of(inner, depth - 1)} }}"
        if form == "spread" and depth:
            return f"...{self._fragment(kind, depth)} {directives}"
        return self._field(kind, depth, directives)

    def _condition(self, kind: Composite) -> tuple[str, Composite]:
        chosen = self._draw(st.sampled_from([None, kind, *kind.interfaces]))
        return (f"on {chosen.name}", chosen) if chosen else ("", kind)

    def _fragment(self, kind: Composite, depth: int) -> str:
        known = [name for name in self.fragments if name.endswith(f"_{kind.name}")]
        again: bool = self._draw(st.booleans())
        if known and again:
            return known[0]
        chosen = self._draw(st.sampled_from([kind, *kind.interfaces]))
        selected = self.of(chosen, depth - 1)
        name = f"F{len(self.fragments)}_{chosen.name}"
        self.fragments[name] = f"fragment {name} on {chosen.name} {{ {selected} }}"
        return name

    def _field(self, kind: Composite, depth: int, directives: str) -> str:
        names: list[str] = [
            name
            for name, field in kind.fields.items()
            if f"{kind.name}.{name}" not in self._unasked
            and (depth or not is_composite_type(get_named_type(field.type)))
        ]
        name: str = self._draw(st.sampled_from(names or ["__typename"]))
        if name == "__typename":
            return name
        choices: list[str] = ARGUMENTS.get(name, [""])
        number = self._draw(st.integers(0, len(choices) - 1))
        # Aliases are told apart by arguments, so that fields of one key can always be merged.
        aliases: st.SearchStrategy[str] = st.sampled_from(["", f"a_{name}: "])
        alias = self._draw(aliases) if number == 0 else f"a{number}_{name}: "
        inner = get_named_type(kind.fields[name].type)
        selected = f"{{ {self.of(cast('Composite', inner), depth - 1)} }}" if is_composite_type(inner) else ""
        return f"{alias}{name}{choices[number]} {directives} {selected}"


@dataclass(frozen=True)
class Operation:
    text: str
    variables: dict[str, Any]


@st.composite
def operations(
    draw: st.DrawFn,
    tested: strawberry.Schema,
    kind: str,
    frame: str,
    unasked: Collection[str] = UNASKED,
    depth: int = 2,
) -> Operation:
    """Draw an operation: `frame` with each `...` filled by a selection of the type."""
    selections = Selections(draw, unasked)
    head, *parts = frame.split("...")
    composite = cast("Composite", tested._schema.type_map[kind])
    body = head + "".join(selections.of(composite, depth) + part for part in parts)
    whole = " ".join([body, *selections.fragments.values()])
    declared = ", ".join(f"${name}: {type_}" for name, type_ in VARIABLES.items() if f"${name}" in whole)
    values = {"yes": draw(st.booleans()), "no": draw(st.booleans()), "length": draw(st.sampled_from([None, 0, 5, -1]))}
    given = {name: value for name, value in values.items() if name == "yes" or draw(st.booleans())}
    operation, selected = whole.split(" ", 1)
    return Operation(f"{operation} {f'({declared})' if declared else ''} {selected}", given)


# Answers

Answer = list[tuple[str, list[Any]]]


def with_executor(tested: strawberry.Schema, executor: type[Executor[Any]]) -> strawberry.Schema:
    other = copy(tested)
    other.execution_context_class = executor
    return other


def ordinary(tested: strawberry.Schema) -> strawberry.Schema:
    return with_executor(tested, StrawberryGraphQLCoreExecutionContext)


def context(
    lines: Sequence[TaskLog] = (), jobs: Sequence[Job] = (), events: int = 3, *, is_shared: bool = False
) -> Context:
    """Give an operation these rows; a subscription gets them in every second event."""

    async def job(_: Any) -> dict[str, Job]:
        return {"job": JOB}

    async def log_pages(requests: Sequence[Any]) -> list[Page[TaskLog]]:
        return [Page(lines, has_next=False, has_previous=True) for _ in requests]

    async def job_pages(requests: Sequence[Any]) -> list[Page[Job]]:
        return [Page(jobs, has_next=False, has_previous=True) for _ in requests]

    stretches = [Stretch(rows, 1) for rows in (lines, [LINE])]
    for stretch in stretches:
        stretch.keeper = Stretches()  # which keeps what is made of them

    async def follow(*_: Any, **__: Any) -> AsyncGenerator[TailBatch, None]:
        for number, stretch in enumerate(islice(cycle(stretches), events)):
            shown = stretch if is_shared else None
            yield TailBatch(stretch.rows, 1, caught_up=number > 1, last_seq=1, job_status=None, stretch=shown)

    services = SimpleNamespace(
        jobs=SimpleNamespace(get=job, pages=job_pages),
        logs=SimpleNamespace(pages=log_pages),
        hub=SimpleNamespace(follow=follow),
    )
    return Context(cast("Services", services))


async def answers(tested: strawberry.Schema, operation: Operation, context: Any) -> Answer:
    """Collect what is answered; data as text, which keeps the order of keys and tells 1 from 1.0 and True."""
    stream = await tested.stream(operation.text, operation.variables, context_value=context)
    return [
        (repr(result.data), [error.formatted for error in result.errors or ()])  # type: ignore[union-attr]
        async for result in stream
    ]


def assert_alike(tested: strawberry.Schema, operation: Operation, make_context: Callable[[], Any]) -> None:
    async def both() -> tuple[Answer, Answer]:
        return await answers(tested, operation, make_context()), await answers(
            ordinary(tested), operation, make_context()
        )

    fast, slow = asyncio.run(both())
    assert fast == slow


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
    assert_alike(schema, operation, partial(context, lines))


@alike
@given(
    operations(schema, "TaskLog", 'subscription { jobLogs(jobId: "job") { logs { ... } lastSeq logs { ... } } }'), LINES
)
def test_events_are_answered_alike(operation: Operation, lines: list[TaskLog]) -> None:
    assert_alike(schema, operation, partial(context, lines))


async def sent(tested: strawberry.Schema, operation: Operation, context: Any) -> list[str]:
    """Collect what is sent, as text."""
    said = []
    stream = await tested.stream(operation.text, operation.variables, context_value=context)
    async for result in stream:
        errors = [error.formatted for error in result.errors or ()]  # type: ignore[union-attr]
        try:
            said.append(to_json({"data": result.data, "errors": errors}))  # type: ignore[union-attr]
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
        return maker, follower, await sent(ordinary(schema), operation, context(lines))

    maker, follower, alone = asyncio.run(all_three())
    assert maker == follower == alone


@alike
@given(operations(schema, "Job", "query { jobs { nodes { ... } } }"), JOBS)
def test_jobs_are_answered_alike(operation: Operation, jobs: list[Job]) -> None:
    assert_alike(schema, operation, partial(context, jobs=jobs))


COUNTS = LogCounts(info=1)
STAGE = StageRecord(
    job_id="job",
    name="read_jd",
    first_seq=1,
    started_at=AT,
    last_at=AT,
    task_count=2,
    log_counts=COUNTS,
    own_failures=0,
    stated=None,
)
TASK = TaskRecord(
    job_id="job",
    stage="read_jd",
    task_id="candidate-1",
    name=None,
    stated=None,
    result=None,
    first_seq=1,
    started_at=AT,
    last_at=AT,
    finished_at=None,
    log_counts=COUNTS,
)
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
        tasks=SimpleNamespace(stages=stages_of, pages=pages(tasks)),
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
    assert_alike(schema, operation, partial(tree, jobs, stages, tasks, lines))


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


@pytest.mark.parametrize("variables", [{}, {"first": None}, {"first": 1, "no": True}], ids=str)
async def test_the_hierarchy_has_a_plan(variables: dict[str, Any]) -> None:
    prepared = schema.documents.prepare(HIERARCHY, USUAL_LIMITS)
    assert prepared.errors == []
    given_tree = tree([JOB], [STAGE], [TASK, TASK], [LINE])
    assert await prepared.run(schema._schema, None, variables, given_tree, None) is not None
    planned = await answers(schema, Operation(HIERARCHY, variables), given_tree)
    assert planned == await answers(ordinary(schema), Operation(HIERARCHY, variables), given_tree)


async def test_the_time_that_a_plan_takes_does_not_double_with_each_level() -> None:
    levels = 12
    text = "{ jobs { nodes { " + "children { nodes { " * levels + "jobId" + " } }" * levels + " } } }"
    prepared, began = schema.documents.prepare(text, USUAL_LIMITS), time.perf_counter()
    assert await prepared.run(schema._schema, None, {}, tree([JOB], [], [], []), None) is not None
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
    assert found == await answers(ordinary(schema), operation, given_tree)
    assert "{}" in found[0][0]


# What the schema has not got yet


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
    def told(self, info: strawberry.Info[Any, None]) -> str:
        return info.field_name

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


@strawberry.type
class ZooSubscription:
    @strawberry.subscription
    async def zoo(self, info: strawberry.Info[Any, None]) -> AsyncGenerator[Zoo, None]:
        for _ in range(2):
            yield info.context


def drawn(usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Draw what is usual, and seldom what is odd."""
    return st.integers(0, 30).flatmap(lambda number: ODD if number == 30 else usual)


PARTS: st.SearchStrategy[Any] = st.builds(Part, whole=drawn(st.none() | st.booleans()), value=drawn(st.integers(0, 9)))
THINGS: st.SearchStrategy[Any] = st.builds(
    Thing,
    name=drawn(st.sampled_from(["a", "b"])),
    count=drawn(st.sampled_from([0, 1])),
    weight=drawn(st.sampled_from([None, 0.5, 3])),
    colour=drawn(st.none() | st.sampled_from(Colour)),
    grid=drawn(st.just([[1], []])),
    part=drawn(PARTS),
    spare=drawn(st.none() | PARTS),
    parts=drawn(st.lists(PARTS | st.none(), max_size=2)),
    pile=drawn(st.lists(st.lists(PARTS, max_size=2), max_size=2)),
)
THING = Thing(
    name="a",
    count=1,
    weight=None,
    colour=None,
    grid=[],
    part=Part(whole=True, value=1),
    spare=None,
    parts=[],
    pile=[],
)
ZOOS: st.SearchStrategy[Any] = st.builds(
    Zoo,
    things=st.lists(THINGS, max_size=3) | st.lists(drawn(THINGS), max_size=3).map(tuple),
    loose=st.none() | st.lists(drawn(THINGS | st.none()), max_size=3),
    named=st.lists(drawn(THINGS | st.builds(Other, name=drawn(st.just("other")))), max_size=3),
)
zoo = strawberry.Schema(Zoo, subscription=ZooSubscription, types=[Thing, Other], execution_context_class=ColumnExecutor)


@alike
@given(operations(zoo, "Thing", "subscription { zoo { things { ... } loose { ... } } }"), ZOOS)
def test_what_other_types_may_have_is_answered_alike(operation: Operation, given: Zoo) -> None:
    assert_alike(zoo, operation, lambda: given)


@alike
@given(operations(zoo, "Named", "subscription { zoo { named { ... } things { ... } } }"), ZOOS)
def test_lists_of_an_interface_are_answered_alike(operation: Operation, given: Zoo) -> None:
    assert_alike(zoo, operation, lambda: given)


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
        assert_alike(schema, operation, partial(context, lines))


@pytest.mark.parametrize("asked", ["name", "count", "weight", "colour", "part { value }", "spare { whole }", "guarded"])
def test_each_odd_value_of_other_types_is_answered_alike(asked: str) -> None:
    operation = Operation(f"subscription {{ zoo {{ things {{ {asked} }} }} }}", {})
    for odd in (*ODDITIES, 0, Part(whole=None, value=0), Part(whole=True, value=cast("int", None)), Colour.RED):
        attribute = "count" if asked == "guarded" else asked.split(maxsplit=1)[0]
        things = [THING, replace(THING, **{attribute: odd})]
        assert_alike(zoo, operation, partial(Zoo, things=things, loose=None, named=[]))


class OnlyColumns(ColumnExecutor):
    """Refuses what is left to graphql-core."""

    def complete_iterable_value(self, *_: Any) -> Any:
        raise AssertionError("this list was not completed by columns")


class Remembering(ColumnExecutor):
    """Tells how much an executor remembers of its events."""

    sizes: ClassVar[list[int]] = []

    def build_response(self, data: dict[str, Any] | None) -> Any:
        self.sizes.append(len(self._relevant_sub_fields) + len(self._plans))
        return super().build_response(data)


@pytest.mark.parametrize(
    "text",
    [
        f'query {{ job(jobId: "job") {{ logs {{ nodes {{ {USUAL} }} edges {{ cursor node {{ {USUAL} }} }} }} }} }}',
        'query { job(jobId: "job") { logs { nodes { id __typename jobId messageLength message(maxLength: 3) } } } }',
        f'subscription {{ jobLogs(jobId: "job") {{ logs {{ {USUAL} }} endCursor }} }}',
        "query { jobs { nodes { jobId status createdAt progress { percentage } logCounts { total error } } } }",
    ],
)
async def test_what_the_pages_ask_for_is_completed_by_columns(text: str) -> None:
    rows = [replace(LINE, seq=seq, metadata={"n": seq}) for seq in range(3)]
    jobs = [JOB, replace(JOB, progress=Progress(1, 3))]
    tested = with_executor(schema, OnlyColumns)
    for data, errors in await answers(tested, Operation(text, {}), context(rows, jobs)):
        assert errors == []
        assert data != "None"


async def test_a_long_subscription_remembers_nothing_of_its_events() -> None:
    operation = Operation(f'subscription {{ jobLogs(jobId: "job") {{ logs {{ {USUAL} }} lastSeq }} }}', {})
    Remembering.sizes.clear()
    assert len(await answers(with_executor(schema, Remembering), operation, context([LINE], events=20))) == 20
    assert len(set(Remembering.sizes)) == 1
