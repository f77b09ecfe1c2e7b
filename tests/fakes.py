"""Jobs, tasks, lines and the channel in memory: what the ports promise, said in plain Python.

The contract tests hold them equal to the adapters of Postgres, so they are the model that other tests compare with.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar
from uuid import UUID

from domain.access import Token
from domain.analysis.message_templates import clipped
from domain.announcements import Announcement, Resync
from domain.batches import AlreadyAt, Appended, JobBatch, JobDelta, TaskDelta, fold
from domain.errors import JobtailError
from domain.executions import FAILED_STATUSES, UNKNOWN_SCHEDULE, Execution, ExecutionLine, root_key
from domain.filters import ExecutionFilter, JobFilter, LogFilter, fold_case
from domain.histogram import ORIGIN, TimeCount
from domain.jobs import LARGE_PARTS, UNKNOWN_HANDLER, Job, JobPosition, LogCounts, Progress
from domain.logs import LogExtent, SaidMessage, TaskLog
from domain.pages import Page, Window, page_of
from domain.ports import LogReader, LogWriter
from domain.requests import (
    LATEST_CLOCK,
    ExecutionLogCount,
    ExecutionLogPageRequest,
    ExecutionPageRequest,
    JobPageRequest,
    LogCount,
    LogPageRequest,
    LogScope,
    NewestLogRequest,
    TaskPageRequest,
    TimeCountRequest,
)
from domain.retention import Pruned, PrunedLevels, Retention
from domain.stages.job_stages import Hierarchy, JobStages
from domain.stages.stage_status import StageRecord, TaskColumns, TaskRecord
from domain.written_lines import LineSelection, WrittenLines
from graph.formats.scalars import write_time
from jobtail.events import Event, JobStatus, LogLevel, NumberedEvent
from jobtail.shown_text import shown

Item = TypeVar("Item")

EARLIEST = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Starts:
    """When a job was started last, and whether it had been before, or had ended."""

    last: datetime | None = None
    is_restarted: bool = False


@dataclass(slots=True)
class Memory:
    """What the stores share: the tables."""

    jobs: dict[str, Job] = field(default_factory=dict)
    tasks: dict[tuple[str, str, str], TaskRecord] = field(default_factory=dict)
    lines: defaultdict[str, list[TaskLog]] = field(default_factory=lambda: defaultdict(list))
    captured: defaultdict[str, list[TaskLog]] = field(default_factory=lambda: defaultdict(list))
    """Lines as the kept counts know them: all that there ever were."""
    pruned: dict[LogLevel, datetime] = field(default_factory=dict)
    positions: dict[tuple[str, UUID], int] = field(default_factory=dict)
    starts: dict[str, Starts] = field(default_factory=dict)
    fault: JobtailError | None = None
    """Raised by every call while it is set."""
    reads: list[Any] = field(default_factory=list)
    """What was asked for, in order."""
    on_read: Callable[[], None] | None = None
    """Called after a read has seen the tables and before its caller gets the rows."""
    _now: datetime = EARLIEST

    def now(self) -> datetime:
        """Tell the time; no two calls get the same."""
        self._now = max(datetime.now(UTC), self._now + timedelta(microseconds=1))
        return self._now

    def is_own_ancestor(self, job: Job) -> bool:
        parent = job.parent_job_id
        while parent is not None and parent != job.job_id:
            parent = self.jobs[parent].parent_job_id if parent in self.jobs else None
        return parent is not None

    def counted(self, log_filter: LogFilter) -> Mapping[str, list[TaskLog]]:
        """Choose the lines that are counted for a filter."""
        return self.captured if log_filter.is_countable else self.lines

    async def asked(self, what: Any, answer: Callable[[], Item]) -> Item:
        """Answer as a database does: not before others had a turn."""
        if self.fault:
            raise self.fault
        self.reads.append(what)
        found = answer()
        if self.on_read:
            self.on_read()
        await asyncio.sleep(0)
        return found


class LogStore(LogReader, LogWriter, Protocol):
    """What keeps lines."""


class MemoryLogStore:
    """Satisfies `domain.ports.LogWriter` and `LogReader`."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def append(self, batch: JobBatch) -> Appended | AlreadyAt:
        await asyncio.sleep(0)
        memory = self._memory
        if memory.fault:
            raise memory.fault
        if batch.writer_id is not None:
            key = (batch.job_id, batch.writer_id)
            if memory.positions.get(key, batch.first_n - 1) >= batch.first_n:
                return AlreadyAt(memory.positions[key])
            memory.positions[key] = batch.last_n
        now = memory.now()
        known = memory.jobs.get(batch.job_id)
        starts = memory.starts.get(batch.job_id, Starts())
        job = _new_job(batch, now) if known is None else _changed_job(known, batch, now, starts)
        memory.starts[batch.job_id] = _changed_starts(starts, known, batch.job)
        memory.jobs[batch.job_id] = job if not memory.is_own_ancestor(job) else replace(job, parent_job_id=None)
        self._add_lines(batch, job, now)
        self._add_tasks(batch, job.last_seq - len(batch.lines))
        return Appended(job.last_seq, now, job.execution_id, job.status)

    def _add_lines(self, batch: JobBatch, job: Job, now: datetime) -> None:
        stored = []
        for seq, line in enumerate(batch.lines, job.last_seq - len(batch.lines) + 1):
            stored.append(
                TaskLog(
                    job_id=batch.job_id,
                    seq=seq,
                    execution_id=job.execution_id,
                    stage=line.stage,
                    task_id=line.task_id,
                    timestamp=line.at,
                    recorded_at=now,
                    level=line.level,
                    message=line.message,
                    metadata=line.metadata,
                ),
            )
        for rows in (self._memory.lines, self._memory.captured):
            rows[batch.job_id] += stored

    def _add_tasks(self, batch: JobBatch, seq_before: int) -> None:
        tasks = self._memory.tasks
        for (stage, task_id), delta in batch.tasks.items():
            key = (batch.job_id, stage, task_id)
            tasks[key] = _changed_task(tasks[key], delta) if key in tasks else _new_task(key, delta, seq_before)

    async def pages(self, requests: Sequence[LogPageRequest]) -> Sequence[Page[TaskLog]]:
        return await self._memory.asked(requests, lambda: [self._page(request) for request in requests])

    def _page(self, request: LogPageRequest) -> Page[TaskLog]:
        rows = self._matching(self._memory.lines, request.scope, request.filter)
        page = paged(rows, lambda row: row.seq, request.window)
        return page if request.written_as is None else replace(page, items=_written(page.items, request.written_as))

    def _matching(self, lines: Mapping[str, list[TaskLog]], scope: LogScope, log_filter: LogFilter) -> list[TaskLog]:
        return [
            row
            for row in lines.get(scope.job_id, [])
            if scope.stage in {None, row.stage}
            and scope.task_id in {None, row.task_id or row.stage}
            and log_filter.matches(row)
        ]

    async def counts(self, requests: Sequence[LogCount]) -> Sequence[int]:
        def count(asked: LogCount) -> int:
            return len(self._matching(self._memory.counted(asked.filter), asked.scope, asked.filter))

        return await self._memory.asked(requests, lambda: list(map(count, requests)))


def _written(lines: Sequence[TaskLog], selection: LineSelection) -> WrittenLines:
    def value(line: TaskLog, attribute: str) -> Any:
        found = getattr(line, attribute)
        return found.name if isinstance(found, LogLevel) else found

    objects = [{name: value(line, attribute) for name, attribute in selection.members} for line in lines]
    return WrittenLines([line.seq for line in lines], [json.dumps(each, default=write_time) for each in objects])


class MemoryJobStore:
    """Satisfies `domain.ports.JobStore`."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def get(self, job_ids: Sequence[str]) -> Mapping[str, Job]:
        jobs = self._memory.jobs
        return await self._memory.asked(job_ids, lambda: {job_id: jobs[job_id] for job_id in job_ids if job_id in jobs})

    async def pages(self, requests: Sequence[JobPageRequest]) -> Sequence[Page[Job]]:
        return await self._memory.asked(requests, lambda: [self._page(request) for request in requests])

    def _page(self, request: JobPageRequest) -> Page[Job]:
        left_out: Any = dict.fromkeys(LARGE_PARTS - request.large)
        jobs = [replace(job, **left_out) for job in self._memory.jobs.values() if job_matches(job, request.filter)]
        return paged(jobs, lambda job: (job.created_at, job.job_id), request.window, descending=True)

    async def matching(self, job_ids: Sequence[str], job_filter: JobFilter) -> Sequence[Job]:
        def found() -> list[Job]:
            jobs = [job for job in self._memory.jobs.values() if job.job_id in job_ids and job_matches(job, job_filter)]
            return sorted(jobs, key=lambda job: (job.created_at, job.job_id))

        return await self._memory.asked(job_ids, found)

    async def counts(self, job_filters: Sequence[JobFilter]) -> Sequence[int]:
        jobs = self._memory.jobs.values()

        def found() -> list[int]:
            return [sum(job_matches(job, each) for job in jobs) for each in job_filters]

        return await self._memory.asked(job_filters, found)

    async def positions(self, job_ids: Sequence[str], *, active_since: datetime | None) -> Mapping[str, JobPosition]:
        def is_active(job: Job) -> bool:
            if active_since is None:
                return False
            return not job.status.is_final or (job.finished_at is not None and job.finished_at >= active_since)

        def found() -> dict[str, JobPosition]:
            jobs = self._memory.jobs.values()
            wanted = [job for job in jobs if job.job_id in job_ids or is_active(job)]
            return {job.job_id: JobPosition(job.last_seq, job.status) for job in wanted}

        return await self._memory.asked(job_ids, found)


class MemoryTaskStore:
    """Satisfies `domain.ports.TaskStore`."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def hierarchies(self, job_ids: Sequence[str]) -> Mapping[str, Hierarchy]:
        def found() -> dict[str, Hierarchy]:
            jobs = [job for job_id, job in self._memory.jobs.items() if job_id in job_ids]
            return {job.job_id: Hierarchy(job, JobStages(job, self._tasks(job.job_id))) for job in jobs}

        return await self._memory.asked(job_ids, found)

    def _tasks(self, job_id: str) -> TaskColumns:
        tasks = [task for task in self._memory.tasks.values() if task.job_id == job_id]
        tasks.sort(key=lambda task: (task.stage, task.first_seq, task.started_at, task.task_id))
        columns = {each.name: [getattr(task, each.name) for task in tasks] for each in fields(TaskRecord)}
        counts = columns.pop("log_counts")
        levels = {name: [getattr(each, name) for each in counts] for name in LogCounts.NAMES.values()}
        return TaskColumns(columns | levels)

    async def stages(self, job_ids: Sequence[str]) -> Mapping[str, Sequence[StageRecord]]:
        def found() -> dict[str, list[StageRecord]]:
            names = {(task.job_id, task.stage) for task in self._memory.tasks.values() if task.job_id in job_ids}
            stages: dict[str, list[StageRecord]] = {}
            for job_id, name in names:
                stages.setdefault(job_id, []).append(_stage(job_id, name, self._of(job_id, name)))
            for found in stages.values():
                found.sort(key=lambda stage: (stage.first_seq, stage.started_at, stage.name))
            return stages

        return await self._memory.asked(job_ids, found)

    def _of(self, job_id: str, stage: str) -> list[TaskRecord]:
        return [task for task in self._memory.tasks.values() if (task.job_id, task.stage) == (job_id, stage)]

    async def pages(self, requests: Sequence[TaskPageRequest]) -> Sequence[Page[TaskRecord]]:
        return await self._memory.asked(requests, lambda: [self._page(request) for request in requests])

    def _page(self, request: TaskPageRequest) -> Page[TaskRecord]:
        tasks = self._of(request.job_id, request.stage)
        return paged(tasks, lambda task: (task.first_seq, task.started_at, task.task_id), request.window)

    async def get(self, job_id: str, stage: str, task_id: str) -> TaskRecord | None:
        return await self._memory.asked(task_id, lambda: self._memory.tasks.get((job_id, stage, task_id)))

    async def jobs_of(
        self, task_id: str, *, job_id: str | None = None, job_prefix: str | None = None, limit: int
    ) -> Sequence[str]:
        def found() -> list[str]:
            tasks = self._memory.tasks.values()
            jobs = {task.job_id for task in tasks if task.task_id == task_id}
            jobs = {job for job in jobs if job.startswith(job_prefix or "")}
            return sorted(jobs if job_id is None else jobs & {job_id})[:limit]

        return await self._memory.asked(task_id, found)


class MemoryLogTimes:
    """Satisfies `domain.ports.LogTimes`."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def extent(self, job_id: str) -> LogExtent | None:
        def found() -> LogExtent | None:
            rows = self._memory.lines.get(job_id)
            times = [at for key, task in self._memory.tasks.items() if key[0] == job_id for at in _times(task)]
            if not rows:
                return None
            first_at = min(times) if rows[0].seq == 1 else rows[0].timestamp
            last_seq = self._memory.jobs[job_id].last_seq
            return LogExtent(first_seq=rows[0].seq, last_seq=last_seq, first_at=first_at, last_at=max(times))

        return await self._memory.asked(job_id, found)

    async def counts(self, request: TimeCountRequest) -> Sequence[TimeCount]:
        def found() -> list[TimeCount]:
            width = timedelta(microseconds=request.width)
            rows = self._memory.lines.get(request.job_id, [])
            counts = Counter(
                (row.timestamp - (row.timestamp - ORIGIN) % width, row.level)
                for row in rows
                if request.after < row.seq <= request.upto and request.filter.matches(row)
            )
            return [TimeCount(since, level, lines) for (since, level), lines in counts.items()]

        return await self._memory.asked(request, found)


def _times(task: TaskRecord) -> tuple[datetime, datetime]:
    return task.started_at, task.last_at


class MemoryLogMessages:
    """Satisfies `domain.ports.LogMessages`."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def said(self, job_id: str, *, after: int, upto: int) -> Sequence[SaidMessage]:
        def found() -> list[SaidMessage]:
            rows = self._memory.lines.get(job_id, [])
            chosen = [row for row in rows if after < row.seq <= upto]
            return [SaidMessage(row.seq, row.level, row.stage, clipped(row.message)) for row in chosen]

        return await self._memory.asked((after, upto), found)


class MemoryExecutionStore:
    """Satisfies `domain.ports.ExecutionStore`."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def get(self, execution_ids: Sequence[str], *, job_prefix: str | None = None) -> Mapping[str, Execution]:
        def found() -> dict[str, Execution]:
            return {each.execution_id: each for each in self._every(job_prefix) if each.execution_id in execution_ids}

        return await self._memory.asked(execution_ids, found)

    def _every(self, job_prefix: str | None) -> list[Execution]:
        jobs: defaultdict[str, list[Job]] = defaultdict(list)
        for job in self._memory.jobs.values():
            if job.execution_id is not None and job.job_id.startswith(job_prefix or ""):
                jobs[job.execution_id].append(job)
        return [_execution(execution_id, own) for execution_id, own in jobs.items()]

    async def pages(self, requests: Sequence[ExecutionPageRequest]) -> Sequence[Page[Execution]]:
        return await self._memory.asked(requests, lambda: [self._page(request) for request in requests])

    def _page(self, request: ExecutionPageRequest) -> Page[Execution]:
        chosen = [each for each in self._every(request.filter.job_prefix) if execution_matches(each, request.filter)]
        return paged(chosen, lambda each: (each.root.created_at, each.root.job_id), request.window, descending=True)

    async def count(self, execution_filter: ExecutionFilter) -> int:
        def count() -> int:
            every = self._every(execution_filter.job_prefix)
            return sum(execution_matches(each, execution_filter) for each in every)

        return await self._memory.asked(execution_filter, count)

    async def log_pages(self, requests: Sequence[ExecutionLogPageRequest]) -> Sequence[Page[ExecutionLine]]:
        return await self._memory.asked(requests, lambda: [self._log_page(request) for request in requests])

    def _log_page(self, request: ExecutionLogPageRequest) -> Page[ExecutionLine]:
        lines = self._lines(request, self._memory.lines)
        return paged(lines, lambda line: (line.job_created_at, line.log.job_id, line.log.seq), request.window)

    def _lines(
        self, request: ExecutionLogPageRequest | ExecutionLogCount, lines: Mapping[str, list[TaskLog]]
    ) -> list[ExecutionLine]:
        prefix = request.job_prefix or ""
        every = self._memory.jobs.values()
        jobs = [job for job in every if job.execution_id == request.execution_id and job.job_id.startswith(prefix)]
        return [
            ExecutionLine(row, job.created_at)
            for job in jobs
            for row in lines.get(job.job_id, [])
            if request.filter.matches(row)
        ]

    async def log_counts(self, requests: Sequence[ExecutionLogCount]) -> Sequence[int]:
        def counts() -> list[int]:
            return [len(self._lines(request, self._memory.counted(request.filter))) for request in requests]

        return await self._memory.asked(requests, counts)


class MemoryNewestLogStore:
    """Satisfies `domain.ports.NewestLogStore`; it looks at everything."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def page(self, request: NewestLogRequest) -> Page[TaskLog]:
        def found() -> Page[TaskLog]:
            window = Window(limit=request.limit, after=request.after)
            lines = self._matching(self._memory.lines, request.filter, request.job_filter)
            return paged(lines, lambda line: (line.recorded_at, line.job_id, line.seq), window, descending=True)

        return await self._memory.asked(request, found)

    def _matching(
        self, lines: Mapping[str, list[TaskLog]], log_filter: LogFilter, job_filter: JobFilter
    ) -> list[TaskLog]:
        earliest = EARLIEST if log_filter.since is None else log_filter.since - LATEST_CLOCK
        jobs = [job for job in self._memory.jobs.values() if job_matches(job, job_filter)]
        found = [line for job in jobs for line in lines.get(job.job_id, []) if log_filter.matches(line)]
        return [line for line in found if line.recorded_at >= earliest]

    async def count(self, log_filter: LogFilter, job_filter: JobFilter) -> int:
        counted = self._memory.counted(log_filter)
        return await self._memory.asked(log_filter, lambda: len(self._matching(counted, log_filter, job_filter)))


class MemoryLogPruner:
    """Satisfies `domain.retention.LogPruner`. It has no weeks."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def pruned_levels(self) -> PrunedLevels:
        return await self._memory.asked("pruned", lambda: dict(self._memory.pruned))

    async def prune(
        self, retention: Retention, now: datetime, *, whole_weeks: bool = False, is_dry: bool = False
    ) -> Pruned:
        pruned = Pruned()
        for job_id, rows in self._memory.lines.items():
            gone = [row for row in rows if row.recorded_at < now - retention.ages[row.level]]
            for row in gone:
                pruned.add(row.level, 1, len(row.message))
            if not is_dry:
                self._memory.lines[job_id] = [row for row in rows if row not in gone]
        if not is_dry:
            for level, age in retention.ages.items():
                self._memory.pruned[level] = max(now - age, self._memory.pruned.get(level, now - age))
        return pruned


class MemoryTokenStore:
    """Satisfies `domain.access.TokenStore`."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._tokens: dict[str, Token] = {}

    async def add(self, token: Token) -> None:
        self._tokens[token.token_id] = token

    async def get(self, token_ids: Sequence[str]) -> Sequence[Token]:
        found = (token for token in self._tokens.values() if token.token_id in token_ids)
        return await self._memory.asked(token_ids, lambda: sorted(found, key=_age))

    async def all(self) -> Sequence[Token]:
        return sorted(self._tokens.values(), key=_age)

    async def revoke(self, token_id: str, at: datetime) -> bool:
        token = self._tokens.get(token_id)
        if token is None or token.revoked_at is not None:
            return False
        self._tokens[token_id] = replace(token, revoked_at=at)
        return True


def _age(token: Token) -> tuple[datetime, str]:
    return token.created_at, token.token_id


class MemoryChannel:
    """Satisfies `domain.ports.LogChannel`. What is announced is kept in `announced` and sent to who listens."""

    def __init__(self) -> None:
        self.is_healthy = True
        self.announced: list[Announcement] = []
        self._signals: asyncio.Queue[Announcement | Resync] = asyncio.Queue()

    def publish(self, announcement: Announcement) -> None:
        self.announced.append(announcement)
        self._signals.put_nowait(announcement)

    def send(self, signal: Announcement | Resync) -> None:
        """Let listeners hear what nobody published."""
        self._signals.put_nowait(signal)

    async def signals(self) -> AsyncIterator[Announcement | Resync]:
        while True:
            yield await self._signals.get()


def batch_of(*events: Event, writer_id: UUID | None = None, first_n: int = 1) -> JobBatch:
    """Fold events of one job, numbered from `first_n` on."""
    numbered = [NumberedEvent(n, event) for n, event in enumerate(events, first_n)]
    return fold(events[0].job_id, writer_id, numbered, datetime.now(UTC))


async def store(logs: LogWriter, *events: Event, writer_id: UUID | None = None, first_n: int = 1) -> Appended:
    """Append events of one job that were not stored before."""
    outcome = await logs.append(batch_of(*events, writer_id=writer_id, first_n=first_n))
    assert isinstance(outcome, Appended)
    return outcome


def paged(
    items: Iterable[Item], key: Callable[[Item], Any], window: Window[Any], *, descending: bool = False
) -> Page[Item]:
    def is_behind(one: Any, other: Any) -> bool:
        return bool(one < other if descending else one > other)

    after, before = window.after, window.before
    inside = [
        item
        for item in sorted(items, key=key, reverse=descending)
        if (after is None or is_behind(key(item), after)) and (before is None or is_behind(before, key(item)))
    ]
    return page_of(inside[::-1] if window.backward else inside, window)


def job_matches(job: Job, job_filter: JobFilter) -> bool:
    """Say in Python what a JobFilter means; domain/ has no need to."""
    wanted = job_filter
    texts = [text for text in (job.job_id, job.handler_name, job.source, job.error) if text is not None]
    return (
        (wanted.statuses is None or job.status in wanted.statuses)
        and (wanted.handler_names is None or job.handler_name in wanted.handler_names)
        and wanted.execution_id in {None, job.execution_id}
        and wanted.parent_job_id in {None, job.parent_job_id}
        and (wanted.created_since is None or job.created_at >= wanted.created_since)
        and (wanted.created_until is None or job.created_at < wanted.created_until)
        and (wanted.search is None or any(fold_case(wanted.search) in fold_case(shown(text)) for text in texts))
        and wanted.has_errors in {None, job.log_counts.failures > 0}
        and job.job_id.startswith(wanted.job_prefix or "")
    )


def execution_matches(execution: Execution, execution_filter: ExecutionFilter) -> bool:
    """Say in Python what an ExecutionFilter means."""
    schedules = {execution.root.schedule_id} if execution.root.schedule_id is not None else {UNKNOWN_SCHEDULE}
    return (execution_filter.schedule_id is None or execution_filter.schedule_id in schedules) and (
        execution_filter.statuses is None or execution.status in execution_filter.statuses
    )


def _execution(execution_id: str, jobs: Sequence[Job]) -> Execution:
    return Execution(
        execution_id=execution_id,
        root=min(jobs, key=root_key),
        failed_jobs=sum(job.status in FAILED_STATUSES for job in jobs),
        running_jobs=sum(not job.status.is_final for job in jobs),
        last_end=max((job.finished_at for job in jobs if job.finished_at is not None), default=None),
    )


def sum_of(counts: Iterable[LogCounts]) -> LogCounts:
    every = list(counts)
    return LogCounts(**{name: sum(getattr(each, name) for each in every) for name in LogCounts.NAMES.values()})


def _counts(delta: TaskDelta) -> LogCounts:
    return LogCounts(**{LogCounts.NAMES[level]: delta.counts[level] for level in LogLevel})


def _new_job(batch: JobBatch, now: datetime) -> Job:
    delta = batch.job
    return Job(
        job_id=batch.job_id,
        handler_name=delta.assumed_handler_name if delta.handler_name is None else delta.handler_name,
        source=delta.source,
        status=delta.status or JobStatus.RUNNING,
        progress=_progress(delta.progress_current, delta.progress_total),
        error=delta.error,
        result=delta.result,
        parent_job_id=delta.parent_job_id,
        execution_id=delta.assumed_execution_id if delta.execution_id is None else delta.execution_id,
        schedule_id=delta.schedule_id,
        metadata=delta.metadata,
        created_at=now,
        started_at=_start(batch),
        finished_at=delta.finished_at,
        last_seq=len(batch.lines),
        first_recorded_at=now if batch.lines else None,
        last_recorded_at=now if batch.lines else None,
        log_counts=batch.log_counts,
    )


def _changed_job(job: Job, batch: JobBatch, now: datetime, starts: Starts) -> Job:
    delta = batch.job
    status = JobStatus.RUNNING if job.status is JobStatus.QUEUED else job.status
    changed = replace(
        job,
        handler_name=_handler(job, delta),
        source=job.source if delta.source is None else delta.source,
        execution_id=_first_told(delta.execution_id, job.execution_id, delta.assumed_execution_id),
        schedule_id=_first_told(delta.schedule_id, job.schedule_id),
        parent_job_id=_first_told(job.parent_job_id, delta.parent_job_id),
        metadata=job.metadata if delta.metadata is None else delta.metadata,
        status=status,
        started_at=_changed_start(job, batch),
        progress=_changed_progress(job, delta, starts),
        last_seq=job.last_seq + len(batch.lines),
        first_recorded_at=job.first_recorded_at or (now if batch.lines else None),
        last_recorded_at=now if batch.lines else job.last_recorded_at,
        log_counts=sum_of([job.log_counts, batch.log_counts]),
    )
    if _ends(job, delta, starts):
        assert delta.status is not None
        return replace(
            changed, status=delta.status, finished_at=delta.finished_at, error=delta.error, result=delta.result
        )
    if _begins(job, delta):
        return replace(changed, status=JobStatus.RUNNING, finished_at=None, error=None, result=None)
    return changed


def _begins(job: Job, delta: JobDelta) -> bool:
    """Tell whether a batch starts the job, and no later end is known."""
    return delta.started_at is not None and (job.finished_at is None or delta.started_at >= job.finished_at)


def _ends(job: Job, delta: JobDelta, starts: Starts) -> bool:
    """Tell whether a batch ends the job, and neither a later end nor the start of a later run is known."""
    if delta.finished_at is None:
        return False
    if job.finished_at is not None:
        return _begins(job, delta) or delta.finished_at >= job.finished_at
    is_one_of_several = starts.is_restarted or _begins(job, delta)
    return not is_one_of_several or starts.last is None or delta.finished_at >= starts.last


def _changed_starts(starts: Starts, job: Job | None, delta: JobDelta) -> Starts:
    if delta.started_at is None or (job is not None and not _begins(job, delta)):
        return starts
    if job is not None and job.finished_at is not None:
        return Starts(delta.started_at, is_restarted=True)
    last = max(starts.last or delta.started_at, delta.started_at)
    return Starts(last, is_restarted=starts.is_restarted or starts.last is not None)


def _first_told(*values: str | None) -> str | None:
    return next((value for value in values if value is not None), None)


def _handler(job: Job, delta: JobDelta) -> str:
    if delta.handler_name is not None:
        return delta.handler_name
    return delta.assumed_handler_name if job.handler_name == UNKNOWN_HANDLER else job.handler_name


def _start(batch: JobBatch) -> datetime | None:
    times = [task.first_at for task in batch.tasks.values()]
    return batch.job.started_at or min(times, default=batch.job.finished_at)


def _changed_start(job: Job, batch: JobBatch) -> datetime | None:
    start = _start(batch)
    if start is None or not _begins(job, batch.job):
        return job.started_at or start
    if job.finished_at is not None or job.started_at is None:
        return start
    return min(job.started_at, start)


def _progress(current: int | None, total: int | None) -> Progress | None:
    return None if current is None and total is None else Progress(current or 0, total)


def _changed_progress(job: Job, delta: JobDelta, starts: Starts) -> Progress | None:
    begins_anew = _begins(job, delta) and job.finished_at is not None
    known = job.progress
    is_late = delta.started_at is not None and not (_begins(job, delta) or _ends(job, delta, starts))
    current = None if is_late else delta.progress_current
    if current is None and known is not None and not begins_anew:
        current = known.current
    total = delta.progress_total if delta.progress_total is not None else known.total if known else None
    return _progress(current, total)


def _new_task(key: tuple[str, str, str], delta: TaskDelta, seq_before: int) -> TaskRecord:
    job_id, stage, task_id = key
    return TaskRecord(
        job_id=job_id,
        stage=stage,
        task_id=task_id,
        name=delta.name,
        stated=delta.status,
        result=delta.result,
        first_seq=seq_before + delta.first_line + 1,
        started_at=delta.first_at,
        last_at=delta.last_at,
        finished_at=delta.finished_at,
        log_counts=_counts(delta),
    )


def _changed_task(task: TaskRecord, delta: TaskDelta) -> TaskRecord:
    changed = replace(
        task,
        name=task.name if delta.name is None else delta.name,
        started_at=min(task.started_at, delta.first_at),
        last_at=max(task.last_at, delta.last_at),
        log_counts=sum_of([task.log_counts, _counts(delta)]),
    )
    said_at = delta.finished_at or delta.last_at
    if delta.status is None or (task.finished_at is not None and said_at < task.finished_at):
        return changed
    result = task.result if delta.result is None else delta.result
    return replace(changed, stated=delta.status, result=result, finished_at=delta.finished_at)


def _stage(job_id: str, name: str, tasks: Sequence[TaskRecord]) -> StageRecord:
    own = next((task for task in tasks if task.is_stage_itself), None)
    return StageRecord(
        job_id=job_id,
        name=name,
        first_seq=min(task.first_seq for task in tasks),
        started_at=min(task.started_at for task in tasks),
        last_at=max(task.last_at for task in tasks),
        task_count=len(tasks),
        log_counts=sum_of(task.log_counts for task in tasks),
        own_failures=own.log_counts.failures if own else 0,
        stated=own.stated if own else None,
    )
