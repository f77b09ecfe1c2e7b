"""Operations and rows of all kinds, drawn, and how a schema answers them: what properties of GraphQL are told with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import cycle, islice
from types import SimpleNamespace
from typing import Any, cast

from graphql import GraphQLInterfaceType, GraphQLObjectType, get_named_type, is_composite_type
from hypothesis import strategies as st

from domain.jobs import Job, LogCounts, Progress
from domain.live.shared_batches import SharedBatch, SharedBatches
from domain.live.tail_hub import TailBatch
from domain.logs import TaskLog
from domain.pages import Page
from domain.stages.stage_status import StageRecord, TaskRecord
from graph.context import Context, Services
from graph.schema import Schema, make_schema, schema
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
USUAL = "seq stage taskId timestamp level message metadata"


class Text(str):
    __slots__ = ()


ODDITIES: tuple[Any, ...] = (
    *(None, True, 7, -1, 2**31, 2**53, 10**400, 0.5, 2.0, float("nan"), "", "7", Text("text"), b"", [1], {"a": [None]}),
    *((1,), object, ValueError("a value that is an exception"), JobStatus.FAILED, LogLevel.ERROR, AT),
    *(AT.replace(tzinfo=None), datetime.max.replace(tzinfo=timezone(timedelta(hours=-1)))),
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
    tested: Schema,
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


Answer = list[tuple[str, list[Any]]]


UNPLANNED = make_schema(is_planned=False)
"""The schema as graphql-core answers it."""


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

    stretches = [SharedBatch(rows, 1) for rows in (lines, [LINE])]
    for stretch in stretches:
        stretch.keeper = SharedBatches()  # which keeps what is made of them

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


async def answers(tested: Schema, operation: Operation, context: Context, root_value: Any = None) -> Answer:
    """Collect what is answered, errors by path; data as text, which keeps the order of keys and tells 1 from 1.0 and True."""
    stream = await tested.stream(operation.text, operation.variables, context_value=context, root_value=root_value)
    return [
        (repr(result.data), sorted((error.formatted for error in result.errors or ()), key=repr))  # type: ignore[union-attr]  # the schema has no @defer
        async for result in stream
    ]


def assert_alike(
    operation: Operation,
    make_context: Callable[[], Context],
    schemas: tuple[Schema, Schema] = (schema, UNPLANNED),
    root_value: Any = None,
) -> None:
    async def both() -> list[Answer]:
        return [await answers(each, operation, make_context(), root_value) for each in schemas]

    planned, ordinary = asyncio.run(both())
    for (data, errors), (usual_data, usual_errors) in zip(planned, ordinary, strict=True):
        assert data == usual_data
        # A plan reads the arguments of a page before it knows whether the job is there: a bad one is told in either case.
        if not usual_errors and "None" in data:
            errors = [error for error in errors if error["extensions"]["code"] != "BAD_INPUT"]  # noqa: PLW2901
        if len(errors) < 2 and len(usual_errors) < 2:  # of several, which is told depends on which comes first
            assert errors == usual_errors
        assert bool(errors) == bool(usual_errors)
