"""One filter, one meaning: what a LogFilter finds in Postgres is what it matches in Python."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidInput
from domain.filters import EVERYTHING, JobFilter, LogFilter, fold_case
from domain.logs import storable
from domain.pages import Window
from domain.regex.pattern import compiled
from domain.requests import JobPageRequest, LogCount, LogPageRequest, LogScope
from jobtail.events import Event, JobFinished, JobStarted, JobStatus, Line, LogLevel
from jobtail.shown_text import shown
from persistence.database import Database
from persistence.stores.job_store import PostgresJobStore
from persistence.stores.log_store import PostgresLogStore
from tests.conftest import connect
from tests.fakes import job_matches, store
from tests.patterns import PATTERNS

AT = datetime(2026, 11, 22, 20, 33, 58, 123456, tzinfo=UTC)
LETTERS = (
    "aAbB%_\\'\" \u00df\u00e4\u00c4\u0130\u0131\u03a3\u03c2\u03c3\u01c5\u1e9e\u212a\U00010400\U00010428\ud83d\u0000"
)
TERMINAL = [
    "\x1b[1;31m",
    "\x1b[0m",
    "\x1b[K",
    "\x1b[1K",
    "\x1b[2K",
    "\x1b[2D",
    "\x1b[3C",
    "\x1b[2G",
    "\x1b[J",
    "\x1b[?25l",
]
TERMINAL += [
    "\x1b]0;t\x07",
    "\x1b]8;;http://a\x1b\\",
    "\x1b]",
    "\x1b[3",
    "\x1b",
    "\x9b31m",
    "\x9d",
    "\x9c",
    "\x1bP",
    "\x1b[3 K",
]
TERMINAL += [
    "\r",
    "\r\n",
    "\n",
    "\b",
    "\t",
    "\x07",
    "\x0b",
    "\x0c",
    "\x85",
    "\u200b",
    "\u202e",
    "ab",
    "c",
    "\U0001f600",
    " ",
]
"""What programs write for terminals, and a few texts."""
WRITTEN = st.lists(st.sampled_from(TERMINAL), max_size=12).map("".join)
TEXTS = (
    WRITTEN
    | st.text(st.sampled_from(LETTERS), max_size=8)
    | st.text(st.characters(exclude_categories=["Cs", "Cn"]), max_size=8)
)
LABELS = st.sampled_from(["read", "Read", "score", "%", "main"])
MOMENTS = st.integers(-3, 3).map(lambda n: AT + timedelta(microseconds=n))
NUMBERS = st.sampled_from([0, 1, -1, 1.0, 0.5, -0.0, 1e-7, 2**53, 2**63]) | st.integers(-2, 2)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.sampled_from(["", "a", "A", "%"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=2),
    max_leaves=5,
)
OBJECTS = st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)

LINES = st.builds(
    Line,
    job_id=st.just("job"),
    message=TEXTS,
    level=st.sampled_from(LogLevel),
    stage=st.none() | LABELS,
    task_id=st.none() | LABELS,
    at=MOMENTS,
    metadata=st.none() | OBJECTS,
)


def part_of(value: Any) -> st.SearchStrategy[Any]:
    """Draw something that a value may contain, or nearly so."""
    match value:
        case dict():
            return st.fixed_dictionaries({}, optional={key: part_of(item) for key, item in value.items()})
        case [*items] if items:
            return st.lists(st.one_of([part_of(item) for item in items]), max_size=3)
        case _:
            return st.just(value) | VALUES


@st.composite
def whole_filters(draw: st.DrawFn, lines: list[Line], depth: int = 0) -> LogFilter:
    """Draw a filter of all conditions, each of which has to do with the lines."""
    message = storable(draw(st.sampled_from([line.message for line in lines])))
    begin = draw(st.integers(0, max(len(message) - 1, 0)))
    part = message[begin : begin + draw(st.integers(1, 4))]
    moments = st.sampled_from([line.at for line in lines])
    seqs = st.integers(0, len(lines) + 2)
    objects = [part_of(line.metadata) for line in lines if line.metadata is not None]
    return LogFilter(
        levels=draw(st.frozensets(st.sampled_from(LogLevel))),
        min_level=draw(st.sampled_from(LogLevel)),
        stages=draw(st.frozensets(LABELS)),
        task_ids=draw(st.frozensets(LABELS)),
        execution_id=draw(st.sampled_from(["run-1", "run-2"])),
        since=draw(moments),
        until=draw(moments),
        since_seq=draw(seqs),
        until_seq=draw(seqs),
        search=draw(st.sampled_from([part, part.upper(), part.lower()]).map(storable)),
        metadata=draw(st.one_of([*objects, OBJECTS])),
        without=draw(some_filters(lines, depth=1)) if depth == 0 else None,
    )


@st.composite
def some_filters(draw: st.DrawFn, lines: list[Line], depth: int = 0) -> LogFilter:
    """Draw a filter of few conditions: many at once match little, and so would hide a wrong one."""
    whole = draw(whole_filters(lines, depth))
    names = draw(st.sets(st.sampled_from(LogFilter.__slots__), max_size=3))
    return LogFilter(**{name: getattr(whole, name) for name in names})


async def asked_both_ways(database: Database, lines: list[Line], wanted: list[LogFilter]) -> None:
    logs, job_id = PostgresLogStore(database), str(uuid4())
    half = len(lines) // 2
    started = JobStarted(job_id=job_id, handler_name="h", execution_id="run-1")
    events: list[Event] = [replace(line, job_id=job_id) for line in lines]
    await store(logs, *(events[:half] or [started]))
    await store(logs, started, *events[half:])
    scope = LogScope(job_id=job_id)
    whole: Window[int] = Window(limit=100)
    found = [
        await logs.pages([LogPageRequest(scope=scope, window=whole, filter=each)]) for each in (EVERYTHING, *wanted)
    ]
    every, *pages = [page for (page,) in found]
    assert len(every.items) == len(lines)
    for log_filter, page in zip(wanted, pages, strict=True):
        matching = [row.seq for row in every.items if log_filter.matches(row)]
        assert [row.seq for row in page.items] == matching, log_filter
        assert await logs.counts([LogCount(scope=scope, filter=log_filter)]) == [len(matching)], log_filter


@given(data=st.data(), lines=st.lists(LINES, min_size=1, max_size=12))
async def test_conditions_together_mean_the_same_in_sql_and_in_python(
    database: Database, data: st.DataObject, lines: list[Line]
) -> None:
    await asked_both_ways(database, lines, data.draw(st.lists(some_filters(lines), min_size=4, max_size=6)))


@given(data=st.data(), lines=st.lists(LINES, min_size=1, max_size=12))
async def test_each_condition_means_the_same_in_sql_and_in_python(
    database: Database, data: st.DataObject, lines: list[Line]
) -> None:
    whole = data.draw(st.lists(whole_filters(lines), min_size=2, max_size=2))
    wanted = [LogFilter(**{name: getattr(each, name)}) for each in whole for name in LogFilter.__slots__]
    await asked_both_ways(database, lines, wanted)


@given(found=st.lists(PATTERNS, min_size=20, max_size=30), texts=st.lists(TEXTS, min_size=5, max_size=12))
async def test_a_pattern_means_the_same_in_sql_and_in_python(
    database: Database, found: list[str], texts: list[str]
) -> None:
    lines = [Line(job_id="job", message=text, at=AT) for text in texts]
    wanted = [LogFilter(search=storable(pattern), regex=True) for pattern in found if is_right(pattern)]
    await asked_both_ways(database, lines, wanted)


def is_right(pattern: str) -> bool:
    try:
        compiled(pattern)
    except InvalidInput:
        return False
    return True


@given(texts=st.lists(WRITTEN, min_size=30, max_size=60))
async def test_postgres_shows_a_text_as_a_terminal_does(database_url: str, texts: list[str]) -> None:
    await shown_both_ways(database_url, texts)


async def test_postgres_reads_a_line_that_is_written_over_without_end_from_its_last_return_on(
    database_url: str,
) -> None:
    bar = "".join(f"\r{n:5} of 3000 {'#' * 30}" for n in range(3_000))
    await shown_both_ways(database_url, [f"{bar}\nab\bc\x1b[31m\x1b[K\r\n{bar}\r", "\b" * 20_000 + "x" * 20_000])


async def shown_both_ways(database_url: str, texts: list[str]) -> None:
    connection = await connect(database_url)
    try:
        rows = await connection.fetch("SELECT shown_text(text) FROM unnest($1::text[]) AS text", texts)
    finally:
        await connection.close()
    assert [row["shown_text"] for row in rows] == list(map(shown, texts))


async def test_letters_that_python_lowers_by_their_context_are_found(database: Database) -> None:
    words = ["\u0391\u03a3", "\u0391\u03a3\u0391", "\u03b1\u03c2", "\u0130zmir", "\u0131", "\u1e9e", "\u00df", "SS"]
    lines = [Line(job_id="job", message=word, at=AT) for word in words]
    await asked_both_ways(database, lines, [LogFilter(search=word) for word in [*words, *map(str.lower, words)]])


async def test_postgres_lowers_every_character_as_python_does(database_url: str) -> None:
    assigned = [code for code in range(1, 0x110000) if unicodedata.category(chr(code)) not in {"Cn", "Cs", "Co"}]
    connection = await connect(database_url)
    try:
        rows = await connection.fetch(
            "SELECT code, lower(chr(code) COLLATE search_fold) AS lowered FROM unnest($1::int[]) AS code", assigned
        )
    finally:
        await connection.close()
    assert len(rows) == len(assigned)
    differing = [hex(row["code"]) for row in rows if row["lowered"] != fold_case(chr(row["code"]))]
    assert differing == []


SEARCHED = st.sampled_from(["job", "JOB", "%", "_", "\\", "\u00c4", "fehlt", "", "queue"])
JOB_FILTERS = st.builds(
    JobFilter,
    statuses=st.frozensets(st.sampled_from([JobStatus.RUNNING, JobStatus.FAILED])),
    handler_names=st.frozensets(TEXTS.map(storable), max_size=2),
    execution_id=st.sampled_from(["run-1", "run-2"]),
    parent_job_id=st.sampled_from(["parent", "other"]),
    search=SEARCHED | TEXTS.map(storable),
    has_errors=st.booleans(),
)


@given(
    name=TEXTS,
    source=st.none() | TEXTS,
    run=st.sampled_from([None, "run-1"]),
    parent=st.sampled_from([None, "parent"]),
    error=st.none() | TEXTS,
    level=st.sampled_from(LogLevel),
    whole=JOB_FILTERS,
)
async def test_a_filter_of_jobs_means_what_the_model_says(
    database: Database,
    name: str,
    source: str | None,
    run: str | None,
    parent: str | None,
    error: str | None,
    level: LogLevel,
    whole: JobFilter,
) -> None:
    jobs, job_id = PostgresJobStore(database), str(uuid4())
    start = JobStarted(job_id=job_id, handler_name=name, source=source, execution_id=run, parent_job_id=parent)
    ends = [JobFinished(job_id=job_id, status=JobStatus.FAILED, error=error)] if error is not None else []
    await store(PostgresLogStore(database), start, Line(job_id=job_id, message="", level=level), *ends)
    job = (await jobs.get([job_id]))[job_id]
    window: Window[tuple[datetime, str]] = Window(limit=1)
    wanted = [whole, *(JobFilter(**{name: getattr(whole, name)}) for name in JobFilter.__slots__)]
    for job_filter in wanted:
        (page,) = await jobs.pages([JobPageRequest(window=window, filter=job_filter)])
        assert bool(await jobs.matching([job_id], job_filter)) is job_matches(job, job_filter), job_filter
        assert (job in page.items) is job_matches(job, job_filter), job_filter
