"""The contract of every LogStore."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from domain.batches import AlreadyAt
from domain.filters import EVERYTHING, LogFilter
from domain.logs import TaskLog
from domain.pages import Page, Window
from domain.requests import LogCount, LogPageRequest, LogScope
from domain.written_lines import LineSelection, WrittenLines
from jobtail.events import JobFinished, JobStarted, JobStatus, Line, LogLevel
from tests.contract.conftest import Stores
from tests.fakes import batch_of, store

AT = datetime(2026, 11, 22, 20, 33, 58, 123456, tzinfo=UTC)
ALL: Window[int] = Window(limit=1000)

LINES = [
    Line(
        job_id="job",
        message=f"Bewertet {n} % von Zoë",
        level=list(LogLevel)[n % 6],
        stage=["read_jd", "score", None][n % 3],
        task_id=f"candidate-{n % 4}" if n % 3 == 1 else None,
        at=AT + timedelta(seconds=n),
        metadata={"attempt": n % 2, "score": {"skill": "sql"}} if n % 5 else None,
    )
    for n in range(60)
]

FILTERS = [
    EVERYTHING,
    LogFilter(levels=frozenset({LogLevel.INFO, LogLevel.CRITICAL})),
    LogFilter(levels=frozenset()),
    LogFilter(min_level=LogLevel.WARNING),
    LogFilter(levels=frozenset({LogLevel.DEBUG, LogLevel.ERROR}), min_level=LogLevel.INFO),
    LogFilter(stages=frozenset({"score"})),
    LogFilter(stages=frozenset({"read_jd", "main", "unheard_of"})),
    LogFilter(stages=frozenset()),
    LogFilter(task_ids=frozenset({"candidate-1", "read_jd"})),
    LogFilter(stages=frozenset({"score"}), task_ids=frozenset({"candidate-0"}), min_level=LogLevel.ERROR),
    LogFilter(execution_id="run-1"),
    LogFilter(since=AT + timedelta(seconds=10), until=AT + timedelta(seconds=20)),
    LogFilter(since_seq=20, until_seq=40),
    LogFilter(since_seq=61),
    LogFilter(until_seq=41, search="bewertet"),
    LogFilter(search="5 % VON zoË"),
    LogFilter(search=""),
    LogFilter(metadata={"score": {"skill": "sql"}, "attempt": 1}),
    LogFilter(metadata={}),
    LogFilter(search="bewertet", stages=frozenset({"main"}), metadata={"attempt": 0}),
]


async def page(
    stores: Stores, window: Window[int] = ALL, log_filter: LogFilter = EVERYTHING, scope: LogScope | None = None
) -> Page[TaskLog]:
    request = LogPageRequest(scope=scope or LogScope(job_id="job"), window=window, filter=log_filter)
    (found,) = await stores.logs.pages([request])
    return found


def seqs(rows: Sequence[TaskLog]) -> list[int]:
    return [row.seq for row in rows]


async def test_lines_are_numbered_from_one_without_gaps(stores: Stores) -> None:
    ends = [(await store(stores.logs, *LINES[start : start + 7])).last_seq for start in range(0, 60, 7)]
    assert ends == [7, 14, 21, 28, 35, 42, 49, 56, 60]
    rows = (await page(stores)).items
    assert seqs(rows) == list(range(1, 61))
    assert [row.message for row in rows] == [line.message for line in LINES]


async def test_a_line_comes_back_as_it_was_said(stores: Stores) -> None:
    await store(stores.logs, JobStarted(job_id="job", handler_name="ingest", execution_id="run-1"))
    said = LINES[1]
    outcome = await store(stores.logs, said)
    assert list((await page(stores)).items) == [
        TaskLog(
            job_id="job",
            seq=1,
            execution_id="run-1",
            stage="score",
            task_id="candidate-1",
            timestamp=AT + timedelta(seconds=1),
            recorded_at=outcome.recorded_at,
            level=LogLevel.DEBUG,
            message="Bewertet 1 % von Zoë",
            metadata={"attempt": 1, "score": {"skill": "sql"}},
        ),
    ]
    assert (outcome.execution_id, outcome.status) == ("run-1", JobStatus.RUNNING)


async def test_a_line_without_stage_or_task_belongs_to_main_itself(stores: Stores) -> None:
    await store(stores.logs, Line(job_id="job", message="first"))
    (row,) = (await page(stores)).items
    assert (row.stage, row.task_id) == ("main", None)
    assert (await page(stores, scope=LogScope(job_id="job", stage="main", task_id="main"))).items == [row]


async def count(stores: Stores, log_filter: LogFilter = EVERYTHING) -> int:
    (found,) = await stores.logs.counts([LogCount(scope=LogScope(job_id="job"), filter=log_filter)])
    return found


async def test_jobs_do_not_mix(stores: Stores) -> None:
    await store(stores.logs, Line(job_id="other", message="of another"))
    await store(stores.logs, Line(job_id="job", message="of this"))
    assert [row.message for row in (await page(stores)).items] == ["of this"]
    assert await count(stores) == 1


async def test_a_job_that_does_not_exist_has_an_empty_log(stores: Stores) -> None:
    assert await page(stores) == Page([], has_next=False, has_previous=False)
    assert await count(stores) == 0
    assert await count(stores, LogFilter(search="a")) == 0


async def test_a_batch_that_was_stored_is_refused_with_the_position(stores: Stores) -> None:
    batch = batch_of(*LINES[:5], writer_id=uuid4())
    await stores.logs.append(batch)
    assert await stores.logs.append(batch) == AlreadyAt(5)
    overlapping = replace(batch_of(*LINES[3:9], writer_id=batch.writer_id, first_n=4))
    assert await stores.logs.append(overlapping) == AlreadyAt(5)
    assert seqs((await page(stores)).items) == [1, 2, 3, 4, 5]
    job = (await stores.jobs.get(["job"]))["job"]
    assert job.log_counts.total == job.last_seq == 5


async def test_writers_and_jobs_have_positions_of_their_own(stores: Stores) -> None:
    writer = uuid4()
    await store(stores.logs, LINES[0], writer_id=writer)
    await store(stores.logs, LINES[1], writer_id=uuid4())
    await store(stores.logs, replace(LINES[2], job_id="other"), writer_id=writer)
    await store(stores.logs, LINES[3], writer_id=writer, first_n=9)
    assert seqs((await page(stores)).items) == [1, 2, 3]


async def test_without_a_writer_a_batch_is_stored_as_often_as_it_comes(stores: Stores) -> None:
    for _ in range(3):
        await store(stores.logs, LINES[0])
    assert seqs((await page(stores)).items) == [1, 2, 3]


async def test_a_batch_without_lines_takes_no_number(stores: Stores) -> None:
    await store(stores.logs, LINES[0])
    finished = await store(stores.logs, JobFinished(job_id="job", status=JobStatus.FAILED, error="no text"))
    assert (finished.last_seq, finished.status) == (1, JobStatus.FAILED)


async def test_pages_in_both_directions_make_up_the_filtered_log(stores: Stores) -> None:
    await store(stores.logs, *LINES[:30])
    await store(stores.logs, JobStarted(job_id="job", handler_name="ingest", execution_id="run-1"), *LINES[30:])
    every = (await page(stores)).items
    for log_filter in FILTERS:
        wanted = [row for row in every if log_filter.matches(row)]
        assert list((await page(stores, log_filter=log_filter)).items) == wanted, log_filter
        assert await read_forward(stores, log_filter) == wanted, log_filter
        assert await read_backward(stores, log_filter) == wanted, log_filter
        assert await count(stores, log_filter) == len(wanted), log_filter


async def read_forward(stores: Stores, log_filter: LogFilter) -> list[TaskLog]:
    rows: list[TaskLog] = []
    while True:
        after = rows[-1].seq if rows else None
        found = await page(stores, Window(limit=7, after=after), log_filter)
        assert found.has_previous == bool(rows)
        rows += found.items
        if not found.has_next:
            return rows


async def read_backward(stores: Stores, log_filter: LogFilter) -> list[TaskLog]:
    rows: list[TaskLog] = []
    while True:
        before = rows[0].seq if rows else None
        found = await page(stores, Window(limit=7, before=before, backward=True), log_filter)
        assert found.has_next == bool(rows)
        rows = [*found.items, *rows]
        if not found.has_previous:
            return rows


async def test_a_window_has_two_ends(stores: Stores) -> None:
    await store(stores.logs, *LINES)
    first = await page(stores, Window(limit=5, after=10, before=20))
    assert (seqs(first.items), first.has_previous, first.has_next) == ([11, 12, 13, 14, 15], True, True)
    last = await page(stores, Window(limit=5, after=10, before=20, backward=True))
    assert (seqs(last.items), last.has_previous, last.has_next) == ([15, 16, 17, 18, 19], True, True)
    nothing = await page(stores, Window(limit=0, after=10))
    assert (seqs(nothing.items), nothing.has_previous, nothing.has_next) == ([], True, True)


async def test_scopes_are_a_job_a_stage_or_a_task(stores: Stores) -> None:
    await store(stores.logs, *LINES)
    every = (await page(stores)).items
    for scope in (
        LogScope(job_id="job", stage="score"),
        LogScope(job_id="job", stage="score", task_id="candidate-2"),
        LogScope(job_id="job", stage="read_jd", task_id="read_jd"),
        LogScope(job_id="job", stage="read_jd", task_id="candidate-2"),
    ):
        wanted = [
            row for row in every if row.stage == scope.stage and scope.task_id in {None, row.task_id or row.stage}
        ]
        assert list((await page(stores, scope=scope)).items) == wanted
        asked = [LogCount(scope=scope, filter=each) for each in (EVERYTHING, *COUNTED)]
        assert await stores.logs.counts(asked) == [sum(map(each.filter.matches, wanted)) for each in asked]
    assert await stores.logs.counts([]) == []


COUNTED = [
    LogFilter(min_level=LogLevel.ERROR, stages=frozenset({"score"})),
    LogFilter(levels=frozenset({LogLevel.INFO}), task_ids=frozenset({"candidate-2", "read_jd"})),
    LogFilter(levels=frozenset()),
    LogFilter(search="a"),
    LogFilter(search="a", min_level=LogLevel.WARNING),
]


async def test_many_pages_come_in_the_order_of_their_requests(stores: Stores) -> None:
    await store(stores.logs, *LINES)
    windows: list[Window[int]] = [Window(limit=3, after=n % 57, backward=n % 2 == 0) for n in range(230)]
    requests = [LogPageRequest(scope=LogScope(job_id="job"), window=window, filter=EVERYTHING) for window in windows]
    found = await stores.logs.pages(requests)
    assert found == [await page(stores, window) for window in windows]


MEMBERS = (
    *(("seq", "seq"), ("jobId", "job_id"), ("executionId", "execution_id"), ("stage", "stage"), ("taskId", "task_id")),
    *(("timestamp", "timestamp"), ("level", "level"), ("message", "message"), ("metadata", "metadata"), ("Ä", "seq")),
)


def as_object(row: TaskLog) -> dict[str, object]:
    at = row.timestamp.isoformat(timespec="microseconds").replace("+00:00", "Z")
    values = (row.seq, row.job_id, row.execution_id, row.stage, row.task_id, at, row.level.name, row.message)
    return dict(zip([name for name, _ in MEMBERS], [*values, row.metadata, row.seq], strict=True))


async def test_pages_are_written_in_the_wanted_members(stores: Stores) -> None:
    whole = replace(LINES[0], at=AT.replace(microsecond=0), message='"\\\n\x01\u2028', metadata={})
    await store(stores.logs, *LINES, whole)
    scopes = [LogScope(job_id="job"), LogScope(job_id="job", stage="score"), LogScope(job_id="none")]
    windows: list[Window[int]] = [ALL, Window(limit=7, after=3), Window(limit=7, before=60, backward=True)]
    windows += [Window(limit=0), Window(limit=3, after=10, before=12)]
    plain = [
        LogPageRequest(scope=scope, window=window, filter=log_filter)
        for scope in scopes
        for window in windows
        for log_filter in (
            EVERYTHING,
            LogFilter(search="zoë"),
            LogFilter(levels=frozenset({LogLevel.DEBUG, LogLevel.ERROR})),
        )
    ]
    wanted = await stores.logs.pages(plain)
    for members in (MEMBERS, MEMBERS[:1], (("x", "timestamp"), ("y", "level")), (("m", "metadata"), ("t", "task_id"))):
        requests = [replace(each, written_as=LineSelection(members)) for each in plain]
        alone = [(await stores.logs.pages([each]))[0] for each in requests]
        for found, page in zip([*alone, *await stores.logs.pages(requests)], [*wanted, *wanted], strict=True):
            assert isinstance(found.items, WrittenLines)
            objects = [as_object(row) for row in page.items]
            names = {name: next(own for own, kept in MEMBERS if kept == attribute) for name, attribute in members}
            assert json.loads(found.items.json) == [
                {name: each[own] for name, own in names.items()} for each in objects
            ]
            assert [json.loads(line.json) for line in found.items] == json.loads(found.items.json)
            assert [line.seq for line in found.items] == seqs(page.items)
            assert (found.has_next, found.has_previous) == (page.has_next, page.has_previous)
