"""The one statement that stores a batch: numbers, lines, counters and position, all of it or nothing."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.announcements import Announcement
from domain.batches import AlreadyAt, Appended, JobBatch, NewLine
from domain.errors import StorageFault, Unavailable
from domain.filters import EVERYTHING, JobFilter
from domain.jobs import LogCounts
from domain.live.channel_listener import ChannelListener
from domain.live.job_feed import JobFeed
from domain.live.tail_hub import TailHub
from domain.logs import TaskLog, storable_json
from domain.pages import Window
from domain.ports import JobStore, LogReader, TaskStore
from domain.recorder import Recorded, Recorder
from domain.requests import LogPageRequest, LogScope, TaskPageRequest
from domain.stages.stage_status import StageRecord, TaskRecord
from jobtail.events import (
    Batch,
    Event,
    JobFinished,
    JobProgressed,
    JobStarted,
    JobStatus,
    Line,
    LogLevel,
    NumberedEvent,
    TaskChanged,
    TaskStatus,
)
from persistence.channel.channel import BroadcastChannel
from persistence.database import Database
from persistence.stores.job_store import PostgresJobStore
from persistence.stores.log_store import PostgresLogStore
from persistence.stores.task_store import PostgresTaskStore
from tests.announced import PATIENCE_S
from tests.conftest import connect
from tests.fakes import Memory, MemoryChannel, MemoryJobStore, MemoryLogStore, MemoryTaskStore, batch_of, store

AT = datetime(2026, 11, 22, 20, 33, 58, 123456, tzinfo=UTC)
BAD, GOOD = "a\x00b\ud800", "a\u2400b\ufffd"


async def rows_of(logs: LogReader, job_id: str = "job") -> list[TaskLog]:
    rows: list[TaskLog] = []
    while True:
        window: Window[int] = Window(limit=1000, after=rows[-1].seq if rows else None)
        (page,) = await logs.pages([LogPageRequest(scope=LogScope(job_id=job_id), window=window, filter=EVERYTHING)])
        rows += page.items
        if not page.has_next:
            return rows


async def tasks_of(tasks: TaskStore, job_id: str = "job") -> tuple[Sequence[StageRecord], list[TaskRecord]]:
    stages = (await tasks.stages([job_id])).get(job_id, [])
    window: Window[tuple[int, datetime, str]] = Window(limit=1000)
    pages = await tasks.pages([TaskPageRequest(job_id=job_id, stage=stage.name, window=window) for stage in stages])
    return stages, [task for page in pages for task in page.items]


def counted(rows: Sequence[TaskLog]) -> LogCounts:
    levels = [row.level for row in rows]
    return LogCounts(**{LogCounts.NAMES[level]: levels.count(level) for level in LogLevel})


async def assert_sound(database: Database, job_id: str = "job") -> list[TaskLog]:
    """Compare what is kept of a job with its lines."""
    rows = await rows_of(PostgresLogStore(database), job_id)
    job = (await PostgresJobStore(database).get([job_id]))[job_id]
    assert [row.seq for row in rows] == list(range(1, job.last_seq + 1))
    assert job.log_counts == counted(rows)
    _, tasks = await tasks_of(PostgresTaskStore(database), job_id)
    by_task: defaultdict[tuple[str, str], list[TaskLog]] = defaultdict(list)
    for row in rows:
        by_task[row.stage, row.task_id or row.stage].append(row)
    for task in tasks:
        own = by_task[task.stage, task.task_id]
        assert task.log_counts == counted(own)
        if own:
            assert task.first_seq == own[0].seq
            assert (task.started_at, task.last_at) == (
                min(row.timestamp for row in own),
                max(row.timestamp for row in own),
            )
    assert sum(task.log_counts.total for task in tasks) == len(rows)
    return rows


async def held(url: str) -> dict[str, int]:
    """Count the rows of every table."""
    connection = await connect(url)
    try:
        return {
            table: await connection.fetchval(f"SELECT count(*) FROM {table}")
            for table in ("jobs", "job_tasks", "capture_positions", "task_logs", "stored_batches")
        }
    finally:
        await connection.close()


NOTHING = {"jobs": 0, "job_tasks": 0, "capture_positions": 0, "task_logs": 0, "stored_batches": 0}


async def test_many_connections_write_one_job_and_its_lines_are_numbered_without_gaps(database: Database) -> None:
    recorder = Recorder(PostgresLogStore(database), MemoryChannel())
    dice = random.Random(7)
    plans = [[dice.randint(1, 30) for _ in range(15)] for _ in range(8)]

    async def write(writer: int) -> None:
        n = 0
        for size in plans[writer]:
            lines = (
                Line(
                    job_id="job",
                    message=f"{writer}:{k}",
                    level=dice.choice(list(LogLevel)),
                    stage=dice.choice(["read", "score"]),
                    task_id=dice.choice([None, "c-1", "c-2", "c-3"]),
                )
                for k in range(n + 1, n + size + 1)
            )
            batch = Batch(UUID(int=writer), tuple(NumberedEvent(k, line) for k, line in enumerate(lines, n + 1)))
            assert await recorder.record(batch) == Recorded(size, 0)
            assert await recorder.record(batch) == Recorded(0, size)
            n += size

    async with asyncio.TaskGroup() as group:
        for writer in range(8):
            group.create_task(write(writer))
    rows = await assert_sound(database)
    assert len(rows) == sum(map(sum, plans))
    for writer, sizes in enumerate(plans):
        said = [row.message for row in rows if row.message.startswith(f"{writer}:")]
        assert said == [f"{writer}:{k}" for k in range(1, sum(sizes) + 1)]


async def test_a_batch_sent_over_many_connections_at_once_is_stored_once(database: Database) -> None:
    logs = PostgresLogStore(database)
    batch = batch_of(*(Line(job_id="job", message=f"{n}") for n in range(20)), writer_id=uuid4())
    outcomes = await asyncio.gather(*(logs.append(batch) for _ in range(10)))
    assert sum(isinstance(outcome, Appended) for outcome in outcomes) == 1
    assert outcomes.count(AlreadyAt(20)) == 9
    assert len(await assert_sound(database)) == 20


def with_a_bad_line(batch: JobBatch) -> JobBatch:
    level = cast("LogLevel", 7)
    bad = NewLine(stage="score", task_id="c-1", at=AT, level=level, message="x", metadata=None)
    return replace(batch, lines=[*batch.lines[:-1], bad])


def with_a_bad_task(batch: JobBatch) -> JobBatch:
    batch.tasks["score", "c-1"].status = cast("TaskStatus", "BROKEN")
    return batch


def with_a_bad_status(batch: JobBatch) -> JobBatch:
    batch.job.status = cast("JobStatus", "BROKEN")
    return batch


@pytest.mark.parametrize("spoil", [with_a_bad_line, with_a_bad_task, with_a_bad_status])
async def test_of_a_batch_that_postgres_refuses_nothing_is_stored(
    database: Database, database_url: str, spoil: Any
) -> None:
    logs, writer = PostgresLogStore(database), uuid4()
    lines = [Line(job_id="job", message="x", stage="score", task_id="c-1")] * 3
    with pytest.raises(StorageFault):
        await logs.append(spoil(batch_of(*lines, writer_id=writer)))
    assert await held(database_url) == NOTHING
    await store(logs, *lines, writer_id=writer)
    with pytest.raises(StorageFault):
        await logs.append(spoil(batch_of(*lines, writer_id=writer, first_n=4)))
    assert await held(database_url) == {
        "jobs": 1,
        "job_tasks": 1,
        "capture_positions": 1,
        "task_logs": 3,
        "stored_batches": 1,
    }
    assert (await store(logs, *lines, writer_id=writer, first_n=4)).last_seq == 6
    await assert_sound(database)


async def test_of_a_batch_whose_connection_is_cut_in_the_middle_nothing_is_stored(
    database: Database, database_url: str
) -> None:
    logs, writer = PostgresLogStore(database), uuid4()
    lines = [Line(job_id="job", message="x", stage="score", task_id="c-1")] * 3
    await store(logs, *lines, writer_id=writer)
    before = await held(database_url)
    other = await connect(database_url)
    try:
        transaction = other.transaction()
        await transaction.start()
        await other.execute("SELECT FROM job_tasks FOR UPDATE")
        batch = batch_of(*lines, writer_id=writer, first_n=4)
        appending = asyncio.create_task(logs.append(batch))
        assert await cut(database_url) == 1
        with pytest.raises(Unavailable):
            await appending
        await transaction.rollback()
    finally:
        await other.close()
    assert await held(database_url) == before
    assert isinstance(await logs.append(batch), Appended)
    assert len(await assert_sound(database)) == 6


async def cut(url: str) -> int:
    """End the connections that wait for a lock, once there are any."""
    connection = await connect(url)
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                await connection.execute("SELECT pg_stat_clear_snapshot()")
                found = await connection.fetch(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
                )
                if found:
                    return len(found)
    finally:
        await connection.close()


async def test_a_writer_that_is_cancelled_leaves_all_or_nothing_and_a_pool_that_works(database: Database) -> None:
    logs, writer = PostgresLogStore(database), uuid4()
    batch = batch_of(*(Line(job_id="job", message="x" * 1000) for _ in range(500)), writer_id=writer)
    for turns in range(1, 30):
        appending = asyncio.create_task(logs.append(batch))
        for _ in range(turns):
            await asyncio.sleep(0)
        appending.cancel()
        await asyncio.gather(appending, return_exceptions=True)
    assert isinstance(await logs.append(batch), AlreadyAt | Appended)
    assert len(await assert_sound(database)) == 500


async def test_the_answer_tells_the_times_and_numbers_that_were_stored(database: Database) -> None:
    logs = PostgresLogStore(database)
    one = await store(logs, JobStarted(job_id="job", handler_name="h", execution_id="run-1"), *two_lines())
    other = await store(logs, *two_lines())
    rows = await rows_of(logs)
    assert [row.recorded_at for row in rows] == [one.recorded_at] * 2 + [other.recorded_at] * 2
    assert {row.execution_id for row in rows} == {"run-1"}
    assert (one.last_seq, other.last_seq, other.execution_id) == (2, 4, "run-1")


def two_lines() -> list[Line]:
    return [Line(job_id="job", message=message) for message in "ab"]


async def test_what_postgres_cannot_hold_is_replaced_wherever_it_stands(database: Database) -> None:
    channel = MemoryChannel()
    recorder = Recorder(PostgresLogStore(database), channel)
    events: list[Event] = [
        JobStarted(
            job_id=BAD,
            handler_name=BAD,
            source=BAD,
            execution_id=BAD,
            parent_job_id="p" + BAD,
            metadata={BAD: [{BAD: BAD}]},
        ),
        Line(job_id=BAD, message=BAD, stage=BAD, task_id="c" + BAD, metadata={BAD: {"b": [BAD, None, 2**70]}}),
        TaskChanged(job_id=BAD, stage=BAD, task_id=BAD, status=TaskStatus.FAILED, name=BAD, result=BAD),
        JobFinished(job_id=BAD, status=JobStatus.FAILED, error=BAD, result=BAD),
    ]
    await recorder.record(Batch(uuid4(), tuple(NumberedEvent(n, event) for n, event in enumerate(events, 1))))
    job = (await PostgresJobStore(database).get([GOOD]))[GOOD]
    assert (job.handler_name, job.source, job.execution_id, job.parent_job_id) == (GOOD, GOOD, GOOD, "p" + GOOD)
    assert (job.error, job.result, job.metadata) == (GOOD, GOOD, {GOOD: [{GOOD: GOOD}]})
    (row,) = await assert_sound(database, GOOD)
    assert (row.message, row.stage, row.task_id, row.execution_id) == (GOOD, GOOD, "c" + GOOD, GOOD)
    assert row.metadata == {GOOD: {"b": [GOOD, None, str(2**70)]}}
    task = await PostgresTaskStore(database).get(GOOD, GOOD, GOOD)
    assert task is not None
    assert (task.name, task.result) == (GOOD, GOOD)
    (told,) = channel.announced
    assert told.rows == (row,)


async def test_labels_of_any_length_are_keys_and_stay_apart(database: Database) -> None:
    recorder = Recorder(PostgresLogStore(database), MemoryChannel())
    long = "\U0001f600" * 5000
    lines = [Line(job_id=long, message=end, stage=long + end, task_id=long + end + "t") for end in "abab"]
    await recorder.record(Batch(uuid4(), tuple(NumberedEvent(n, line) for n, line in enumerate(lines, 1))))
    (job,) = await PostgresJobStore(database).matching(await job_ids(database), JobFilter())
    assert len(job.job_id) == 200
    rows = await assert_sound(database, job.job_id)
    assert len(rows) == 4
    assert rows[0].stage == rows[2].stage != rows[1].stage
    _, tasks = await tasks_of(PostgresTaskStore(database), job.job_id)
    assert [task.log_counts.total for task in tasks] == [2, 2]


async def job_ids(database: Database) -> list[str]:
    return list(await PostgresJobStore(database).positions([], active_since=AT))


@pytest.mark.parametrize(
    "message", ["", " \n\t", "x" * 5_000_000, "\U0001f600" * 300_000, "\\N\\x00'\"$1%s{}"], ids=lambda text: text[:9]
)
async def test_a_message_is_stored_whole(database: Database, message: str) -> None:
    await store(PostgresLogStore(database), Line(job_id="job", message=message))
    (row,) = await assert_sound(database)
    assert row.message == message


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"": ""},
        {"a": {"b": [1, -1.5, True, False, None, "c", [], {}]}},
        {"large": 2**63 - 1, "larger": 2**64 - 1, "small": -(2**63), "fraction": 1e-300, "huge": 1e300},
        {str(n): list(range(n)) for n in range(50)},
    ],
    ids=str,
)
async def test_metadata_comes_back_as_it_was_said(database: Database, metadata: Mapping[str, Any]) -> None:
    logs = PostgresLogStore(database)
    await store(logs, Line(job_id="job", message="", metadata=metadata))
    assert [row.metadata for row in await rows_of(logs)] == [metadata]


async def test_metadata_may_be_as_deep_as_it_likes(database: Database) -> None:
    deep: dict[str, Any] = {}
    for _ in range(150):
        deep = {"a": [deep]}
    logs = PostgresLogStore(database)
    await store(logs, Line(job_id="job", message="", metadata=deep))
    (row,) = await rows_of(logs)
    assert row.metadata == storable_json(deep)


async def test_a_batch_may_be_large_and_of_many_tasks(database: Database) -> None:
    lines = [
        Line(job_id="job", message=f"{n}", stage=f"s-{n % 7}", task_id=f"c-{n % 1000}", level=list(LogLevel)[n % 6])
        for n in range(10_000)
    ]
    await store(PostgresLogStore(database), *lines, writer_id=uuid4())
    rows = await assert_sound(database)
    assert [row.message for row in rows] == [line.message for line in lines]


TIMES = st.integers(0, 9).map(lambda n: AT + timedelta(seconds=n))
TEXT = st.none() | st.sampled_from(["a", "b"])
EVENTS = st.one_of(
    st.builds(
        Line,
        job_id=st.just("job"),
        message=st.text("ab\x00", max_size=3),
        level=st.sampled_from(LogLevel),
        stage=TEXT,
        task_id=TEXT,
        at=TIMES,
    ),
    st.builds(
        TaskChanged,
        job_id=st.just("job"),
        stage=st.sampled_from("ab"),
        task_id=st.sampled_from("abc"),
        status=st.sampled_from(TaskStatus),
        name=TEXT,
        result=TEXT,
        at=TIMES,
    ),
    st.builds(JobProgressed, job_id=st.just("job"), current=st.integers(0, 9), total=st.none() | st.integers(1, 9)),
    st.builds(
        JobStarted,
        job_id=st.just("job"),
        handler_name=st.sampled_from("hi"),
        source=TEXT,
        execution_id=TEXT,
        parent_job_id=TEXT,
        metadata=st.none() | st.just({"a": 1}),
        total=st.none() | st.integers(1, 9),
        at=TIMES,
    ),
    st.builds(
        JobFinished,
        job_id=st.just("job"),
        status=st.sampled_from([JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED]),
        error=TEXT,
        result=TEXT,
        at=TIMES,
    ),
)
BATCHES = st.lists(
    st.tuples(st.none() | st.integers(0, 1), st.integers(-2, 2), st.lists(EVENTS, min_size=1, max_size=5)), max_size=6
)


async def state_of(jobs: JobStore, tasks: TaskStore, logs: LogReader, job_id: str) -> Any:
    """Everything that is stored of a job but the database's own times and the job's id."""
    stages, of_stages = await tasks_of(tasks, job_id)
    return (
        [
            replace(job, job_id="", created_at=AT, first_recorded_at=AT, last_recorded_at=AT)
            for job in (await jobs.get([job_id])).values()
        ],
        [replace(stage, job_id="") for stage in stages],
        [replace(task, job_id="") for task in of_stages],
        [replace(row, job_id="", recorded_at=AT) for row in await rows_of(logs, job_id)],
    )


@given(BATCHES)
async def test_postgres_keeps_of_any_batches_what_the_model_keeps(
    database: Database, batches: list[tuple[int | None, int, list[Event]]]
) -> None:
    memory, job_id = Memory(), str(uuid4())
    model = MemoryJobStore(memory), MemoryTaskStore(memory), MemoryLogStore(memory)
    real = PostgresJobStore(database), PostgresTaskStore(database), PostgresLogStore(database)
    ends = [0, 0]
    for writer, shift, events in batches:
        first_n = 1 if writer is None else max(ends[writer] + 1 + shift, 1)
        if writer is not None:
            ends[writer] = max(ends[writer], first_n + len(events) - 1)
        batch = batch_of(*events, writer_id=None if writer is None else UUID(int=writer), first_n=first_n)
        batch = replace(batch, job_id=job_id)
        expected, outcome = await model[2].append(batch), await real[2].append(batch)
        if isinstance(expected, Appended) and isinstance(outcome, Appended):
            expected = replace(expected, recorded_at=outcome.recorded_at)
        assert outcome == expected
    assert await state_of(*real, job_id) == await state_of(*model, job_id)


class LossyChannel(MemoryChannel):
    """Loses, doubles or strips what is announced."""

    def __init__(self) -> None:
        super().__init__()
        self._dice = random.Random(11)

    def publish(self, announcement: Announcement) -> None:
        bare = replace(announcement, rows=())
        for told in self._dice.choice([(), (announcement,), (announcement, bare), (bare,), (announcement,) * 2]):
            super().publish(told)


@pytest.mark.parametrize("kind", ["memory", "lossy"])
async def test_readers_get_every_line_once_and_in_order_while_many_write(database: Database, kind: str) -> None:
    logs, jobs = PostgresLogStore(database), PostgresJobStore(database)
    hub, feed = TailHub(logs, jobs), JobFeed(jobs)
    total = 4 * 40 * 5

    async def write(recorder: Recorder, writer: int) -> None:
        for first in range(1, 201, 5):
            lines = [NumberedEvent(n, Line(job_id="job", message=f"{writer}:{n}")) for n in range(first, first + 5)]
            batch = Batch(UUID(int=writer), tuple(lines))
            await recorder.record(batch)
            if first % 3 == 0:
                await recorder.record(batch)

    async def read() -> list[int]:
        seqs: list[int] = []
        async with aclosing(hub.follow("job", EVERYTHING, after=0)) as batches:
            async for batch in batches:
                seqs += [row.seq for row in batch.rows]
                if batch.cursor == total:
                    return seqs
        return seqs

    async with BroadcastChannel("memory://") as real_channel:
        channel = LossyChannel() if kind == "lossy" else real_channel
        recorder = Recorder(logs, channel)
        async with ChannelListener(channel, jobs, hub, feed, look_every_s=0.05), asyncio.timeout(PATIENCE_S):
            readers = [asyncio.create_task(read()) for _ in range(5)]
            await asyncio.gather(*(write(recorder, writer) for writer in range(4)))
            for seqs in await asyncio.gather(*readers):
                assert seqs == list(range(1, total + 1))
    assert not hub.tails
    assert len(await assert_sound(database)) == total
