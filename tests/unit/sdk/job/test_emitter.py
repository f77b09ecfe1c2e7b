"""The wrapper captures one line an emission and leaves the job and its emitter as they were."""

from __future__ import annotations

import asyncio
import inspect
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any, Self

import pytest

import jobtail
from jobtail import (
    Batch,
    Event,
    JobFinished,
    JobProgressed,
    JobStatus,
    Line,
    LogCapturingEmitter,
    LogLevel,
    ProgressEmitter,
    SinkUnavailable,
    TaskChanged,
    TaskStatus,
    Writer,
)
from jobtail.events import rfc3339

LONG_S = 20.0


class ListSink:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self.faults = 0

    def send(self, batch: Batch) -> None:
        if self.faults:
            self.faults -= 1
            raise SinkUnavailable("the database is away")
        self.events += [numbered.event for numbered in batch.events]

    def flush(self, timeout_s: float) -> bool:
        return True

    def renew(self) -> None:
        pass

    def close(self) -> None:
        pass


class Calls:
    """An emitter that keeps the calls it gets."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def note(self, name: str, *args: Any, **kwargs: Any) -> str:
        self.calls.append((name, args, kwargs))
        return f"{name} done"


class Emitter(Calls):
    colour = "blue"

    def emit_stage(self, stage: str, message: str) -> Any:
        return self.note("stage", stage, message)

    def emit_info(self, message: str, **more: Any) -> Any:
        return self.note("info", message, **more)

    def emit_progress(self, count: int, metadata: dict[str, Any] | None = None) -> Any:
        return self.note("progress", count, metadata)

    def emit_complete(self, summary: Any) -> Any:
        return self.note("complete", summary)

    def emit_error(self, stage: str, error: Any) -> Any:
        return self.note("error", stage, error)

    def emit_candidate_match(self, candidate_id: str, score: float = 0.0, message: str | None = None) -> Any:
        return self.note("match", candidate_id, score=score, message=message)

    def emit_persist_failed(self, table: str, rows: int, *, retry: bool = True) -> None:
        self.note("persist", table, rows, retry=retry)

    def emit_quota_warning(self, reason: str, level: str = "warning") -> None:
        self.note("quota", reason, level)

    def cancel(self) -> str:
        return "cancelled"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.note("exit")


class TrackingEmitter(Emitter):
    def add_task(self, task_id: str, name: str | None = None) -> Any:
        return self.note("add", task_id, name)

    def update_task_status(self, task_id: str, completed: bool, result: str | None = None) -> Any:
        return self.note("update", task_id, completed, result)


class Job:
    """Runs a job with a captured emitter and returns the events."""

    def __init__(self, base: Any = None) -> None:
        self.base = TrackingEmitter() if base is None else base
        self.sink = ListSink()
        self.writer = Writer(self.sink, first_pause_s=0.001)

    def run(self, handler: Callable[[Any], Any]) -> list[Event]:
        emitter = LogCapturingEmitter(self.base, self.writer, "JB_1")
        handler(emitter)
        return self.events()

    def events(self) -> list[Event]:
        assert self.writer.close(LONG_S)
        assert self.writer.stats().faults == 0
        return self.sink.events


def lines_of(handler: Callable[[Any], Any], base: Any = None) -> list[Line]:
    return [event for event in Job(base).run(handler) if isinstance(event, Line)]


def line_of(handler: Callable[[Any], Any], base: Any = None) -> Line:
    (line,) = lines_of(handler, base)
    return line


def test_the_public_names_are_these() -> None:
    assert sorted(jobtail.__all__) == [
        "Batch",
        "BatchRejected",
        "CaptureHandler",
        "Event",
        "JobFinished",
        "JobProgressed",
        "JobStarted",
        "JobStatus",
        "Line",
        "LogCapturingEmitter",
        "LogLevel",
        "NumberedEvent",
        "ProgressEmitter",
        "Sink",
        "SinkUnavailable",
        "Stats",
        "TaskChanged",
        "TaskStatus",
        "TaskTracker",
        "Writer",
        "WriterStats",
        "carry",
        "configure",
        "current_job",
        "flush",
        "job",
        "mask",
        "stage",
        "stats",
        "task",
    ]
    assert all(hasattr(jobtail, name) for name in jobtail.__all__)


def test_info_is_stored() -> None:
    line = line_of(lambda emitter: emitter.emit_info("Hello"))
    assert (line.job_id, line.stage, line.task_id, line.level) == ("JB_1", None, None, LogLevel.INFO)
    assert (line.message, line.metadata) == ("Hello", None)


def test_a_stage_sets_the_context() -> None:
    def handler(emitter: ProgressEmitter) -> None:
        emitter.emit_stage("fetch", "Fetching")
        emitter.emit_info("got it")

    assert [(line.stage, line.message) for line in lines_of(handler)] == [("fetch", "Fetching"), ("fetch", "got it")]


def test_a_candidate_match_fills_task_id() -> None:
    line = line_of(lambda emitter: emitter.emit_candidate_match("CNT_1", score=0.83, message="good fit"))
    assert (line.task_id, line.message, line.metadata) == ("CNT_1", "good fit", {"score": 0.83})


def test_several_stages_follow_each_other() -> None:
    def handler(emitter: ProgressEmitter) -> None:
        for stage in ("fetch", "extract", "persist"):
            emitter.emit_stage(stage, f"Starting {stage}")
            emitter.emit_progress(1, {"total": 2})

    assert [line.stage for line in lines_of(handler)] == ["fetch", "fetch", "extract", "extract", "persist", "persist"]


def test_a_fault_of_the_sink_does_not_break_the_job() -> None:
    job = Job()
    job.sink.faults = 5
    events = job.run(lambda emitter: [emitter.emit_info(str(number)) for number in range(100)])
    assert [event.message for event in events if isinstance(event, Line)] == [str(number) for number in range(100)]
    assert len(job.base.calls) == 100


def test_timestamps_are_rfc_3339() -> None:
    before = datetime.now(UTC)
    line = line_of(lambda emitter: emitter.emit_info("now"))
    assert line.at is not None
    assert line.at.utcoffset() == timedelta(0)
    assert before <= line.at <= datetime.now(UTC)
    assert datetime.fromisoformat(rfc3339(line.at)) == line.at
    assert rfc3339(line.at).endswith("Z")


def test_progress_is_a_line_and_an_event() -> None:
    events = Job().run(
        lambda emitter: (emitter.emit_progress(5), emitter.emit_progress(6, {"total": 20, "unit": "rows"}))
    )
    assert [event.message for event in events if isinstance(event, Line)] == ["Progress: 5", "Progress: 6 of 20"]
    assert [event.metadata for event in events if isinstance(event, Line)] == [None, {"total": 20, "unit": "rows"}]
    assert [event for event in events if isinstance(event, JobProgressed)] == [
        JobProgressed(job_id="JB_1", current=5, total=None),
        JobProgressed(job_id="JB_1", current=6, total=20),
    ]


@pytest.mark.parametrize("total", [True, "20", 1.5])
def test_a_total_that_is_no_whole_number_is_only_metadata(total: Any) -> None:
    events = Job().run(lambda emitter: emitter.emit_progress(5, {"total": total}))
    assert events[1] == JobProgressed(job_id="JB_1", current=5)
    assert isinstance(events[0], Line)
    assert (events[0].message, events[0].metadata) == ("Progress: 5", {"total": total})


def test_a_count_that_is_no_whole_number_is_only_a_line() -> None:
    (line,) = Job().run(lambda emitter: emitter.emit_progress("half"))
    assert isinstance(line, Line)
    assert line.message == "Progress: half"


@pytest.mark.parametrize(
    ("summary", "message", "metadata", "result"),
    [
        ("42 rows", "42 rows", None, "42 rows"),
        ({"rows": 42}, "Completed", {"rows": 42}, '{"rows": 42}'),
        (None, "Completed", None, None),
    ],
)
def test_completion_is_a_line_and_the_end_of_the_job(summary: Any, message: str, metadata: Any, result: Any) -> None:
    line, finish = Job().run(lambda emitter: emitter.emit_complete(summary))
    assert isinstance(line, Line)
    assert (line.message, line.metadata, line.level) == (message, metadata, LogLevel.INFO)
    assert isinstance(finish, JobFinished)
    assert (finish.status, finish.result) == (JobStatus.COMPLETED, result)


def test_an_error_belongs_to_the_stage_it_names_and_changes_nothing_else() -> None:
    def handler(emitter: ProgressEmitter) -> None:
        emitter.emit_stage("read", "Reading")
        emitter.emit_error("extract", "file not found")
        emitter.emit_info("still reading")

    events = Job().run(handler)
    assert [(e.stage, e.level.name, e.message, e.metadata) for e in events if isinstance(e, Line)] == [
        ("read", "INFO", "Reading", None),
        ("extract", "ERROR", "file not found", None),
        ("read", "INFO", "still reading", None),
    ]
    assert len(events) == 3


def test_an_exception_is_named_and_its_traceback_kept() -> None:
    def handler(emitter: ProgressEmitter) -> None:
        try:
            json.loads("{")
        except ValueError as error:
            emitter.emit_error("read", error)
        emitter.emit_error("read", KeyError())

    first, second = lines_of(handler)
    assert first.message.startswith("Expecting property name")
    assert first.metadata is not None
    assert first.metadata["exception"] == "json.decoder.JSONDecodeError"
    assert first.metadata["traceback"].startswith("Traceback (most recent call last):\n")
    assert (second.message, second.metadata) == ("KeyError", {"exception": "KeyError"})


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (
            lambda emitter: emitter.emit_candidate_match("CNT_1", 0.5),
            ("Candidate match: candidate_id=CNT_1 score=0.5", LogLevel.INFO, "CNT_1", {"score": 0.5}),
        ),
        (
            lambda emitter: emitter.emit_candidate_match(score=0.5, candidate_id="CNT_1"),
            ("Candidate match: score=0.5 candidate_id=CNT_1", LogLevel.INFO, "CNT_1", {"score": 0.5}),
        ),
        (
            lambda emitter: emitter.emit_persist_failed("jobs", 3, retry=False),
            (
                "Persist failed: table=jobs rows=3 retry=False",
                LogLevel.ERROR,
                None,
                {"table": "jobs", "rows": 3, "retry": False},
            ),
        ),
        (lambda emitter: emitter.emit_quota_warning("near"), ("near", LogLevel.WARNING, None, None)),
        (
            lambda emitter: emitter.emit_quota_warning("near", level="critical"),
            ("near", LogLevel.CRITICAL, None, None),
        ),
        (
            lambda emitter: emitter.emit_quota_warning("near", level="loud"),
            ("near", LogLevel.WARNING, None, {"level": "loud"}),
        ),
        (
            lambda emitter: emitter.emit_info("x", task_id="T", level="debug", metadata={"a": 1}, b=2),
            ("x", LogLevel.DEBUG, "T", {"a": 1, "b": 2}),
        ),
    ],
)
def test_an_emission_of_the_domain_is_a_line(call: Callable[[Any], Any], expected: tuple[Any, ...]) -> None:
    line = line_of(call)
    assert (line.message, line.level, line.task_id, line.metadata) == expected


def test_a_long_argument_is_short_in_the_message_and_whole_in_the_metadata() -> None:
    line = line_of(lambda emitter: emitter.emit_persist_failed("t" * 500, 1))
    assert len(line.message) < 150
    assert line.metadata is not None
    assert line.metadata["table"] == "t" * 500


def test_the_first_id_of_the_signature_is_the_task_and_never_the_message() -> None:
    class WithIds(Emitter):
        def emit_linked(self, person_id: str, team_id: str) -> None: ...

        def emit_info(self, person_id: str, what: str) -> None:  # type: ignore[override] # another's signature
            ...

    def handler(emitter: Any) -> None:
        emitter.emit_linked(team_id="T_1", person_id="P_1")
        emitter.emit_info("P_1", "hello")

    first, second = lines_of(handler, WithIds())
    assert (first.task_id, first.metadata) == ("P_1", {"team_id": "T_1"})
    assert (second.task_id, second.message, second.metadata) == ("P_1", "hello", None)


def test_the_jobs_own_id_is_no_task() -> None:
    class WithJob(Emitter):
        def emit_linked(self, job_id: str, person_id: str) -> None: ...

    line = line_of(lambda emitter: emitter.emit_linked("JB_1", "P_1"), WithJob())
    assert (line.task_id, line.metadata) == ("P_1", {"job_id": "JB_1"})


def test_emitters_that_name_things_differently_are_understood() -> None:
    class Odd(Calls):
        def emit_stage(self, name: str, text: str, *, colour: str = "") -> None:
            self.note("stage", name, text, colour=colour)

        def emit_info(self, msg: str) -> None: ...

        def emit_error(self, error: Any, stage: str | None = None) -> None: ...

        def emit_progress(self, n: int, details: dict[str, Any] | None = None, total: int | None = None) -> None: ...

        def emit_complete(self) -> None: ...

    def handler(emitter: Any) -> None:
        emitter.emit_stage(text="Fetching", name="fetch", colour="red")
        emitter.emit_info(msg="hello")
        emitter.emit_error("broken")
        emitter.emit_error("broken", "extract")
        emitter.emit_progress(3, {"unit": "rows"}, 9)
        emitter.emit_complete()

    lines = lines_of(handler, Odd())
    assert [(line.stage, line.message, line.metadata) for line in lines] == [
        ("fetch", "Fetching", {"colour": "red"}),
        ("fetch", "hello", None),
        ("fetch", "broken", None),
        ("extract", "broken", None),
        ("fetch", "Progress: 3 of 9", {"unit": "rows", "total": 9}),
        ("fetch", "Completed", None),
    ]


def test_an_emitter_that_takes_anything_is_understood() -> None:
    class Anything(Calls):
        def __getattr__(self, name: str) -> Any:
            if not name.startswith("emit_"):
                raise AttributeError(name)
            return lambda *args, **kwargs: self.note(name, *args, **kwargs)

    def handler(emitter: Any) -> None:
        emitter.emit_stage("fetch", "Fetching")
        emitter.emit_error("fetch", "broken")
        emitter.emit_found("a", 2, who="me")

    base = Anything()
    lines = lines_of(handler, base)
    assert [(line.stage, line.message) for line in lines] == [
        ("fetch", "Fetching"),
        ("fetch", "broken"),
        ("fetch", "Found: who=me"),
    ]
    assert lines[2].metadata == {"args": ["a", 2], "who": "me"}
    assert base.calls[2] == ("emit_found", ("a", 2), {"who": "me"})


def test_every_call_reaches_the_emitter_unchanged() -> None:
    job = Job()

    def handler(emitter: Any) -> None:
        error = ValueError("x")
        assert emitter.emit_stage("fetch", message="Fetching") == "stage done"
        assert emitter.emit_info("hello", extra=1) == "info done"
        assert emitter.emit_error("fetch", error) == "error done"
        assert emitter.emit_candidate_match("CNT_1", message="m") == "match done"
        assert emitter.add_task("T", name="Task") == "add done"
        assert emitter.cancel() == "cancelled"
        assert emitter.colour == "blue"
        assert job.base.calls == [
            ("stage", ("fetch", "Fetching"), {}),
            ("info", ("hello",), {"extra": 1}),
            ("error", ("fetch", error), {}),
            ("match", ("CNT_1",), {"score": 0.0, "message": "m"}),
            ("add", ("T", "Task"), {}),
        ]

    job.run(handler)


def test_the_wrapper_looks_like_what_it_wraps() -> None:
    job = Job()
    emitter: Any = LogCapturingEmitter(job.base, job.writer, "JB_1")
    emitter.colour = "red"
    assert job.base.colour == "red"
    del emitter.colour
    assert job.base.colour == "blue"
    assert isinstance(emitter, TrackingEmitter)
    assert isinstance(emitter, LogCapturingEmitter)
    assert inspect.signature(emitter.emit_candidate_match) == inspect.signature(job.base.emit_candidate_match)
    assert "cancel" in dir(emitter)
    assert "JB_1" in repr(emitter)
    with pytest.raises(AttributeError, match="no attribute 'emit_nothing'"):
        emitter.emit_nothing("x")
    with emitter as entered:
        assert entered is emitter
    assert job.base.calls[-1][0] == "exit"
    assert job.events() == []


def test_a_method_that_the_job_puts_in_place_of_another_is_called() -> None:
    def handler(emitter: Any) -> None:
        emitter.emit_info("one")
        emitter.emit_info = lambda message: f"other {message}"
        assert emitter.emit_info("two") == "other two"

    assert [line.message for line in lines_of(handler)] == ["one", "two"]


def test_what_was_said_is_kept_when_the_emitter_raises() -> None:
    class Broken(Emitter):
        def emit_info(self, message: str, **more: Any) -> Any:
            raise LookupError(message)

    def handler(emitter: Any) -> None:
        with pytest.raises(LookupError, match="hello"):
            emitter.emit_info("hello")
        with pytest.raises(TypeError):
            emitter.emit_candidate_match("CNT_1", 1, "m", "too many", unknown=1)

    first, second = lines_of(handler, Broken())
    assert first.message == "hello"
    assert second.metadata == {"score": 1, "args": ["too many"], "unknown": 1}


def test_an_emission_that_cannot_be_captured_still_reaches_the_emitter(caplog: pytest.LogCaptureFixture) -> None:
    class BrokenWriter(Writer):
        def capture(self, event: Event) -> None:
            raise RuntimeError("a defect")

    base = Emitter()
    with BrokenWriter(ListSink()) as writer:
        emitter = LogCapturingEmitter(base, writer, "JB_1")
        assert [emitter.emit_info("a"), emitter.emit_info("b")] == ["info done", "info done"]
    assert writer.stats().faults == 2
    assert len(caplog.records) == 1


async def test_an_async_emitter_stays_async() -> None:
    class Async(Calls):
        async def emit_info(self, message: str) -> str:
            await asyncio.sleep(0)
            return f"async {message}"

        async def __aenter__(self) -> Self:
            return self

        async def __aexit__(self, *failure: object) -> None: ...

    job = Job(Async())
    emitter = LogCapturingEmitter(job.base, job.writer, "JB_1")
    assert asyncio.iscoroutinefunction(emitter.emit_info)
    async with emitter as entered:
        assert entered is emitter
        results = await asyncio.gather(*(emitter.emit_info(str(number)) for number in range(100)))
    assert results == [f"async {number}" for number in range(100)]
    events = await asyncio.to_thread(job.events)
    assert [event.message for event in events if isinstance(event, Line)] == [str(number) for number in range(100)]


def test_wrappers_stack_and_each_captures_once() -> None:
    base = TrackingEmitter()
    sink = ListSink()
    with Writer(sink) as writer:
        emitter = LogCapturingEmitter(LogCapturingEmitter(base, writer, "inner"), writer, "outer")
        emitter.emit_stage("fetch", "Fetching")
        emitter.emit_candidate_match("CNT_1", message="good")
        emitter.add_task("T")
    lines = [event for event in sink.events if isinstance(event, Line)]
    assert [(line.job_id, line.stage, line.task_id, line.message) for line in lines] == [
        ("outer", "fetch", None, "Fetching"),
        ("inner", "fetch", None, "Fetching"),
        ("outer", "fetch", "CNT_1", "good"),
        ("inner", "fetch", "CNT_1", "good"),
    ]
    assert [event.job_id for event in sink.events if isinstance(event, TaskChanged)] == ["outer", "inner"]
    assert len(base.calls) == 3


def test_what_an_emitter_calls_on_itself_is_captured_once() -> None:
    class Layered(Emitter):
        def emit_info(self, message: str, **more: Any) -> Any:
            return self.emit_stage("inner", message)

    assert line_of(lambda emitter: emitter.emit_info("hello"), Layered()).message == "hello"


def test_the_only_open_task_gets_the_lines_of_its_stage() -> None:
    def handler(emitter: Any) -> None:
        emitter.emit_stage("score", "Scoring")
        emitter.add_task("A", "First")
        emitter.emit_info("in A")
        emitter.emit_candidate_match("C", message="in C")
        emitter.emit_error("persist", "elsewhere")
        emitter.add_task("B")
        emitter.emit_info("in the stage: two are open")
        emitter.update_task_status("A", True, "done")
        emitter.emit_info("in B")
        emitter.emit_stage("persist", "in the next stage")
        emitter.update_task_status("B", False, "too slow")
        emitter.emit_info("none is open")

    events = Job().run(handler)
    assert [(e.stage, e.task_id, e.message) for e in events if isinstance(e, Line)] == [
        ("score", None, "Scoring"),
        ("score", "A", "in A"),
        ("score", "C", "in C"),
        ("persist", None, "elsewhere"),
        ("score", None, "in the stage: two are open"),
        ("score", "B", "in B"),
        ("persist", None, "in the next stage"),
        ("persist", None, "none is open"),
    ]
    changes = [event for event in events if isinstance(event, TaskChanged)]
    assert [(c.stage, c.task_id, c.status, c.name, c.result) for c in changes] == [
        ("score", "A", TaskStatus.RUNNING, "First", None),
        ("score", "B", TaskStatus.RUNNING, None, None),
        ("score", "A", TaskStatus.COMPLETED, None, "done"),
        ("score", "B", TaskStatus.FAILED, None, "too slow"),
    ]


def test_a_task_before_any_stage_is_in_main_and_may_go_on() -> None:
    def handler(emitter: Any) -> None:
        emitter.add_task(0, name="Zero")
        emitter.update_task_status(task_id=0, completed=False)
        emitter.emit_info("in it")

    added, updated, line = Job().run(handler)
    assert isinstance(added, TaskChanged)
    assert isinstance(updated, TaskChanged)
    assert isinstance(line, Line)
    assert (added.stage, added.task_id, added.name, added.status) == ("main", "0", "Zero", TaskStatus.RUNNING)
    assert (updated.stage, updated.task_id, updated.status) == ("main", "0", TaskStatus.RUNNING)
    assert (line.stage, line.task_id) == (None, "0")


def test_without_a_task_tracker_the_wrapper_has_none() -> None:
    def handler(emitter: Any) -> None:
        assert not hasattr(emitter, "add_task")
        assert not hasattr(emitter, "update_task_status")
        emitter.emit_info("fine")

    assert line_of(handler, Emitter()).message == "fine"


def test_many_threads_emit_through_one_wrapper() -> None:
    job = Job()
    emitter: Any = LogCapturingEmitter(job.base, job.writer, "JB_1")
    start = threading.Barrier(8)

    def work(thread: int) -> None:
        start.wait(LONG_S)
        for number in range(200):
            task_id = f"{thread}-{number}"
            emitter.add_task(task_id)
            emitter.emit_candidate_match(task_id, message=task_id)
            emitter.update_task_status(task_id, True)

    threads = [Thread(target=work, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG_S)
    events = job.events()
    lines = [event for event in events if isinstance(event, Line)]
    assert sorted(str(line.task_id) for line in lines) == sorted(f"{t}-{n}" for t in range(8) for n in range(200))
    assert all(line.task_id == line.message for line in lines)
    assert len(events) == 3 * 8 * 200
    assert len(job.base.calls) == 3 * 8 * 200


def test_a_metadata_that_changes_later_is_captured_as_it_was() -> None:
    def handler(emitter: ProgressEmitter) -> None:
        facts: dict[str, Any] = {"items": [1]}
        emitter.emit_progress(1, facts)
        facts["items"].append(2)

    assert lines_of(handler)[0].metadata == {"items": [1]}
